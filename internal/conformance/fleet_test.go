//go:build go1.25

package conformance_test

// Processes that share a credential: for a week, from a cold start, through a roll-out.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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

// A token service makes no call but Credential, and a process that only verifies callbacks makes none at all that the
// platform answers: both must refresh and expire by themselves. They are restarted every few hours.
func TestFleet_OfProcessesThatHearNothingWorksForAWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.NewMemoryStore()
		restart := func() (central, verifier, replica *webanklive.Client) {
			central = clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store))
			return central, clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)),
				clienttest.NewMemoryClient(t, p, webanklive.WithCredentialSource(central))
		}
		central, verifier, replica := restart()
		began := time.Now()
		for i := range 7 * 24 * 60 * 2 {
			if i%(5*60*2) == 7 {
				central, verifier, replica = restart()
			}
			cred, err := central.Credential(t.Context())
			require.NoError(t, err)
			require.True(t, time.Now().Before(cred.ExpiresAt), "after %v", time.Since(began))
			_, err = verifier.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", ""), clienttest.Order)
			require.NoError(t, err, "after %v", time.Since(began))
			if i%10 == 0 {
				_, err = replica.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("o", i), fmt.Sprint("u", i)))
				require.NoError(t, err, "after %v", time.Since(began))
			}
			time.Sleep(30 * time.Second)
		}
		assert.InDelta(t, 7*72, len(p.Mints()), 7*8)
	})
}

func TestVerifyCallback_AloneForgetsATicketThatExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		query := p.CallbackQuery(clienttest.Order, "0", "90")
		for range 24 * 60 {
			_, _ = c.VerifyCallback(t.Context(), query, clienttest.Order)
			time.Sleep(time.Minute)
		}
		_, err = c.VerifyCallback(t.Context(), query, clienttest.Order)
		require.ErrorIs(t, err, webanklive.ErrBadCallback)
		assert.Greater(t, len(p.Mints()), 24)
	})
}

func TestColdStart_OfAThousandIsServedAsSoonAsOneHasMinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, shared := livetest.New(), clienttest.NewFickleStore()
		shared.Latency = 50 * time.Millisecond
		var minted, last time.Time
		var mu sync.Mutex
		wire := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second) // a slow platform, so that everybody waits
			res, err := p.Transport().RoundTrip(req)
			if req.URL.Query().Get("type") == "SIGN" {
				minted = time.Now()
			}
			return res, err
		})
		var all sync.WaitGroup
		for range 1000 {
			c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(shared), webanklive.WithHTTPClient(&http.Client{Transport: wire}))
			all.Go(func() {
				_, err := c.Credential(t.Context())
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				last = time.Now()
			})
		}
		all.Wait()
		assert.Len(t, p.Mints(), 1)
		assert.LessOrEqual(t, last.Sub(minted), 5*time.Second)
		assert.LessOrEqual(t, shared.Loads.Load()+shared.Updates.Load(), int32(2*1000), "store operations")
	})
}

// rewritten is a store whose bytes a newer version of the library has written.
func rewrite(t *testing.T, store webanklive.CredentialStore, key string, change func(record map[string]any)) {
	t.Helper()
	_, err := store.Update(t.Context(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		var record map[string]any
		require.NoError(t, json.Unmarshal(current, &record))
		change(record)
		next, err := json.Marshal(record)
		return next, 0, err
	})
	require.NoError(t, err)
}

// keyed remembers the key that a client uses.
type keyed struct {
	webanklive.CredentialStore
	keys map[string]bool
}

func (k keyed) Load(ctx context.Context, key string) ([]byte, error) {
	k.keys[key] = true
	return k.CredentialStore.Load(ctx, key)
}

func TestCredential_OfANewerVersionIsLeftAloneAndSaidSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := keyed{webanklive.NewMemoryStore(), map[string]bool{}}
		var log bytes.Buffer
		old := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store), webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		_, err := old.Credential(t.Context())
		require.NoError(t, err)
		for key := range store.keys {
			rewrite(t, store.CredentialStore, key, func(record map[string]any) { record["version"] = 2 })
		}
		calls, failed := 0, 0
		for range 90 { // minutes: as long as what the old one holds lives, its calls go on
			calls++
			if _, err := old.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("o", calls), fmt.Sprint("u", calls))); err != nil {
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
		cold := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store))
		_, err = cold.Credential(t.Context())
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
	})
}

func TestStoreKey_IsTheSameHoweverAHostIsSpelt(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	store := keyed{webanklive.NewMemoryStore(), map[string]bool{}}
	for _, api := range []string{
		"https://api.livetest.invalid/x", "https://API.Livetest.invalid/x/", "https://api.livetest.invalid./x", "https://api.livetest.invalid:443/x",
	} {
		c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithBaseURLs(api, "https://h5.livetest.invalid"),
			webanklive.WithCredentialStore(store), webanklive.WithMaxRetries(0),
			webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed })}))
		require.NoError(t, err)
		_, _ = c.Credential(t.Context())
	}
	assert.Len(t, store.keys, 1)
}

// Two halves of a fleet whose keys differ refresh for themselves and end each other's credential again and again.
func TestFleet_OnTwoKeysMintsOnceAMinuteAtMostAndFailsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		var clients []*webanklive.Client
		for range 2 {
			store := webanklive.NewMemoryStore()
			for range 5 {
				clients = append(clients, clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)))
			}
		}
		for i := range 2 * 60 * 6 {
			_, err := clients[i%10].BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("o", i), fmt.Sprint("u", i)))
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 2*60)
	})
}

func TestLog_SaysUntilWhenCallsGoOnAndWhenAllIsWellAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, store := livetest.New(), clienttest.NewFickleStore()
		var log clienttest.LockedBuffer
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store), webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		use := func() {
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
		}
		use()
		time.Sleep(23 * time.Minute)
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		use()
		assert.Regexp(t, `"level":"ERROR","msg":"webanklive: the credential could not be refreshed.*"code":"400103".*"calls_go_on_until":"2000-01-01T00:59:00Z","again_in":"[0-9]+s"`, log.String())
		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		time.Sleep(75 * time.Second)
		use()
		assert.Contains(t, log.String(), `"msg":"webanklive: the credential is kept up to date again"`)
		store.Hook = func(string, int32) { panic("down") }
		time.Sleep(30 * time.Second)
		use()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		assert.Regexp(t, `"level":"WARN".*it panicked.*"calls_go_on_until":`, lines[len(lines)-1])
	})
}

// Whoever refuses everything, for whatever reason, makes each process mint once a minute, and the fleet, too.
func TestFleet_ThatIsAlwaysRefusedMintsOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.NewMemoryStore()
		p.Fail(livetest.LiveResult, livetest.Fault{Code: "400101"}, -1)
		var clients []*webanklive.Client
		for range 10 {
			clients = append(clients, clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store)))
		}
		for i := range 600 {
			_, err := clients[i%10].GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			clienttest.RequireClass(t, err, webanklive.ErrCredential)
			time.Sleep(time.Second)
		}
		assert.LessOrEqual(t, len(p.Mints()), 1+10+1)
	})
}
