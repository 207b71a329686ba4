//go:build go1.25

package webanklive_test

// Minting when things go wrong in between, and on machines whose clocks are wrong.

import (
	"fmt"
	"io"
	"net/http"
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

func TestMint_AgeRunsFromBeforeItsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		began := time.Now()
		p.Fail(livetest.AccessToken, livetest.Fault{Delay: 4 * time.Second}, 1)
		p.Fail(livetest.SignTicket, livetest.Fault{Delay: 4 * time.Second}, 1)
		clienttest.Credential(t, c)
		assert.Equal(t, began.Add(59*time.Minute).UTC(), c.Status().ExpiresAt)
	})
}

func TestMint_WhoseSignTicketFailsIsNotRepeatedWhileTheOldCredentialLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		clienttest.Credential(t, c)
		time.Sleep(23 * time.Minute)
		p.Fail(livetest.SignTicket, livetest.Fault{Status: 503}, -1)
		for i := range 75 { // seconds: the platform works again before the old credential dies
			if i == 50 {
				p.Fail(livetest.SignTicket, livetest.Fault{}, 0)
			}
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("order", i), fmt.Sprint("user", i)))
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		assert.Len(t, p.Mints(), 3, "the first, the one that failed, and one more")
	})
}

func TestMint_AnOrderThatIsAlwaysRefusedDoesNotMintForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		p.Fail(livetest.LiveResult, livetest.Fault{Code: "400101"}, -1)
		for range 600 {
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			clienttest.RequireClass(t, err, webanklive.ErrCredential)
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 1+10, "one a minute")
	})
}

func TestMint_AnOrderThatIsRefusedSlowlyCostsOneACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.Fail(livetest.LiveResult, livetest.Fault{Code: "400101"}, -1)
		asked := 0
		slow := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Has("order_no") {
				if asked++; asked%5 != 0 {
					time.Sleep(9 * time.Second) // so that each credential is old when it is refused
					return nil, io.ErrUnexpectedEOF
				}
			}
			return p.Transport().RoundTrip(req)
		})
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(4), clienttest.WithTransport(slow))
		for range 10 {
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			clienttest.RequireClass(t, err, webanklive.ErrCredential)
		}
		assert.LessOrEqual(t, len(p.Mints()), 1+10)
	})
}

func TestCredentialSource_ManyCallsRefusedAtOnceWaitUntilItWasTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Passing())
		rotate := func() webanklive.Credential {
			token, sign := p.Rotate()
			return webanklive.Credential{AccessToken: token, SignTicket: sign}
		}
		central := &clienttest.Source{Held: rotate(), Latency: time.Second}
		slow := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // all are under way when the first is refused
			return p.Transport().RoundTrip(req)
		})
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialSource(central), clienttest.WithTransport(slow))
		clienttest.Credential(t, c)
		p.Revoke()
		next := rotate()
		central.Next = &next
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
				assert.NoError(t, err)
			})
		}
		calls.Wait()
		assert.Len(t, central.Invalidated, 1)
	})
}

func TestMint_WrongDatesCostOneAMinuteAtMostAndNoCall(t *testing.T) {
	t.Parallel()
	ahead, right := 2*time.Hour, time.Duration(0)
	for name, tc := range map[string]struct {
		first, then *time.Duration // how wrong the Date of replies is; nil: there is none
		off         time.Duration  // of one machine's clock
		mints       int            // in 20 minutes, with the first and one revocation
	}{
		"one Date two hours ahead":              {&ahead, &right, 0, 8},
		"no Date and clocks five minutes apart": {nil, nil, 5 * time.Minute, 5},
		"no Date and clocks an hour apart":      {nil, nil, -time.Hour, 22},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				store := webanklive.NewMemoryStore()
				by := tc.first
				wrongDates := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					res, err := p.Transport().RoundTrip(req)
					if err != nil {
						return nil, err
					}
					if res.Header.Del("Date"); by != nil {
						res.Header.Set("Date", time.Now().Add(*by).UTC().Format(http.TimeFormat))
					}
					return res, nil
				})
				newClient := func(off time.Duration) *webanklive.Client {
					return clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store),
						clienttest.WithClock(wrongDates, func() time.Time { return time.Now().Add(off) }))
				}
				clients := []*webanklive.Client{newClient(tc.off), newClient(0)}
				_, err := clients[0].Credential(t.Context())
				require.NoError(t, err)
				by = tc.then
				p.Revoke()
				for i := range 80 {
					_, err := clients[i%2].BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("order", i), fmt.Sprint("user", i)))
					require.NoError(t, err)
					time.Sleep(15 * time.Second)
				}
				assert.LessOrEqual(t, len(p.Mints()), tc.mints)
			})
		})
	}
}

