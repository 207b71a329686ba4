package webanklive

import (
	"context"
	"log/slog"
	"time"
)

// WithClock gives a client another local clock.
func WithClock(now func() time.Time) Option {
	return func(o *options) error {
		o.now = now
		return nil
	}
}

// WithNonce gives a client a fixed random value, so that whole links and queries can be golden.
func WithNonce(nonce string) Option {
	return func(o *options) error {
		o.nonce = func() string { return nonce }
		return nil
	}
}

// newWarmCache returns a cache that mints from nothing, for an hour.
func newWarmCache() *credentialCache {
	clock := &clock{local: time.Now, log: slog.New(slog.DiscardHandler)}
	return newTestCache(NewMemoryStore(), clock, func(context.Context, string) (record, error) {
		now := clock.now()
		return record{
			Credential: Credential{AccessToken: "T", SignTicket: "S", RefreshAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
			mintedAt:   now,
		}, nil
	})
}

// newTestCache returns a cache on store that mint fills.
func newTestCache(store CredentialStore, clock *clock, mint func(context.Context, string) (record, error)) *credentialCache {
	c := &credentialCache{clock: clock, limit: &mintLimit{clock: clock}, log: clock.log, redact: newRedactor("secret")}
	c.origin = &storeOrigin{
		store: store, key: "key", mint: mint, clock: clock, limit: c.limit, log: clock.log,
		observe: func(ctx context.Context, _ Activity, _ ...string) (context.Context, func(Outcome)) {
			return ctx, func(Outcome) {}
		},
	}
	return c
}
