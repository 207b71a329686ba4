//go:build go1.25

package conformance_test

// Processes that share a credential mint once between them: for a week, from a cold start, on two keys, and when another
// version of the library writes to their store.

import (
	"context"
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
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

// newFleet returns clients for p, as many as n for each of so many stores.
func newFleet(t *testing.T, p *livetest.Platform, stores, n int) (clients []*webanklive.Client) {
	t.Helper()
	for range stores {
		store := webanklive.NewMemoryStore()
		for range n {
			clients = append(clients, clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)))
		}
	}
	return clients
}

// A token service makes no call but Credential, and a process that only verifies callbacks makes none at all that the
// platform answers: both must refresh and expire by themselves. They are restarted every few hours.
func TestFleet_OfProcessesThatHearNothingWorksForAWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.WithCredentialStore(webanklive.NewMemoryStore())
		var central, verifier, replica *webanklive.Client
		began := time.Now()
		for i := range 7 * 24 * 60 * 2 {
			if i%(5*60*2) == 0 {
				central, verifier = clienttest.NewMemoryClient(t, p, store), clienttest.NewMemoryClient(t, p, store)
				replica = clienttest.NewMemoryClient(t, p, webanklive.WithCredentialSource(central))
			}
			cred, err := central.Credential(t.Context())
			require.NoError(t, err)
			require.True(t, time.Now().Before(cred.ExpiresAt), "after %v", time.Since(began))
			_, err = verifier.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", ""), clienttest.Order)
			require.NoError(t, err, "after %v", time.Since(began))
			if i%10 == 0 {
				require.NoError(t, launch(t.Context(), replica, i), "after %v", time.Since(began))
			}
			time.Sleep(30 * time.Second)
		}
		assert.InDelta(t, 7*72, len(p.Mints()), 7*8)
	})
}

// No other call of this process mints for it.
func TestVerifyCallback_AloneKeepsItsCredentialFreshAndForgetsAnExpiredTicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		clienttest.Credential(t, c)
		query := p.CallbackQuery(clienttest.Order, "0", "90")
		for range 3 * 60 {
			_, _ = c.VerifyCallback(t.Context(), query, clienttest.Order)
			time.Sleep(time.Minute)
		}
		_, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
		require.ErrorIs(t, err, webanklive.ErrBadCallback)
		assert.InDelta(t, 9, len(p.Mints()), 1)
	})
}

func TestColdStart_OfAThousandIsServedAsSoonAsOneHasMinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, shared := livetest.New(), clienttest.NewFickleStore()
		shared.Latency = 50 * time.Millisecond
		var minted, last time.Time
		var mu sync.Mutex
		slow := over(func(req *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second) // so that everybody waits
			res, err := p.Transport().RoundTrip(req)
			if endpointOf(req.URL.Query()) == livetest.SignTicket {
				minted = time.Now()
			}
			return res, err
		})
		var all sync.WaitGroup
		for range 1000 {
			c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(shared), slow)
			for range 10 {
				all.Go(func() {
					_, err := c.Credential(t.Context())
					assert.NoError(t, err)
					mu.Lock()
					defer mu.Unlock()
					last = time.Now()
				})
			}
		}
		all.Wait()
		assert.Len(t, p.Mints(), 1)
		assert.Equal(t, 1, p.Calls(livetest.SignTicket))
		assert.LessOrEqual(t, last.Sub(minted), 5*time.Second)
		assert.LessOrEqual(t, shared.Loads.Load()+shared.Updates.Load(), int32(2*1000), "store operations")
	})
}

// newerStore holds what a newer version of the library has written.
type newerStore struct{ webanklive.CredentialStore }

func (newerStore) Load(context.Context, string) ([]byte, error) { return []byte(`{"version":2}`), nil }

func (s newerStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	current, _ := s.Load(ctx, key)
	next, _, err := fn(ctx, current)
	return next, err
}

func TestCredential_OfANewerVersionIsLeftAloneAndSaidSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, store := livetest.New(), clienttest.NewFickleStore()
		var log logtest.Log
		old := newWarm(t, p, webanklive.WithCredentialStore(store), logging(&log))
		store.CredentialStore = newerStore{}
		failed := 0
		for minute := range 90 { // as long as what the old one holds lives, its calls go on
			if err := launch(t.Context(), old, minute); err != nil {
				failed++
				clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
				require.ErrorContains(t, err, "written by a newer version of this library")
			}
			time.Sleep(time.Minute)
		}
		assert.Len(t, p.Mints(), 1, "never a mint over the newer one's")
		assert.Equal(t, 31, failed, "from the end of its own credential on")
		assert.Contains(t, log.String(), "written by a newer version")
		assert.Contains(t, log.String(), `"calls_go_on_until":"2000-01-01T00:59:00Z"`)
	})
}

// Two halves of a fleet whose keys differ refresh for themselves and end each other's credential again and again.
func TestFleet_OnTwoKeysMintsOnceAMinuteAtMostAndFailsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		clients := newFleet(t, p, 2, 5)
		for i := range 2 * 60 * 6 {
			require.NoError(t, launch(t.Context(), clients[i%10], i))
			time.Sleep(10 * time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 2*60)
	})
}

// Whoever refuses everything, for whatever reason, makes each process mint once a minute, and the fleet, too.
func TestFleet_ThatIsAlwaysRefusedMintsOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.Fail(livetest.LiveResult, livetest.Fault{Code: "400101"}, -1)
		clients := newFleet(t, p, 1, 10)
		for i := range 600 {
			clienttest.RequireClass(t, askResult(t.Context(), clients[i%10]), webanklive.ErrCredential)
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 1+10+1)
	})
}

func TestWithLogger_SaysUntilWhenCallsGoOnAndWhenAllIsWellAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, store := livetest.New(), clienttest.NewFickleStore()
		var log logtest.Log
		c := newWarm(t, p, webanklive.WithCredentialStore(store), logging(&log))
		useAfter := func(pause time.Duration) {
			time.Sleep(pause)
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
		}
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		useAfter(23 * time.Minute)
		assert.Regexp(t, `"level":"ERROR","msg":"webanklive: the credential could not be refreshed.*"code":"400103".*"calls_go_on_until":"2000-01-01T00:59:00Z","again_in":"[0-9]+s"`, log.String())
		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		useAfter(75 * time.Second)
		assert.Contains(t, log.String(), `"msg":"webanklive: the credential is kept up to date again"`)
		store.Hook = func(string, int32) { panic("down") }
		useAfter(30 * time.Second)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		assert.Regexp(t, `"level":"WARN".*it panicked.*"calls_go_on_until":`, lines[len(lines)-1])
	})
}
