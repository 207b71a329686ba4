//go:build unix

package redisstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/redisstore"
	"github.com/webanklive/webanklive/storetest"
)

const (
	key    = "TIDA0001@idasc.example:443/x"
	secret = "MARKER-bearer-secret"

	// The names by which operators find the two in Redis.
	valueKey = "webanklive:{" + key + "}"
	lockKey  = valueKey + ":lock"

	// soon bounds every wait for what must happen.
	soon = 20 * time.Second
)

func TestMain(m *testing.M) {
	fleettest.Main(func(addr string) (webanklive.CredentialStore, error) {
		return redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithLease(fleetLease)), nil
	})
	if addr := os.Getenv("REDISSTORE_TEST_FIPS"); addr != "" {
		useUnderFIPS140(addr)
	}
	redis.SetLogger(silent{}) // servers are stopped on purpose
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = parallel.Value.Set("12") // tests that wait for servers, most of the time
	}
	os.Exit(m.Run())
}

func TestStore_KeepsEveryRule(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		var servers sync.Map // of each store
		of := func(s webanklive.CredentialStore) *server {
			srv, _ := servers.Load(s)
			return srv.(*server)
		}
		lease := redisstore.WithLease(fleetLease)
		storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
			srv := startServer(t)
			s := redisstore.New(srv.client(), lease)
			servers.Store(s, srv)
			return s
		}, append(suite(func(s webanklive.CredentialStore) redis.UniversalClient { return of(s).client() }, lease),
			storetest.WithOutage(func(_ *testing.T, s webanklive.CredentialStore) { of(s).Kill() }))...)
	})
	password := startServer(t, "--requirepass", "open sesame")
	_, cluster := startCluster(t)
	for name, tc := range map[string]struct {
		connect func() redis.UniversalClient
		opts    []redisstore.Option
	}{
		"password and encryption": {func() redis.UniversalClient {
			return password.client(func(o *redis.Options) { o.Password = "open sesame" })
		}, []redisstore.Option{redisstore.WithEncryption(newAEAD(t, 1))}},
		"cluster": {func() redis.UniversalClient { return cluster }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := append(tc.opts, redisstore.WithLease(fleetLease))
			storetest.Run(t, func(*testing.T) webanklive.CredentialStore { return redisstore.New(tc.connect(), opts...) },
				suite(func(webanklive.CredentialStore) redis.UniversalClient { return tc.connect() }, opts...)...)
		})
	}
}

// suite returns the suite's options for stores with these of their own.
func suite(connect func(webanklive.CredentialStore) redis.UniversalClient, opts ...redisstore.Option) []storetest.Option {
	return []storetest.Option{
		storetest.WithLease(fleetLease),
		storetest.WithSecondHandle(func(_ *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
			return redisstore.New(connect(s), opts...)
		}),
		storetest.WithLockBreaker(func(t *testing.T, s webanklive.CredentialStore, key string) {
			drop(t, connect(s), "webanklive:{"+key+"}:lock")
		}),
	}
}

func TestStore_TwentyClientsInFourProcessesMintOnce(t *testing.T) {
	t.Parallel()
	fleettest.Clients(t, startServer(t).Addr(), 4, 5)
}

func TestStore_WhenTheMintingProcessIsKilledAnotherMintsWithinTheLease(t *testing.T) {
	t.Parallel()
	fleettest.KilledMint(t, startServer(t).Addr(), fleetLease+3*time.Second)
}

func TestNew_PanicsOnProgrammingMistakes(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{})
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": "127.0.0.1:1"}})
	t.Cleanup(func() { _, _ = rdb.Close(), ring.Close() })
	for _, tc := range []struct {
		want string
		make func()
	}{
		{"the Redis client must not be nil", func() { redisstore.New(nil) }},
		{"a *redis.Ring cannot keep the lock: two of its clients can choose two servers for a key", func() { redisstore.New(ring) }},
		{"the AEAD must not be nil", func() { redisstore.New(rdb, redisstore.WithDecryption(newAEAD(t, 1), nil)) }},
		{"the AEAD must not be nil", func() { redisstore.New(rdb, redisstore.WithEncryption(nil)) }},
		{"the logger must not be nil", func() { redisstore.New(rdb, redisstore.WithLogger(nil)) }},
		{"the lease must be at least 100 milliseconds", func() { redisstore.New(rdb, redisstore.WithLease(99*time.Millisecond)) }},
	} {
		assert.PanicsWithValue(t, "redisstore: "+tc.want, tc.make)
	}
}

func TestWithPrefix_KeepsBothKeysOfACredentialInOneSlot(t *testing.T) {
	t.Parallel()
	srv, rdb := startCluster(t)
	err := srv.client().Eval(t.Context(), "return 1", []string{"a", "b"}).Err()
	require.ErrorContains(t, err, "CROSSSLOT", "the cluster of these tests proves nothing")

	each := func(do func(s *redisstore.Store, key, value string)) {
		for _, prefix := range []string{"webanklive", "", "{", "}{", "a{b", "{}", "a{b}c"} {
			for _, key := range []string{key, "", "{", "}", "{}", "}a{", "a%b"} {
				do(redisstore.New(rdb, redisstore.WithPrefix(prefix)), key, prefix+key+"!")
			}
		}
	}
	each(func(s *redisstore.Store, key, value string) { fleettest.Store(t, s, key, value) })
	each(func(s *redisstore.Store, key, value string) { fleettest.WantValue(t, s, key, value) })
}

