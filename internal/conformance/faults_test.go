//go:build go1.25

package conformance_test

// A platform that hangs, refuses or tells a wrong time costs no storm of mints and no caller's time. All of it runs on
// synctest's clock, which also fails a test that leaves a goroutine behind.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

type drained struct{}

func (drained) Error() string { return "node\ndrained" }

func TestContext_ItsEndIsReportedAsItselfWithItsCause(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		at    livetest.Endpoint
		fault livetest.Fault
		after time.Duration
		calls int // of the endpoint, at least
	}{
		"before the launch":    {livetest.NonceTicket, livetest.Fault{}, 0, 0},
		"before the question":  {livetest.LiveResult, livetest.Fault{}, 0, 0},
		"during a mint":        {livetest.AccessToken, livetest.Fault{Delay: 8 * time.Second}, time.Second, 1},
		"while a ticket hangs": {livetest.NonceTicket, livetest.Fault{Hang: true}, time.Second, 1},
		"before the header":    {livetest.LiveResult, livetest.Fault{Hang: true}, time.Second, 1},
		"in the body":          {livetest.LiveResult, livetest.Fault{Hang: true, Bytes: 100}, time.Second, 1},
		"between two attempts": {livetest.LiveResult, livetest.Fault{Status: 502}, 100 * time.Millisecond, 1},
	} {
		for _, cause := range []struct {
			err  error
			kept bool
		}{
			{drained{}, true}, {webanklive.ErrNotPassed, false},
			{fmt.Errorf("errgroup: %w", &webanklive.Error{Op: "get live result", Code: "-5013"}), false},
		} {
			bubble(t, fmt.Sprint(name, ": ", cause.err), func(t *testing.T) {
				p := newPlatform()
				c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(10))
				if tc.at != livetest.AccessToken {
					_, err := c.Credential(t.Context())
					require.NoError(t, err)
				}
				p.Fail(tc.at, tc.fault, -1)
				ctx, cancel := context.WithCancelCause(t.Context())
				if tc.after == 0 {
					cancel(cause.err)
				}
				time.AfterFunc(tc.after, func() { cancel(cause.err) })
				began := time.Now()
				var err error
				if tc.at == livetest.LiveResult {
					var res *webanklive.LiveResult
					res, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
					assert.Nil(t, res)
				} else {
					err = launch(ctx, c, 1)
				}
				assert.Equal(t, tc.after, time.Since(began), "it ends at once")
				require.ErrorIs(t, err, context.Canceled)
				clienttest.RequireClass(t, err, nil)
				assert.NotErrorIs(t, err, webanklive.ErrMedia)
				assert.Equal(t, "canceled", webanklive.ClassOf(err))
				assert.Equal(t, cause.kept, errors.As(err, new(drained)))
				if cause.kept {
					require.ErrorContains(t, err, "context canceled: node drained")
				}
				assert.GreaterOrEqual(t, p.Calls(tc.at), tc.calls)
				if tc.fault.Status == 0 {
					assert.Equal(t, tc.calls, p.Calls(tc.at), "it is not repeated")
				}
				p.Fail(tc.at, livetest.Fault{}, 0)
				time.Sleep(time.Minute)
				_, err = c.Credential(t.Context())
				require.NoError(t, err)
				assert.Len(t, p.Mints(), 1, "a mint goes on without its caller, and serves the next")
				assert.Equal(t, 1, p.Calls(livetest.AccessToken), "the next did not mint for itself")
			})
		}
	}
}

func TestCall_FiftyThatAreRefusedTogetherReplaceTheCredentialOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		c := newWarm(t, p, webanklive.WithMaxRetries(0))
		time.Sleep(time.Minute) // by the platform's rules nobody's mint ends a younger one
		p.Revoke()
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				var photo bytes.Buffer
				switch i % 3 {
				case 0:
					assert.NoError(t, askResult(t.Context(), c))
				case 1:
					assert.NoError(t, launch(t.Context(), c, i))
				case 2:
					_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &photo})
					assert.NoError(t, err)
					assert.Equal(t, livetest.SamplePhoto(), photo.Bytes())
				}
			})
		}
		wg.Wait()
		assert.Len(t, p.Mints(), 2)
	})
}

func TestClock_ThePlatformsIsFollowedFromItsDate(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-5 * time.Minute, 5 * time.Minute, 0} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			c := clienttest.NewMemoryClient(t, p, clienttest.WithClock(p.Transport(), func() time.Time { return time.Now().Add(off) }))
			cred, err := c.Credential(t.Context())
			require.NoError(t, err)
			assert.WithinDuration(t, p.Now().Add(59*time.Minute), cred.ExpiresAt, time.Second)
			time.Sleep(17 * time.Minute)
			_, err = c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
			assert.Len(t, p.Mints(), 1, "a fast clock must not refresh early")
			time.Sleep(6 * time.Minute)
			_, err = c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
			assert.Len(t, p.Mints(), 2, "a slow clock must not refresh late")
		})
	}
}

