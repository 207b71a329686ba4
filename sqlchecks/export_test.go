package sqlchecks

import (
	"context"
	"time"

	"github.com/webanklive/webanklive/checks"
)

// Queries are those that look for checks otherwise than by their order number alone, with arguments.
func Queries(d Dialect) map[string][]any {
	s := statementsOf(d)
	return map[string][]any{
		s.waiting:  {},
		s.due:      {0, 5},
		s.underWay: {"5", 1000},
		s.forget:   {"5", 1000},
		s.attempts: {"5", 1000, "5"},
	}
}

// ClaimAsRead is the second half of Claim, for a candidate that was read earlier.
func (s *Store) ClaimAsRead(ctx context.Context, c checks.Check, owner string) error {
	return s.compareAndSet(ctx, s.take, owner, ms(time.Minute), c.OrderNo, c.Version)
}
