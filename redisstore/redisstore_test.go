//go:build unix

package redisstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
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
	fleettest.Main(fleetStore)
	if addr := os.Getenv("REDISSTORE_TEST_HOLDER"); addr != "" {
		holdUntilKilled(addr)
	}
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

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		var servers sync.Map // of each store
		storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
			srv := startServer(t)
			s := redisstore.New(srv.client(), redisstore.WithLease(2*time.Second))
			servers.Store(s, srv)
			return s
		},
			storetest.WithSecondHandle(func(_ *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
				srv, _ := servers.Load(s)
				return redisstore.New(srv.(*server).client(), redisstore.WithLease(2*time.Second))
			}),
			storetest.WithLease(2*time.Second),
			storetest.WithLockBreaker(func(t *testing.T, s webanklive.CredentialStore, key string) {
				srv, _ := servers.Load(s)
				assert.NoError(t, srv.(*server).client().Del(context.Background(), "webanklive:{"+key+"}:lock").Err())
			}),
			storetest.WithOutage(func(_ *testing.T, s webanklive.CredentialStore) {
				srv, _ := servers.Load(s)
				srv.(*server).Kill()
			}))
	})
	t.Run("password and encryption", func(t *testing.T) {
		t.Parallel()
		srv := startServer(t, "--requirepass", "open sesame")
		shared(t, func() redis.UniversalClient {
			return srv.client(func(o *redis.Options) { o.Password = "open sesame" })
		}, redisstore.WithEncryption(newAEAD(t, 1)))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		_, rdb := startCluster(t)
		shared(t, func() redis.UniversalClient { return rdb })
	})
}

// shared runs the suite on one Redis.
func shared(t *testing.T, rdb func() redis.UniversalClient, opts ...redisstore.Option) {
	t.Helper()
	opts = append(opts, redisstore.WithLease(2*time.Second))
	direct := rdb()
	storetest.Run(t, func(*testing.T) webanklive.CredentialStore { return redisstore.New(rdb(), opts...) },
		storetest.WithLease(2*time.Second),
		storetest.WithSecondHandle(func(*testing.T, webanklive.CredentialStore) webanklive.CredentialStore {
			return redisstore.New(rdb(), opts...)
		}),
		storetest.WithLockBreaker(func(t *testing.T, _ webanklive.CredentialStore, key string) {
			assert.NoError(t, direct.Del(context.Background(), "webanklive:{"+key+"}:lock").Err())
		}))
}

func TestClusterRefusesScriptsAcrossSlots(t *testing.T) {
	t.Parallel()
	srv, rdb := startCluster(t)
	err := srv.client().Eval(context.Background(), "return 1", []string{"a", "b"}).Err()
	require.ErrorContains(t, err, "CROSSSLOT", "the cluster of these tests proves nothing")

	for _, prefix := range []string{"webanklive", "", "{", "}{", "a{b", "{}", "a{b}c"} {
		for _, key := range []string{key, "", "{", "}", "{}", "}a{", "a%b"} {
			s := redisstore.New(rdb, redisstore.WithPrefix(prefix))
			_, err := s.Update(context.Background(), key, put(prefix+key+"!", 0))
			require.NoError(t, err, "prefix %q, key %q", prefix, key)
		}
	}
	for _, prefix := range []string{"webanklive", "", "{", "}{", "a{b", "{}", "a{b}c"} {
		for _, key := range []string{key, "", "{", "}", "{}", "}a{", "a%b"} {
			value, err := redisstore.New(rdb, redisstore.WithPrefix(prefix)).Load(context.Background(), key)
			require.NoError(t, err, "prefix %q, key %q", prefix, key)
			require.Equal(t, prefix+key+"!", string(value))
		}
	}
}

