//go:build go1.25

package conformance_test

// Bad days: a platform that hangs, breaks off, redirects or talks nonsense. All of it runs on synctest's clock, which
// also fails a test that leaves a goroutine behind.

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
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

func TestMint_ThatHangsReleasesEveryCallerInTimeAndServesTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		p.Fail(livetest.AccessToken, livetest.Fault{Delay: 8 * time.Second}, 1)

		began := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				_, err := c.BuildLiveLoginURL(ctx, clienttest.Launch(fmt.Sprint("order", i), fmt.Sprint("user", i)))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, webanklive.ErrUnavailable, "the end of a context has no class")
				assert.Equal(t, 200*time.Millisecond, time.Since(began))
			})
		}
		wg.Wait()
		time.Sleep(8 * time.Second)
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		require.NoError(t, err)
		assert.Equal(t, 1, p.Calls(livetest.AccessToken), "the mint went on without its callers")
		assert.Equal(t, 1, p.Calls(livetest.NonceTicket))
	})
}

func TestColdStart_OfManyCallersIsOneMint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.NewMemoryStore()
		clients := []*webanklive.Client{
			clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)), clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)),
		}
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				_, err := clients[i%2].Credential(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Len(t, p.Mints(), 1)
		assert.Equal(t, 1, p.Calls(livetest.SignTicket))
	})
}

func TestContext_ItsEndIsReportedAsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		p.AddResult(clienttest.Order, livetest.Passing())
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Hang: true, Bytes: 100}, 1)
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
			require.ErrorIs(t, err, context.Canceled)
			clienttest.RequireClass(t, err, nil)
			assert.NotErrorIs(t, err, webanklive.ErrMedia)
			assert.Nil(t, res)
			assert.Equal(t, time.Second, time.Since(began), "the read stops at once")
		}
		assert.Equal(t, 2, p.Calls(livetest.LiveResult), "a call whose context ended is not repeated")
	})
}

func TestStreamLiveMedia_ASlowButSteadyDownloadIsNotCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		person := livetest.Passing()
		person.Video = bytes.Repeat([]byte("steady"), 100_000)
		p.AddResult(clienttest.Order, person)
		p.Fail(livetest.LiveResult, livetest.Fault{Delay: 9 * time.Second, OneByte: true}, 1)
		var video bytes.Buffer
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Video: &video})
		require.NoError(t, err)
		assert.Equal(t, person.Video, video.Bytes())
	})
}

func TestCall_WhoseCredentialIsRefusedIsRepeatedOnceWithAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0))
		p.AddResult(clienttest.Order, livetest.Passing())
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		for i, use := range []func() error{
			func() error {
				_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
				return err
			},
			func() error {
				_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user"))
				return err
			},
			func() error {
				var photo bytes.Buffer
				_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &photo})
				assert.Equal(t, livetest.SamplePhoto(), photo.Bytes())
				return err
			},
		} {
			time.Sleep(time.Minute) // by the platform's rules nobody's mint ends a younger one
			p.Revoke()
			require.NoError(t, use())
			assert.Len(t, p.Mints(), i+2)
		}
		time.Sleep(time.Minute)
		// Fifty calls that are refused together replace it once.
		p.Revoke()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Len(t, p.Mints(), 5)
	})
}

func TestMint_AWrongSecretIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		c := clienttest.NewMemoryClient(t, p)
		for range 100 {
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
			clienttest.RequireClass(t, err, webanklive.ErrCredential)
			time.Sleep(50 * time.Millisecond)
		}
		assert.LessOrEqual(t, p.Calls(livetest.AccessToken), 6, "5 seconds of calls, at most one in each")
		assert.GreaterOrEqual(t, p.Calls(livetest.AccessToken), 1)
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

func TestMint_LivesAreBelievedUpToTheLongestThatTheVendorNames(t *testing.T) {
	t.Parallel()
	for life, want := range map[string]time.Duration{
		`1e18`: 59 * time.Minute, `"Inf"`: 59 * time.Minute, `"3600.0"`: 59 * time.Minute, `600`: 9 * time.Minute, `60`: 30 * time.Second,
	} {
		t.Run(life, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				p.Fail(livetest.SignTicket, livetest.Fault{Body: `{"code":"0","tickets":[{"value":"S","expire_in":` + life + `}]}`}, -1)
				cred, err := clienttest.NewMemoryClient(t, p).Credential(t.Context())
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now().Add(want), cred.ExpiresAt, time.Second)
				assert.False(t, cred.RefreshAt.After(cred.ExpiresAt))
			})
		})
	}
}

