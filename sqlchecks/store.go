package sqlchecks

// The methods of a store.

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/webanklive/webanklive/checks"
)

// Store is a [checks.Store] in a database. It is safe for concurrent use, and any number of stores in any number of
// processes may share the database. It keeps no state, runs nothing in the background, and needs no Close; the database
// stays the caller's to close.
type Store struct {
	db *sql.DB
	d  Dialect
	statements
}

var _ checks.Store = (*Store)(nil)

// New returns a store in db, which speaks d and holds the table of [Migrate]. It sends nothing yet. New panics when db
// is nil or d is none of the dialects of this package, because that is a mistake in the program.
func New(db *sql.DB, d Dialect) *Store {
	if db == nil {
		panic("sqlchecks: the database must not be nil")
	}
	d.mustBeKnown()
	return &Store{db, d, statementsOf(d)}
}

// Create implements [checks.Store].
func (s *Store) Create(ctx context.Context, n checks.NewCheck) (made checks.Check, err error) {
	if err := storable("create", n.OrderNo, n.UserID, n.Session); err != nil {
		return checks.Check{}, err
	}
	err = s.repeat(ctx, "create", func() error {
		// Of two at once for a user, the second violates a unique column, is repeated, and then finds the first here.
		if _, err := s.find(ctx, s.get, n.OrderNo); !errors.Is(err, checks.ErrNotFound) {
			return cmp.Or(err, checks.ErrExists)
		}
		other, err := s.find(ctx, s.underWay, n.UserID, ms(n.UnderWay))
		if !errors.Is(err, checks.ErrNotFound) {
			made = other.check
			return cmp.Or(err, checks.ErrUnderWay)
		}
		made, err = s.add(ctx, n)
		return err
	})
	return made, err
}

// add inserts a check and then counts the user's attempts, this one included. Because of the unique column no other transaction
// can insert a check of this user before this one ends. If they counted first, two transactions could miss each other's check.
func (s *Store) add(ctx context.Context, n checks.NewCheck) (checks.Check, error) {
	options := &sql.TxOptions{Isolation: sql.LevelReadCommitted} // the count must see what was committed before it
	if s.d == SQLite {
		options = nil // its transactions are serial
	}
	tx, err := s.db.BeginTx(ctx, options)
	if err != nil {
		return checks.Check{}, err
	}
	defer func() { _ = tx.Rollback() }()
	var created, attempts int64
	_, err = tx.ExecContext(ctx, s.forget, n.UserID, ms(n.UnderWay))
	if err == nil {
		_, err = tx.ExecContext(ctx, s.insert, n.OrderNo, n.UserID, n.Session, string(checks.Launched), ms(n.Due), n.UserID)
	}
	if err == nil {
		err = tx.QueryRowContext(ctx, s.attempts, n.UserID, ms(24*time.Hour), n.OrderNo).Scan(&created, &attempts)
	}
	if err == nil && attempts > int64(n.Attempts) {
		err = checks.ErrTooMany
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return checks.Check{}, err
	}
	return checks.Check{
		OrderNo: n.OrderNo, UserID: n.UserID, Session: n.Session, State: checks.Launched, CreatedAt: instant(created), Version: 1,
	}, nil
}

// Get implements [checks.Store].
func (s *Store) Get(ctx context.Context, orderNo string) (c checks.Check, err error) {
	if storable("get", orderNo) != nil {
		return checks.Check{}, checks.ErrNotFound
	}
	err = s.repeat(ctx, "get", func() error {
		found, err := s.find(ctx, s.get, orderNo)
		c = found.check
		return err
	})
	return c, err
}

// Update implements [checks.Store]. It reads the check, and writes it if no other process did in between.
func (s *Store) Update(ctx context.Context, c checks.Check, owner string, due time.Duration) (updated checks.Check, err error) {
	if storable("update", c.OrderNo) != nil {
		return checks.Check{}, checks.ErrNotFound
	}
	if storable("update", owner) != nil {
		return checks.Check{}, checks.ErrConflict
	}
	c.Code, c.LiveRate, c.BizSeqNo = text(c.Code), text(c.LiveRate), text(c.BizSeqNo)
	err = s.repeat(ctx, "update", func() error {
		found, err := s.find(ctx, s.get, c.OrderNo)
		if err != nil {
			return err
		}
		old := found.check
		if old.Version != c.Version || old.State.Final() &&
			(old.State != c.State || old.Code != c.Code || old.LiveRate != c.LiveRate || old.BizSeqNo != c.BizSeqNo) {
			return checks.ErrConflict
		}
		next := c
		next.UserID, next.Session, next.Version = old.UserID, old.Session, old.Version+1
		next.CreatedAt, next.ReturnedAt, next.DecidedAt = old.CreatedAt, old.ReturnedAt, old.DecidedAt
		if next.State == checks.Returned && old.ReturnedAt.IsZero() {
			next.ReturnedAt = instant(found.now)
		}
		if next.State.Final() && old.DecidedAt.IsZero() {
			next.DecidedAt = instant(found.now)
		}
		query, args := s.update, []any{
			string(next.State), next.Code, next.LiveRate, next.BizSeqNo, string(next.Evidence), number(next.Signed), number(next.Concluded),
			next.Tries, stamp(next.ReturnedAt), stamp(next.DecidedAt), number(next.State.Final()), dueIn(due),
			number(next.State.Final()), c.OrderNo, c.Version,
		}
		if owner != "" {
			query, args = s.updateClaimed, append(args, owner)
		}
		if err = s.compareAndSet(ctx, query, args...); err == nil {
			updated = next
		}
		return err
	})
	return updated, err
}

