//go:build go1.25

package conformance_test

// What a store, a source, a logger, a transport or a caller may do, and must not do to others.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
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

// Every method of the caller's that runs behind a call: it may panic, or end its goroutine.
func TestCredential_CodeOfTheCallersThatBreaksEndsOneCallWithAnError(t *testing.T) {
	t.Parallel()
	for how, breaks := range map[string]func(){"panics": func() { panic(clienttest.Marker) }, "ends its goroutine": runtime.Goexit} {
		for what, options := range map[string]func(p *livetest.Platform, now *atomic.Bool) []webanklive.Option{
			"Load": func(_ *livetest.Platform, now *atomic.Bool) []webanklive.Option {
				s := clienttest.NewFickleStore()
				s.Hook = func(op string, _ int32) {
					if op == "Load" && now.Load() {
						breaks()
					}
				}
				return []webanklive.Option{webanklive.WithCredentialStore(s)}
			},
			"Update": func(_ *livetest.Platform, now *atomic.Bool) []webanklive.Option {
				s := clienttest.NewFickleStore()
				s.Hook = func(op string, _ int32) {
					if op == "Update" && now.Load() {
						breaks()
					}
				}
				return []webanklive.Option{webanklive.WithCredentialStore(s)}
			},
			"Credential": func(p *livetest.Platform, now *atomic.Bool) []webanklive.Option {
				return []webanklive.Option{webanklive.WithCredentialSource(&brokenSource{p: p, breaks: func() {
					if now.Load() {
						breaks()
					}
				}})}
			},
			"RoundTrip": func(p *livetest.Platform, now *atomic.Bool) []webanklive.Option {
				return []webanklive.Option{webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					if now.Load() {
						breaks()
					}
					return p.Transport().RoundTrip(req)
				})})}
			},
		} {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := livetest.New()
					var now atomic.Bool
					now.Store(true)
					c := clienttest.NewMemoryClient(t, p, append(options(p, &now), webanklive.WithMaxRetries(0))...)
					var calls sync.WaitGroup
					for range 3 {
						calls.Go(func() {
							_, err := c.Credential(context.Background())
							assert.ErrorIs(t, err, webanklive.ErrUnavailable)
							assert.NotContains(t, fmt.Sprint(err), clienttest.Marker)
						})
					}
					calls.Wait()
					assert.Less(t, time.Duration(0), time.Until(c.Status().LastErrorAt.Add(time.Second)))
					now.Store(false)
					time.Sleep(5 * time.Second)
					_, err := c.Credential(t.Context())
					require.NoError(t, err)
				})
			})
		}
	}
}

type brokenSource struct {
	p      *livetest.Platform
	breaks func()
}

func (s *brokenSource) Credential(context.Context) (webanklive.Credential, error) {
	s.breaks()
	token, sign := s.p.Rotate()
	return webanklive.Credential{AccessToken: token, SignTicket: sign}, nil
}

func (s *brokenSource) Invalidate(context.Context, webanklive.Credential) { s.breaks() }

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
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				c := clienttest.NewMemoryClient(t, p, webanklive.WithLogger(slog.New(brokenHandler{breaks})))
				_, err := c.Credential(t.Context()) // mints, which is a line
				require.NoError(t, err)
				p.Fail(livetest.NonceTicket, livetest.Fault{Status: 503}, 1) // repeated, which is another
				_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
				require.NoError(t, err)
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestCredential_StoreOrSourceThatNeverReturnsWedgesNothing(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Load", "Update"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, s := livetest.New(), clienttest.NewFickleStore()
				release := make(chan struct{})
				defer close(release)
				s.Hook = func(at string, n int32) {
					if at == op && n == 1 {
						<-release // whatever its ctx does
					}
				}
				c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
				_, err := c.Credential(t.Context())
				require.ErrorIs(t, err, webanklive.ErrUnavailable)
				require.ErrorContains(t, err, "does not return")
				time.Sleep(5 * time.Second)
				_, err = c.Credential(t.Context())
				require.NoError(t, err)
			})
		})
	}
}

func TestCredential_BackgroundReadThatNeverReturnsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := livetest.New(), clienttest.NewFickleStore()
		release := make(chan struct{})
		defer close(release)
		s.Hook = func(at string, n int32) {
			if at == "Load" && n == 2 {
				<-release
			}
		}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		began := time.Now()
		for time.Since(began) < 2*time.Hour { // past its expiry
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("o", time.Now().Unix()), fmt.Sprint("u", time.Now().Unix())))
			require.NoError(t, err)
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
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		other := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		time.Sleep(51 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond) // waits for 30 ms
		defer cancel()
		_, err = c.Credential(ctx)
		require.NoError(t, err)
		time.Sleep(time.Second)

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
		p, s := livetest.New(), clienttest.NewFickleStore()
		s.Latency = 400 * time.Millisecond
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		before := s.Loads.Load()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		forged := url.Values{"code": {"0"}, "orderNo": {clienttest.Order}, "newSignature": {strings.Repeat("0", 40)}}
		for range 5 {
			go func() {
				for ctx.Err() == nil {
					_, _ = c.VerifyCallback(ctx, forged, clienttest.Order)
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

type nodeDrained struct{}

func (nodeDrained) Error() string { return "shutdown: node drained" }

func TestCredential_CauseOfTheCallersContextIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		for _, at := range []livetest.Endpoint{livetest.AccessToken, livetest.NonceTicket, livetest.LiveResult} {
			p.Fail(at, livetest.Fault{Hang: true}, -1)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(nodeDrained{}) })
			var err error
			if at == livetest.LiveResult {
				_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			} else {
				_, err = c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, "user"))
			}
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorAs(t, err, &nodeDrained{})
			assert.False(t, webanklive.Retryable(err))
			p.Fail(at, livetest.Fault{}, 0)
			time.Sleep(time.Minute)
		}
	})
}

func TestCredential_NotFinishedCarriesItsCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		mem := webanklive.NewMemoryStore()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(mem))
		p.Fail(livetest.SignTicket, livetest.Fault{Hang: true}, -1)
		_, err := c.Credential(t.Context())
		require.ErrorIs(t, err, webanklive.ErrUnavailable)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.Regexp(t, "silent|not finished within 45s: .*context deadline exceeded", err.Error())
	})
}

func TestLaunch_ContextsOfCallersWhoLeftAreNotKept(t *testing.T) {
	t.Parallel()
	type payload [1 << 16]byte
	type key struct{}
	p := livetest.New()
	block := make(chan struct{})
	c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("type") == "NONCE" {
			select {
			case <-block:
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}
		return p.Transport().RoundTrip(req)
	})}))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	var freed atomic.Int32
	for i := range 50 {
		big := &payload{}
		runtime.AddCleanup(big, func(int) { freed.Add(1) }, 0)
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, big))
		time.AfterFunc(time.Millisecond, cancel)
		_, err := c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, fmt.Sprint("u", i)))
		require.ErrorIs(t, err, context.Canceled)
	}
	close(block)
	require.Eventually(t, func() bool { runtime.GC(); return freed.Load() >= 49 }, 10*time.Second, 10*time.Millisecond)
	runtime.KeepAlive(c)
}

func TestVerifyCallback_WhoseReadFailsIsNoFailureOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := livetest.New(), clienttest.NewFickleStore()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		s.Hook = func(string, int32) { panic("down") }
		forged := url.Values{"code": {"0"}, "orderNo": {clienttest.Order}, "newSignature": {strings.Repeat("0", 40)}}
		_, err = c.VerifyCallback(t.Context(), forged, clienttest.Order)
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NoError(t, c.Status().LastError)
	})
}

func TestMint_AgeRunsFromBeforeItsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		began := time.Now()
		p.Fail(livetest.AccessToken, livetest.Fault{Delay: 4 * time.Second}, 1)
		p.Fail(livetest.SignTicket, livetest.Fault{Delay: 4 * time.Second}, 1)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.Equal(t, began.Add(59*time.Minute).UTC(), c.Status().ExpiresAt)
	})
}

func TestCredential_OfAnotherProcessIsFoundUnderTheLock(t *testing.T) {
	t.Parallel()
	p, s := livetest.New(), clienttest.NewFickleStore()
	other := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s.CredentialStore))
	s.Hook = func(op string, _ int32) {
		if op == "Update" { // after this process found nothing, and before it has the lock
			_, err := other.Credential(context.Background())
			assert.NoError(t, err)
		}
	}
	_, err := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(s)).Credential(t.Context())
	require.NoError(t, err)
	assert.Len(t, p.Mints(), 1)
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

func TestLaunch_WhoseContextIsOverCostsTheUserNothing(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	c := clienttest.NewMemoryClient(t, p)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, "user"))
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, p.Calls(livetest.NonceTicket))
}