func TestClock_ThatJumpsFailsNoCallAndCostsAMintAtMost(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{-400 * 24 * time.Hour, -24 * time.Hour, -5 * time.Hour, time.Hour, 5 * time.Hour, 400 * 24 * time.Hour} {
		stamp := func(p *livetest.Platform) func(*http.Response) {
			return func(res *http.Response) { res.Header.Set("Date", p.Now().Add(by).UTC().Format(http.TimeFormat)) }
		}
		for name, jump := range map[string]func(p *livetest.Platform, w *wire, local *time.Duration){
			"local clock": func(_ *livetest.Platform, _ *wire, local *time.Duration) { *local += by },
			"Date of a result": func(p *livetest.Platform, w *wire, _ *time.Duration) {
				w.fail(livetest.LiveResult, fault{change: stamp(p)})
			},
			"Date of a SIGN ticket": func(p *livetest.Platform, w *wire, _ *time.Duration) {
				w.fail(livetest.SignTicket, fault{change: stamp(p)})
			},
		} {
			t.Run(fmt.Sprint(name, " by ", by), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := livetest.New()
					w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
					var local time.Duration
					c := clienttest.NewMemoryClient(t, p, clienttest.WithClock(w, func() time.Time { return time.Now().Add(local) }))
					p.AddResult(clienttest.Order, livetest.Passing())
					for minute := range 300 {
						if minute == 100 {
							jump(p, w, &local)
						}
						_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
						require.NoError(t, err, "minute %d", minute)
						_, err = c.Credential(t.Context())
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
			t.Run(fmt.Sprint(at, " by ", by), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := livetest.New()
					w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
					c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: w}))
					p.AddResult(clienttest.Order, livetest.Passing())
					w.fail(at, fault{change: func(res *http.Response) {
						res.Header.Set("Date", p.Now().Add(by).UTC().Format(http.TimeFormat))
					}})
					for i := range 60 {
						_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("order", i), fmt.Sprint("user", i)))
						require.NoError(t, err)
						_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
						require.NoError(t, err)
						time.Sleep(time.Second)
					}
					assert.LessOrEqual(t, len(p.Mints()), 5, "in a minute")
				})
			})
		}
	}
}

func TestBuildLiveLoginURL_AnUnknownRefusalOfATicketIsNobodysVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		for _, e := range []livetest.Endpoint{livetest.NonceTicket, livetest.SignTicket, livetest.AccessToken} {
			for _, code := range []string{"123456789", "-5013", "66660011"} {
				p.Fail(e, livetest.Fault{Code: code}, 1)
				c := clienttest.NewMemoryClient(t, p)
				_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
				clienttest.RequireClass(t, err, webanklive.ErrAccount)
				require.ErrorContains(t, err, code)
				time.Sleep(5 * time.Second)
			}
		}
	})
}

func TestClock_ThatAgreesWithTheDateOfAReplyStaysAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(900 * time.Millisecond) // the Date of a reply has whole seconds
		minted := time.Now()
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		got, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.Equal(t, minted.Add(59*time.Minute).UTC(), got.ExpiresAt)
	})
}

// dyingSource hands out credentials that live for ten seconds.
type dyingSource struct {
	webanklive.CredentialSource
	asked int
}

func (s *dyingSource) Credential(context.Context) (webanklive.Credential, error) {
	s.asked++
	return webanklive.Credential{
		AccessToken: fmt.Sprint("token", s.asked), SignTicket: "ticket", ExpiresAt: time.Now().Add(10 * time.Second),
	}, nil
}

func (s *dyingSource) Invalidate(context.Context, webanklive.Credential) {}

func TestCredentialSource_ItsCredentialIsNotUsedPastItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, source := livetest.New(), &dyingSource{}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialSource(source))
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "order1"}) // tells the platform's time
		require.Error(t, err)
		before, err := c.Credential(t.Context())
		require.NoError(t, err)
		time.Sleep(11 * time.Second)
		after, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, before.AccessToken, after.AccessToken)
	})
}

func TestCall_WhoseSecondCredentialIsRefusedTooFailsAndTheNextOneWorks(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult(clienttest.Order, livetest.Passing())
	store := webanklive.WithCredentialStore(webanklive.NewMemoryStore())
	result := webanklive.LiveResultRequest{OrderNo: clienttest.Order}
	other := clienttest.NewClient(t, srv, store)
	requests := 0
	c := clienttest.NewClient(t, srv, store, webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Has("order_no") {
			if requests++; requests == 1 { // while it is under way its credential dies, and the one that replaced it
				srv.Rotate()
				srv.Advance(61 * time.Second)
				_, err := other.GetLiveResult(t.Context(), result)
				assert.NoError(t, err)
				srv.Rotate()
				srv.Advance(61 * time.Second)
			}
		}
		return http.DefaultTransport.RoundTrip(req)
	})}))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), result)
	clienttest.RequireClass(t, err, webanklive.ErrCredential)
	assert.Equal(t, 2, requests)
	for range 3 {
		_, err = c.GetLiveResult(t.Context(), result)
		require.NoError(t, err)
	}
	assert.Len(t, srv.Mints(), 3, "no more than there had to be")
}