func TestClock_ThatJumpsFailsNoCallAndCostsAMintAtMost(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-400 * 24 * time.Hour, -24 * time.Hour, -5 * time.Hour, time.Hour, 5 * time.Hour, 400 * 24 * time.Hour} {
		for _, at := range []livetest.Endpoint{"", livetest.LiveResult, livetest.SignTicket} { // the local clock, or the Date of a reply
			bubble(t, fmt.Sprint(at, " by ", by), func(t *testing.T) {
				p := newPlatform()
				w := newWire(p)
				var local time.Duration
				c := clienttest.NewMemoryClient(t, p, clienttest.WithClock(w, func() time.Time { return time.Now().Add(local) }))
				for minute := range 300 {
					switch {
					case minute != 100:
					case at == "":
						local += by
					default:
						w.fail(at, dated(p, by))
					}
					require.NoError(t, askResult(t.Context(), c), "minute %d", minute)
					_, err := c.Credential(t.Context())
					require.NoError(t, err, "minute %d", minute)
					synctest.Wait() // for a refresh in the background
					w.mendOnceMet()
					_, err = c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", ""), clienttest.Order)
					require.NoError(t, err, "minute %d", minute)
					time.Sleep(time.Minute)
				}
				assert.GreaterOrEqual(t, len(p.Mints()), 300/60)
				assert.LessOrEqual(t, len(p.Mints()), 1+300/18+2)
			})
		}
	}
}

// A platform of many machines, one of which has a wrong clock, must not make each call mint: a mint ends the credential of
// everybody else.
func TestClock_AWrongDateAtOneEndpointIsNoStormOfMints(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-5 * time.Hour, 5 * time.Hour} {
		for _, at := range []livetest.Endpoint{livetest.SignTicket, livetest.LiveResult} {
			bubble(t, fmt.Sprint(at, " by ", by), func(t *testing.T) {
				p := newPlatform()
				w := newWire(p)
				c := clienttest.NewMemoryClient(t, p, over(w.RoundTrip))
				w.fail(at, dated(p, by))
				for i := range 60 {
					require.NoError(t, launch(t.Context(), c, i))
					require.NoError(t, askResult(t.Context(), c))
					time.Sleep(time.Second)
				}
				assert.LessOrEqual(t, len(p.Mints()), 5, "in a minute")
			})
		}
	}
}

func TestClock_IsNotSetByAProxysPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newWarm(t, p, webanklive.WithMaxRetries(0), answering(p, livetest.LiveResult, func(req *http.Request) (*http.Response, error) {
			res := unsized(req, 502, strings.NewReader("<html>"))
			dated(p, 5*time.Hour).change(res)
			return res, nil
		}))
		require.ErrorIs(t, askResult(t.Context(), c), webanklive.ErrUnavailable)
		_, err := c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", "95"), clienttest.Order)
		require.NoError(t, err)
		synctest.Wait()
		assert.Len(t, p.Mints(), 1, "its Date does not expire the credential")
	})
}

func TestBuildLiveLoginURL_AnUnknownRefusalOfATicketIsNobodysVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		for _, e := range []livetest.Endpoint{livetest.NonceTicket, livetest.SignTicket, livetest.AccessToken} {
			for _, code := range []string{"123456789", "-5013", "66660011"} {
				p.Fail(e, livetest.Fault{Code: code}, 1)
				err := launch(t.Context(), clienttest.NewMemoryClient(t, p), 1)
				clienttest.RequireClass(t, err, webanklive.ErrAccount)
				require.ErrorContains(t, err, code)
				time.Sleep(5 * time.Second)
			}
		}
	})
}

func TestCredentialSource_ItsCredentialIsNotUsedPastItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		token, sign := p.Rotate()
		source := &clienttest.Source{Held: webanklive.Credential{AccessToken: token, SignTicket: sign, ExpiresAt: time.Now().Add(10 * time.Second)}}
		c := newWarm(t, p, webanklive.WithCredentialSource(source))
		require.NoError(t, askResult(t.Context(), c)) // tells the platform's time
		source.Held.AccessToken, source.Held.ExpiresAt = "second", time.Now().Add(time.Hour)
		time.Sleep(11 * time.Second)
		after, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "second", after.AccessToken)
	})
}