// Claim implements [checks.Store].
func (s *Store) Claim(ctx context.Context, owner string, lease time.Duration, limit int, undecided bool) (claimed []checks.Check, now time.Time, err error) {
	if err := storable("claim", owner); err != nil {
		return nil, time.Time{}, err
	}
	for range 5 { // other workers may take all candidates first
		var candidates []row
		err := s.repeat(ctx, "claim", func() (err error) {
			now, candidates, err = s.candidates(ctx, max(limit, 0), undecided)
			return err
		})
		lost := false
		if err == nil {
			lost, err = s.claim(ctx, &claimed, candidates, owner, lease, limit)
		}
		if err != nil && len(claimed) == 0 {
			return nil, now, err
		}
		if err != nil || !lost { // with an error, too: the checks that are claimed already must be returned
			break
		}
	}
	return claimed, now, nil
}

// candidates returns checks to claim, and the database's time. When there are none, as most of the time, it is one statement.
func (s *Store) candidates(ctx context.Context, limit int, undecided bool) (now time.Time, all []row, err error) {
	var at int64
	var waiting [2]sql.NullInt64 // of those not decided, and of those decided
	if err := s.db.QueryRowContext(ctx, s.waiting).Scan(&at, &waiting[0], &waiting[1]); err != nil {
		return now, nil, err
	}
	for decided, oldest := range waiting {
		if oldest.Valid && !(undecided && decided == 1) {
			some, err := s.read(ctx, s.due, decided, limit)
			if err != nil {
				return now, nil, err
			}
			all = append(all, some...)
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return cmp.Compare(a.due, b.due) })
	return instant(at), all, nil
}

// claim claims candidates until claimed is full. It reports whether it lost any.
func (s *Store) claim(ctx context.Context, claimed *[]checks.Check, candidates []row, owner string, lease time.Duration, limit int) (lost bool, err error) {
	for _, r := range candidates {
		if len(*claimed) >= limit {
			return false, nil
		}
		err := s.repeat(ctx, "claim", func() error {
			return s.compareAndSet(ctx, s.take, owner, ms(lease), r.check.OrderNo, r.check.Version)
		})
		switch {
		case err == nil:
			*claimed = append(*claimed, r.check)
		case errors.Is(err, checks.ErrConflict):
			lost = true
		default:
			return lost, err
		}
	}
	return lost, nil
}

// Renew implements [checks.Store].
func (s *Store) Renew(ctx context.Context, orderNo, owner string, lease time.Duration) error {
	if storable("renew", orderNo, owner) != nil {
		return checks.ErrConflict
	}
	return s.repeat(ctx, "renew", func() error {
		err := s.compareAndSet(ctx, s.renew, ms(lease), orderNo, owner)
		if !errors.Is(err, checks.ErrConflict) {
			return err
		}
		// MySQL does not count a row that has the value already, as in a second renewal within the same millisecond.
		var one int
		if err := s.db.QueryRowContext(ctx, s.held, orderNo, owner).Scan(&one); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return checks.ErrConflict
	})
}

// Release implements [checks.Store].
func (s *Store) Release(ctx context.Context, orderNo, owner string, due time.Duration) error {
	if storable("release", orderNo, owner) != nil {
		return checks.ErrConflict
	}
	return s.repeat(ctx, "release", func() error { return s.compareAndSet(ctx, s.release, dueIn(due), orderNo, owner) })
}

// Delete implements [checks.Store].
func (s *Store) Delete(ctx context.Context, orderNo string, version int64) error {
	if storable("delete", orderNo) != nil {
		return nil
	}
	return s.repeat(ctx, "delete", func() error {
		err := s.compareAndSet(ctx, s.remove, orderNo, version)
		if !errors.Is(err, checks.ErrConflict) {
			return err
		}
		if _, err := s.find(ctx, s.get, orderNo); !errors.Is(err, checks.ErrNotFound) {
			return cmp.Or(err, checks.ErrConflict)
		}
		return nil
	})
}