func TestValueAndLockAreWhereOperatorsLook(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	s := redisstore.New(rdb)
	_, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		left, err := rdb.PTTL(ctx, lockKey).Result()
		assert.NoError(t, err)
		assert.Greater(t, left, 10*time.Second, "the default lease is 15 s")
		assert.LessOrEqual(t, left, 15*time.Second)
		return []byte(secret), time.Hour, nil
	})
	require.NoError(t, err)
	assert.Zero(t, rdb.Exists(ctx, lockKey).Val())
	assert.Equal(t, secret, rdb.Get(ctx, valueKey).Val())
	assert.InDelta(t, time.Hour, rdb.PTTL(ctx, valueKey).Val(), float64(time.Minute))

	_, err = redisstore.New(rdb, redisstore.WithPrefix("other")).Load(ctx, key)
	assert.ErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestOddTTLs(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	s := redisstore.New(rdb)
	for ttl, want := range map[time.Duration]time.Duration{
		0:                                    -1, // none
		-time.Hour:                           -1,
		time.Hour + time.Nanosecond:          time.Hour,
		20*time.Minute - 7*time.Microsecond:  20 * time.Minute,
		100*365*24*time.Hour + 5*time.Second: 100 * 365 * 24 * time.Hour,
	} {
		_, err := s.Update(ctx, key, put("value", ttl))
		require.NoError(t, err, ttl)
		got := rdb.PTTL(ctx, valueKey).Val()
		if want < 0 {
			assert.Equal(t, want, got, ttl)
		} else {
			assert.InDelta(t, want, got, float64(time.Minute), ttl)
		}
	}
	_, err := s.Update(ctx, key, put("value", time.Nanosecond))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := s.Load(ctx, key)
		return errors.Is(err, webanklive.ErrNoCredential)
	}, soon, time.Millisecond)
}

func TestAnEmptyValueIsAValue(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	for name, opts := range map[string][]redisstore.Option{
		"plain":  {redisstore.WithPrefix("plain")},
		"sealed": {redisstore.WithPrefix("sealed"), redisstore.WithEncryption(newAEAD(t, 1))},
	} {
		s := redisstore.New(rdb, opts...)
		_, err := s.Update(context.Background(), key, put("", 0))
		require.NoError(t, err, name)
		value, err := s.Load(context.Background(), key)
		require.NoError(t, err, name)
		assert.Empty(t, value, name)
		_, err = s.Update(context.Background(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			assert.NotNil(t, current, name)
			return nil, 0, nil
		})
		require.NoError(t, err, name)
	}
}

func TestServerStoppedAndRestarted(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client())
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0))
	require.NoError(t, err)

	require.NoError(t, srv.client().Save(ctx).Err())
	srv.Kill()
	began := time.Now()
	_, err = s.Load(ctx, key)
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(ctx, key, fail(t, "fn ran without a lock"))
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
	assert.Less(t, time.Since(began), 15*time.Second)

	srv.Start() // with its dump
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "before", string(value))

	_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		srv.Kill()
		srv.Start()
		return []byte("without a lock"), 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	_, err = s.Update(ctx, key, put("after", 0))
	require.NoError(t, err)
}

// A server that accepts and says nothing is worse than one that is gone: a client waits for it.
func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client(func(o *redis.Options) { o.ReadTimeout = -1 })) // for ever
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0))
	require.NoError(t, err)

	srv.Pause()
	t.Run("a caller leaves when its context ends", func(t *testing.T) {
		for name, call := range map[string]func(ctx context.Context) error{
			"Load":   func(ctx context.Context) error { _, err := s.Load(ctx, key); return err },
			"Update": func(ctx context.Context) error { _, err := s.Update(ctx, key, put("x", 0)); return err },
		} {
			brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			began := time.Now()
			require.ErrorIs(t, call(brief), context.DeadlineExceeded, name)
			assert.Less(t, time.Since(began), 2*time.Second, name)
			cancel()
		}
	})
	t.Run("each command has a limit of its own", func(t *testing.T) {
		_, err := s.Load(ctx, key)
		require.ErrorContains(t, err, "no answer from Redis within 3s")
		require.NotErrorIs(t, err, webanklive.ErrNoCredential)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.Update(ctx, key, fail(t, "fn ran without a lock"))
		require.ErrorContains(t, err, "no answer from Redis within 3s")
	})
	srv.Resume()
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "before", string(value))
}