func TestMint_ThePreviousTicketEndsBeforeTheCurrentOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		first := clienttest.Credential(t, c)
		underway := p.CallbackQuery(clienttest.Order, "0", "")
		time.Sleep(25 * time.Minute)
		for range 2 { // the refresh runs behind the first
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("o", time.Now().Unix()), "user"))
			require.NoError(t, err)
			synctest.Wait()
			time.Sleep(2 * time.Second)
		}
		require.Len(t, p.Mints(), 2)

		shared := clienttest.Credential(t, c)
		assert.Equal(t, first.SignTicket, shared.PreviousSignTicket)
		_, err := c.VerifyCallback(t.Context(), underway, clienttest.Order)
		require.NoError(t, err)

		time.Sleep(time.Until(first.ExpiresAt))
		p.Fail(livetest.AccessToken, livetest.Fault{Status: 503}, -1) // keep what is held
		shared = clienttest.Credential(t, c)
		assert.Empty(t, shared.PreviousSignTicket)
		_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
		require.ErrorIs(t, err, webanklive.ErrBadCallback)
		time.Sleep(time.Minute)
	})
}

func TestMint_TheLifeOfTheTokenLimitsTheCredential(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.SetLifetimes(10*time.Minute, 0, 0)
		cred, err := clienttest.NewMemoryClient(t, p).Credential(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(9*time.Minute), cred.ExpiresAt, time.Second)
		assert.WithinDuration(t, time.Now().Add(6*time.Minute), cred.RefreshAt, time.Second)
	})
}

func TestMint_ThatIgnoresItsContextGivesUpTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, release := livetest.New(), make(chan struct{})
		var requests atomic.Int32
		deaf := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			if requests.Add(1) == 1 {
				<-release
			}
			return p.Transport().RoundTrip(req)
		})
		c := clienttest.NewMemoryClient(t, p, clienttest.WithTransport(deaf))
		_, err := c.Credential(t.Context())
		require.ErrorIs(t, err, webanklive.ErrUnavailable)
		time.Sleep(5 * time.Second) // a failed fill is remembered as long
		held, err := c.Credential(t.Context())
		require.NoError(t, err, "another fill has the lock")

		close(release)
		synctest.Wait()
		late := clienttest.Credential(t, c)
		assert.Equal(t, held, late, "the late mint is dropped")
	})
}

func TestClock_IsFollowedAsSoonAsItIsHeard(t *testing.T) {
	t.Parallel()
	c, p := clienttest.NewInMemory(t)
	p.AddResult(clienttest.Order, livetest.Passing())
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)
	p.Advance(59*time.Minute + 30*time.Second) // half a minute before the tickets die
	_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order44", "user44"))
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	assert.Len(t, p.Mints(), 2, "the reply before told that the credential is past its limit")
	assert.Empty(t, p.Refusals())
}

// In a fleet the report that a credential was refused often comes after its replacement.
func TestInvalidate_OfTheFormerCredentialChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		former := clienttest.Credential(t, c)
		p.Revoke()
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		require.NoError(t, err)
		time.Sleep(2 * time.Minute) // a refusal would be a reason to mint again
		c.Invalidate(t.Context(), former)
		clienttest.Credential(t, c)
		assert.Len(t, p.Mints(), 2)
	})
}
