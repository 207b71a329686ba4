//go:build go1.25

package webanklive_test

// What a store or an observer that breaks every rule does to a call.

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// tattler is a store whose errors quote the value, once it fails.
type tattler struct {
	webanklive.CredentialStore
	fails bool
}

func (s *tattler) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.CredentialStore.Load(ctx, key)
	if s.fails && err == nil {
		return nil, fmt.Errorf("bad value '%s'", value)
	}
	return value, err
}

func (s *tattler) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	value, err := s.CredentialStore.Update(ctx, key, fn)
	if s.fails && err == nil {
		return nil, fmt.Errorf("bad value '%s'", value)
	}
	return value, err
}

func TestClient_ScrubsWhatAStoreQuotes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p, store := livetest.New(), &tattler{CredentialStore: webanklive.NewMemoryStore()}
	c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithHTTPClient(&http.Client{Transport: p.Transport()}),
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL), webanklive.WithCredentialStore(store),
		webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
	require.NoError(t, err)
	held, err := c.Credential(t.Context())
	require.NoError(t, err)

	store.fails = true
	p.Revoke()
	_, refused := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "a1"})
	require.ErrorIs(t, refused, webanklive.ErrUnavailable)
	assert.ErrorContains(t, refused, "bad value", "the store was asked")
	everything := fmt.Sprintf("%v %+v %#v %v %s", refused, refused, refused, c.Status().LastError, log.String())
	assert.NotContains(t, everything, held.AccessToken)
	assert.NotContains(t, everything, held.SignTicket)
}

// leaving ends the goroutine that a store is called on.
type leaving struct{ atTheEnd bool }

func (l leaving) Start(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	if a.Kind != webanklive.ActivityStore {
		return ctx, nil
	}
	if !l.atTheEnd {
		runtime.Goexit()
	}
	return ctx, func(webanklive.Outcome) { runtime.Goexit() }
}

func TestClient_AnObserverThatEndsItsGoroutineKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for _, l := range []leaving{{false}, {true}} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithHTTPClient(&http.Client{Transport: p.Transport()}),
				webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL), webanklive.WithObserver(l))
			require.NoError(t, err)
			began := time.Now()
			_, err = c.Credential(t.Context())
			assert.Zero(t, time.Since(began), "%+v: %v", l, err)
		})
	}
}

// deaf is a transport whose first request hangs, whatever its context says.
type deaf struct {
	http.RoundTripper
	requests atomic.Int32
	release  chan struct{}
}

func (d *deaf) RoundTrip(req *http.Request) (*http.Response, error) {
	if d.requests.Add(1) == 1 {
		<-d.release
	}
	return d.RoundTripper.RoundTrip(req)
}

func TestClient_AMintThatIgnoresItsContextGivesUpTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		transport := &deaf{RoundTripper: p.Transport(), release: make(chan struct{})}
		c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithHTTPClient(&http.Client{Transport: transport}),
			webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL))
		require.NoError(t, err)
		_, err = c.Credential(t.Context())
		require.ErrorIs(t, err, webanklive.ErrUnavailable)
		time.Sleep(5 * time.Second) // a failed fill is remembered as long
		held, err := c.Credential(t.Context())
		require.NoError(t, err, "another fill has the lock")

		close(transport.release)
		synctest.Wait()
		late, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.Equal(t, held, late, "the late mint is dropped")
	})
}