func TestPasswordMistakesAreErrors(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "--requirepass", "open sesame")
	for _, password := range []string{"", "MARKER-wrong-password"} {
		s := redisstore.New(srv.client(func(o *redis.Options) { o.Password = password }))
		_, err := s.Load(context.Background(), key)
		require.Error(t, err)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential)
		assert.NotContains(t, err.Error(), "MARKER")
		_, err = s.Update(context.Background(), key, fail(t, "fn ran without a lock"))
		require.Error(t, err)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential)
		assert.NotContains(t, err.Error(), "MARKER")
	}
}

func TestAForeignValueIsAnError(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	require.NoError(t, rdb.LPush(context.Background(), valueKey, "a list").Err())
	s := redisstore.New(rdb)
	_, err := s.Load(context.Background(), key)
	require.ErrorContains(t, err, "WRONGTYPE")
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(context.Background(), key, fail(t, "fn ran on a value that cannot be read"))
	require.ErrorContains(t, err, "WRONGTYPE")
	assert.Zero(t, rdb.Exists(context.Background(), lockKey).Val())
}

func TestAnUnknownCommandIsNotQuoted(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "--rename-command", "EVAL", "", "--rename-command", "GET", "")
	s := redisstore.New(srv.client())
	_, err := s.Update(context.Background(), key, put(secret, 0))
	require.ErrorContains(t, err, "unknown command")
	assert.NotContains(t, err.Error(), "args")
	_, err = s.Load(context.Background(), key)
	require.ErrorContains(t, err, "unknown command")
	assert.NotContains(t, err.Error(), "args")
}

// What MONITOR shows is what travels, and what an operator with too many rights sees.
func TestNoSecretInKeyNames(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	watch := func(s *redisstore.Store) string {
		seen, stop := monitor(t, srv)
		ctx := context.Background()
		_, err := s.Update(ctx, key, put(secret, time.Hour))
		require.NoError(t, err)
		_, err = s.Load(ctx, key)
		require.NoError(t, err)
		keys, err := rdb.Keys(ctx, "*").Result()
		require.NoError(t, err)
		assert.Equal(t, []string{valueKey}, keys)
		stop()
		return seen.String()
	}
	plain := watch(redisstore.New(rdb))
	require.Contains(t, plain, secret, "the watch does not see what is sent")
	for _, line := range strings.Split(plain, "\n") {
		if at := strings.Index(line, secret); at >= 0 {
			assert.Greater(t, at, strings.Index(line, valueKey), "the secret comes after the key, as its value: %s", line)
			assert.Equal(t, 1, strings.Count(line, secret))
		}
	}
	require.NoError(t, rdb.FlushAll(context.Background()).Err())
	assert.NotContains(t, watch(redisstore.New(rdb, redisstore.WithEncryption(newAEAD(t, 1)))), "MARKER")
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Password: "MARKER-password"})
	defer rdb.Close()
	require.Contains(t, fmt.Sprintf("%+v", *rdb.Options()), "MARKER-password", "the client does not hold the marker")
	s := redisstore.New(rdb, redisstore.WithPrefix("p"), redisstore.WithLease(7*time.Second))
	log := &logBuffer{}
	log.logger().Info("made", "store", s, "value", *s)
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

func TestNewPanicsOnProgrammingMistakes(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{})
	defer rdb.Close()
	assert.PanicsWithValue(t, "redisstore: the Redis client must not be nil", func() { redisstore.New(nil) })
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": "127.0.0.1:1"}})
	defer ring.Close()
	assert.PanicsWithValue(t, "redisstore: a *redis.Ring cannot keep the lock: two of its clients can choose two servers for a key",
		func() { redisstore.New(ring) })
	for want, opt := range map[string]func() redisstore.Option{
		"redisstore: the AEAD must not be nil":                    func() redisstore.Option { return redisstore.WithDecryption(newAEAD(t, 1), nil) },
		"redisstore: the AEAD must not be nil ":                   func() redisstore.Option { return redisstore.WithEncryption(nil) },
		"redisstore: the logger must not be nil":                  func() redisstore.Option { return redisstore.WithLogger(nil) },
		"redisstore: the lease must be at least 100 milliseconds": func() redisstore.Option { return redisstore.WithLease(99 * time.Millisecond) },
	} {
		assert.PanicsWithValue(t, strings.TrimSpace(want), func() { redisstore.New(rdb, opt()) })
	}
}