func TestStore_ValueAndLockAreWhereOperatorsLook(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	_, err := redisstore.New(rdb).Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		left := rdb.PTTL(ctx, lockKey).Val()
		assert.Greater(t, left, 10*time.Second, "the default lease is 15 s")
		assert.LessOrEqual(t, left, 15*time.Second)
		return []byte(secret), time.Hour, nil
	})
	require.NoError(t, err)
	assert.Zero(t, rdb.Exists(t.Context(), lockKey).Val())
	assert.Equal(t, secret, rdb.Get(t.Context(), valueKey).Val())
	assert.InDelta(t, time.Hour, rdb.PTTL(t.Context(), valueKey).Val(), float64(time.Minute))
	_, err = redisstore.New(rdb, redisstore.WithPrefix("other")).Load(t.Context(), key)
	assert.ErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestUpdate_KeepsOddTTLs(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	s := redisstore.New(rdb)
	for ttl, want := range map[time.Duration]time.Duration{
		0:                                    -1, // none
		-time.Hour:                           -1,
		time.Hour + time.Nanosecond:          time.Hour,
		20*time.Minute - 7*time.Microsecond:  20 * time.Minute,
		100*365*24*time.Hour + 5*time.Second: 100 * 365 * 24 * time.Hour,
	} {
		_, err := s.Update(t.Context(), key, fleettest.Put("value", ttl))
		require.NoError(t, err, ttl)
		got := rdb.PTTL(t.Context(), valueKey).Val()
		assert.InDelta(t, want, got, float64(time.Minute), ttl)
		assert.Equal(t, want < 0, got < 0, ttl)
	}
	_, err := s.Update(t.Context(), key, fleettest.Put("value", time.Nanosecond))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := s.Load(t.Context(), key)
		return errors.Is(err, webanklive.ErrNoCredential)
	}, soon, time.Millisecond)
}

func TestStore_NoErrorOfRedisIsAbsence(t *testing.T) {
	t.Parallel()
	const wrong = "MARKER-wrong-password"
	for name, tc := range map[string]struct {
		args     []string
		password string
		spoil    func(ctx context.Context, rdb *redis.Client) error
		text     string
	}{
		"no password":        {[]string{"--requirepass", "open sesame"}, "", nil, "NOAUTH"},
		"a wrong password":   {[]string{"--requirepass", "open sesame"}, wrong, nil, "WRONGPASS"},
		"a foreign value":    {nil, "", func(ctx context.Context, rdb *redis.Client) error { return rdb.LPush(ctx, valueKey, secret).Err() }, "WRONGTYPE"},
		"an unknown command": {[]string{"--rename-command", "EVAL", "", "--rename-command", "GET", ""}, "", nil, "unknown command"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, tc.args...)
			rdb := srv.client(func(o *redis.Options) { o.Password = tc.password })
			if tc.spoil != nil {
				require.NoError(t, tc.spoil(t.Context(), rdb))
			}
			err := fleettest.WantRefusal(t, redisstore.New(rdb), key, tc.text)
			assert.NotContains(t, err.Error(), "args", "what a server quotes of a command may hold the value")
			assert.Zero(t, rdb.Exists(t.Context(), lockKey).Val())
		})
	}
}

// A server that accepts and says nothing is worse than one that is gone: a client waits for it.
func TestStore_ACallerLeavesAServerThatHangsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client(forEver))
	fleettest.Store(t, s, key, "before")
	srv.Pause()
	for name, call := range map[string]func(ctx context.Context) error{
		"Load": func(ctx context.Context) error { _, err := s.Load(ctx, key); return err },
		"Update": func(ctx context.Context) error {
			_, err := s.Update(ctx, key, fleettest.Refuse(t, "fn ran without a lock"))
			return err
		},
	} {
		brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		require.ErrorIs(t, call(brief), context.DeadlineExceeded, name)
		assert.Less(t, time.Since(began), 2*time.Second, name)
		cancel()
	}
	srv.Resume()
	fleettest.WantValue(t, s, key, "before")
}

// forEver makes a client wait for a reply.
func forEver(o *redis.Options) { o.ReadTimeout = -1 }

func TestStore_AHookThatPanicsOrEndsItsGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	for want, do := range map[string]func(){"panicked": func() { panic("MARKER") }, "ended its goroutine": runtime.Goexit} {
		rdb := newClient(t, "", func(o *redis.Options) {
			o.Dialer = func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
		})
		rdb.AddHook(hook(func(context.Context, redis.Cmder, redis.ProcessHook) error { do(); return nil }))
		fleettest.WantRefusal(t, redisstore.New(rdb), key, want)
	}
}

func TestStore_PrintsNoSecret(t *testing.T) {
	t.Parallel()
	rdb := newClient(t, "127.0.0.1:1", func(o *redis.Options) { o.Password = "MARKER-password" })
	require.Contains(t, fmt.Sprintf("%+v", *rdb.Options()), "MARKER-password", "the client does not hold the marker")
	s := redisstore.New(rdb, redisstore.WithPrefix("p"), redisstore.WithLease(7*time.Second))
	log := &logtest.Log{}
	log.Logger().Info("made", "store", s, "value", *s)
	type around struct {
		Store  *redisstore.Store
		hidden redisstore.Store
	}
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *s))
		assert.NotContains(t, fmt.Sprintf(verb, around{s, *s}), "MARKER")
	}
	for _, text := range texts {
		assert.NotContains(t, text, "MARKER")
		assert.Contains(t, text, "redisstore.Store{Prefix:")
	}
}
