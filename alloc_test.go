//go:build !race

package webanklive

// What must not allocate. The race detector allocates by itself, so these run without it.

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignAllocatesItsResultOnly(t *testing.T) {
	values := []string{
		"1.0.0", "aabc1457895464", "appId001", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T", "userID19959248596551",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { Sign(values...) }), 1.0)
}

func TestNonceAllocatesItsResultOnly(t *testing.T) {
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { newNonce() }), 1.0)
}

func TestWarmCredentialReadAllocatesNothing(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	clock := &clock{local: time.Now, log: log}
	mint := func(context.Context, time.Time) (record, error) {
		now := clock.now()
		return record{
			Credential: Credential{AccessToken: "T", SignTicket: "S", RefreshAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
			mintedAt:   now,
		}, nil
	}
	c := &credentialCache{clock: clock, log: log, origin: &storeOrigin{
		store: NewMemoryStore(), key: "key", mint: mint, clock: clock, log: log,
	}}
	ctx := context.Background()
	_, err := c.get(ctx)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.get(ctx) }))
}
