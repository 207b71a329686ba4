package webanklive

import (
	"context"
	"log/slog"
	"time"

	"github.com/webanklive/webanklive/internal/clockhook"
)

// WithClock gives a client another local clock.
func WithClock(now func() time.Time) Option { return clockhook.WithClock(now).(Option) }

// WithNonce gives a client a fixed random value, so that whole links and queries can be golden.
func WithNonce(nonce string) Option {
	return func(o *options) error {
		o.nonce = func() string { return nonce }
		return nil
	}
}

// newCalmCache returns a cache that mints from nothing, for an hour.
func newCalmCache() *credentialCache {
	log := slog.New(slog.DiscardHandler)
	clock := &clock{local: time.Now, log: log}
	mint := func(context.Context, time.Time) (record, error) {
		now := clock.now()
		return record{
			Credential: Credential{AccessToken: "T", SignTicket: "S", RefreshAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
			mintedAt:   now,
		}, nil
	}
	return &credentialCache{clock: clock, log: log, origin: &storeOrigin{
		store: NewMemoryStore(), key: "key", mint: mint, clock: clock, log: log,
	}}
}

// Attempts returns how many requests are under way, as far as the client's timer knows.
func (c *Client) Attempts() int {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	return len(c.watch.attempts)
}
