//go:build go1.25

package webanklive_test

// What a client tells of itself, and what proves a secret.

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestRefresh_ProvesASecretOnceAMinuteForAStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.WithCredentialStore(webanklive.NewMemoryStore())
		c, other := clienttest.NewMemoryClient(t, p, store), clienttest.NewMemoryClient(t, p, store)
		clienttest.Credential(t, c)
		before := c.Status()
		require.True(t, before.Held)
		time.Sleep(time.Second)
		require.NoError(t, c.Refresh(t.Context()))
		after := c.Status()
		assert.True(t, after.MintedAt.After(before.MintedAt) && after.ExpiresAt.After(before.ExpiresAt) && after.RefreshAt.After(after.MintedAt))
		for _, again := range []*webanklive.Client{c, other} {
			err := again.Refresh(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrThrottled)
			require.ErrorContains(t, err, "2000-01-01T00:01:01Z")
		}
		assert.Len(t, p.Mints(), 2)

		time.Sleep(time.Minute)
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		err := other.Refresh(t.Context())
		clienttest.RequireClass(t, err, webanklive.ErrCredential)
		clienttest.RequireClass(t, other.Refresh(t.Context()), webanklive.ErrThrottled)
		_, err = other.Credential(t.Context())
		require.NoError(t, err, "what is held stays in use")

		source := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialSource(c))
		clienttest.RequireClass(t, source.Refresh(t.Context()), webanklive.ErrInvalidRequest)
	})
}

func TestRefresh_ConcurrentCallsShareOneMintThatOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		p.Fail(livetest.AccessToken, livetest.Fault{Delay: 5 * time.Second}, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { assert.ErrorIs(t, c.Refresh(ctx), context.DeadlineExceeded) })
		for range 5 {
			all.Go(func() { assert.NoError(t, c.Refresh(t.Context())) })
		}
		all.Wait()
		assert.Len(t, p.Mints(), 1)
		assert.True(t, c.Status().Held)
	})
}

func TestStatus_TellsWhatIsHeldAndWhatFailedWithoutTouchingAnything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, store := livetest.New(), clienttest.NewFickleStore()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store))
		assert.Zero(t, c.Status())
		assert.Zero(t, store.Loads.Load()+store.Updates.Load())
		cred := clienttest.Credential(t, c)
		s := c.Status()
		assert.Equal(t, webanklive.Status{Held: true, MintedAt: s.MintedAt, RefreshAt: cred.RefreshAt, ExpiresAt: cred.ExpiresAt}, s)
		assert.WithinDuration(t, time.Now(), s.MintedAt, time.Second)

		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		time.Sleep(30 * time.Minute)
		clienttest.Credential(t, c)
		synctest.Wait()
		s = c.Status()
		assert.True(t, s.Held)
		require.ErrorIs(t, s.LastError, webanklive.ErrCredential)
		assert.Equal(t, time.Now(), s.LastErrorAt)
		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		time.Sleep(time.Minute)
		require.NoError(t, c.Refresh(t.Context()))
		require.NoError(t, c.Status().LastError, "the secret is proved")
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		time.Sleep(time.Hour)
		assert.False(t, c.Status().Held, "expired")
		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		clienttest.Credential(t, c)
		assert.NoError(t, c.Status().LastError)
	})
}

func TestStatus_TellsTheClockSkew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, p := clienttest.NewInMemory(t, webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		p.Advance(2 * time.Hour)
		clienttest.Credential(t, c)
		assert.Equal(t, 2*time.Hour, c.Status().ClockSkew)
		assert.Contains(t, log.String(), `"ahead_by":"-2h0m0s","corrected_by":"2h0m0s"`)
	})
}
