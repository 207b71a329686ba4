//go:build go1.25

package conformance_test

// A store, source, logger, transport or caller that breaks, hangs or leaves stops nobody else.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// hooked is a store whose hook runs before each call of op.
func hooked(op string, hook func(n int32)) webanklive.Option {
	s := clienttest.NewFickleStore()
	s.Hook = func(called string, n int32) {
		if called == op {
			hook(n)
		}
	}
	return webanklive.WithCredentialStore(s)
}

// Every method of the caller's that runs behind a call: it may panic, end its goroutine, or hang whatever its context does.
func TestCredential_CodeOfTheCallersThatBreaksEndsOneCallWithAnError(t *testing.T) {
	t.Parallel()
	for how, breaks := range map[string]func(released <-chan struct{}){
		"panics":             func(<-chan struct{}) { panic(clienttest.Marker) },
		"ends its goroutine": func(<-chan struct{}) { runtime.Goexit() },
		"never returns":      func(released <-chan struct{}) { <-released },
	} {
		for what, option := range map[string]func(p *livetest.Platform, hook func()) webanklive.Option{
			"Load": func(_ *livetest.Platform, hook func()) webanklive.Option {
				return hooked("Load", func(int32) { hook() })
			},
			"Update": func(_ *livetest.Platform, hook func()) webanklive.Option {
				return hooked("Update", func(int32) { hook() })
			},
			"Credential": func(p *livetest.Platform, hook func()) webanklive.Option {
				return webanklive.WithCredentialSource(hookedSource{p, hook})
			},
			"RoundTrip": func(p *livetest.Platform, hook func()) webanklive.Option {
				return over(func(req *http.Request) (*http.Response, error) {
					hook()
					return p.Transport().RoundTrip(req)
				})
			},
		} {
			bubble(t, what+" "+how, func(t *testing.T) {
				p := livetest.New()
				var mended atomic.Bool
				released := make(chan struct{})
				defer close(released)
				c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), option(p, func() {
					if !mended.Load() {
						breaks(released)
					}
				}))
				var calls sync.WaitGroup
				for range 3 {
					calls.Go(func() {
						_, err := c.Credential(context.Background())
						assert.ErrorIs(t, err, webanklive.ErrUnavailable)
						assert.Regexp(t, "panicked|ended its goroutine|does not return|not finished within 45s", err)
						assert.NotContains(t, fmt.Sprint(err), clienttest.Marker)
					})
				}
				calls.Wait()
				assert.Less(t, time.Duration(0), time.Until(c.Status().LastErrorAt.Add(time.Second)))
				mended.Store(true)
				time.Sleep(5 * time.Second)
				_, err := c.Credential(t.Context())
				require.NoError(t, err)
			})
		}
	}
}

// hookedSource hands out a new credential each time, after its hook.
type hookedSource struct {
	p    *livetest.Platform
	hook func()
}

func (s hookedSource) Credential(context.Context) (webanklive.Credential, error) {
	s.hook()
	token, sign := s.p.Rotate()
	return webanklive.Credential{AccessToken: token, SignTicket: sign}, nil
}

func (s hookedSource) Invalidate(context.Context, webanklive.Credential) { s.hook() }

// brokenHandler is a slog.Handler that breaks at every line.
type brokenHandler struct{ breaks func() }

func (brokenHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h brokenHandler) Handle(context.Context, slog.Record) error { h.breaks(); return nil }

func (h brokenHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h brokenHandler) WithGroup(string) slog.Handler { return h }

func TestCredential_LoggerThatBreaksFailsNoCall(t *testing.T) {
	t.Parallel()
	for how, breaks := range map[string]func(){
		"panics": func() { panic("handler") }, "ends its goroutine": runtime.Goexit, "hangs": func() { time.Sleep(time.Hour) },
	} {
		bubble(t, how, func(t *testing.T) {
			p := livetest.New()
			c := newWarm(t, p, webanklive.WithLogger(slog.New(brokenHandler{breaks}))) // mints, which is a line
			p.Fail(livetest.NonceTicket, livetest.Fault{Status: 503}, 1)               // repeated, which is another
			require.NoError(t, launch(t.Context(), c, 1))
			time.Sleep(time.Hour)
		})
	}
}

func TestCredential_BackgroundReadThatNeverReturnsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		release := make(chan struct{})
		defer close(release)
		c := newWarm(t, p, hooked("Load", func(n int32) {
			if n == 2 {
				<-release
			}
		}))
		for i := range 2 * 60 * 6 { // for two hours, past its expiry
			require.NoError(t, launch(t.Context(), c, i))
			time.Sleep(10 * time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 7)
	})
}

func TestCredential_ImpatientCallerPausesNothingForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := livetest.New(), clienttest.NewFickleStore()
		s.Latency = 50 * time.Millisecond
		c := newWarm(t, p, webanklive.WithCredentialStore(s))
		time.Sleep(51 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond) // waits for 30 ms
		defer cancel()
		_, err := c.Credential(ctx)
		require.NoError(t, err)
		time.Sleep(time.Second)

		other := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		cred, err := other.Credential(t.Context())
		require.NoError(t, err)
		other.Invalidate(t.Context(), cred)
		_, err = other.Credential(t.Context())
		require.NoError(t, err)
		_, err = c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", "90"), clienttest.Order)
		require.NoError(t, err, "the new ticket is found at once")
		assert.NoError(t, c.Status().LastError)
	})
}

func TestVerifyCallback_ForgedOnesMakeNobodyElseWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := clienttest.NewFickleStore()
		s.Latency = 400 * time.Millisecond
		c := newWarm(t, livetest.New(), webanklive.WithCredentialStore(s))
		before := s.Loads.Load()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		for range 5 {
			go func() {
				for ctx.Err() == nil {
					_, _ = c.VerifyCallback(ctx, forged(), clienttest.Order)
					time.Sleep(100 * time.Millisecond)
				}
			}()
		}
		for ctx.Err() == nil {
			began := time.Now()
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			require.Zero(t, time.Since(began))
			time.Sleep(50 * time.Millisecond)
		}
		assert.LessOrEqual(t, s.Loads.Load()-before, int32(11), "one a second")
		time.Sleep(time.Second)
	})
}

func TestVerifyCallback_WhoseReadFailsIsNoFailureOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := clienttest.NewFickleStore()
		c := newWarm(t, livetest.New(), webanklive.WithCredentialStore(s))
		s.Hook = func(string, int32) { panic("down") }
		_, err := c.VerifyCallback(t.Context(), forged(), clienttest.Order)
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NoError(t, c.Status().LastError)
	})
}

func TestBuildLiveLoginURL_KeepsNoContextOfACallerWhoLeft(t *testing.T) {
	t.Parallel()
	type payload [1 << 16]byte
	type key struct{}
	p := livetest.New()
	c := newWarm(t, p, answering(p, livetest.NonceTicket, func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}))
	var freed atomic.Int32
	for i := range 50 {
		big := &payload{}
		runtime.AddCleanup(big, func(int) { freed.Add(1) }, 0)
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, big))
		time.AfterFunc(time.Millisecond, cancel)
		require.ErrorIs(t, launch(ctx, c, i), context.Canceled)
	}
	require.Eventually(t, func() bool { runtime.GC(); return freed.Load() >= 49 }, 10*time.Second, 10*time.Millisecond)
	runtime.KeepAlive(c)
}

// losingStore loses its lock as soon as it has it.
type losingStore struct{ webanklive.CredentialStore }

func (s losingStore) Update(ctx context.Context, _ string, fn webanklive.UpdateFunc) ([]byte, error) {
	ctx, lose := context.WithCancel(ctx)
	lose()
	if _, _, err := fn(ctx, nil); err == nil {
		return nil, errors.New("the function did not notice")
	}
	return nil, errors.New("the lock was lost")
}

func TestCredential_LostLockIsTheStoresErrorAndNobodysContext(t *testing.T) {
	t.Parallel()
	c := clienttest.NewMemoryClient(t, livetest.New(), webanklive.WithCredentialStore(losingStore{webanklive.NewMemoryStore()}))
	_, err := c.Credential(t.Context())
	clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "credential store: the lock was lost")
	assert.NotErrorIs(t, err, context.Canceled)
}
