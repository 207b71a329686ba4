//go:build unix

package redisstore_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // to see that it is not used
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		var servers sync.Map // of each store
		storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
			srv := startServer(t)
			s := redisstore.New(srv.client(), redisstore.WithLease(time.Second))
			servers.Store(s, srv)
			return s
		},
			storetest.WithSecondHandle(func(_ *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
				srv, _ := servers.Load(s)
				return redisstore.New(srv.(*server).client(), redisstore.WithLease(time.Second))
			}),
			storetest.WithLease(time.Second),
			storetest.WithLockBreaker(func(t *testing.T, s webanklive.CredentialStore, key string) {
				srv, _ := servers.Load(s)
				assert.NoError(t, srv.(*server).client().Del(context.Background(), "webanklive:{"+key+"}:lock").Err())
			}),
			storetest.WithOutage(func(_ *testing.T, s webanklive.CredentialStore) {
				srv, _ := servers.Load(s)
				srv.(*server).stop()
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
	opts = append(opts, redisstore.WithLease(time.Second))
	direct := rdb()
	storetest.Run(t, func(*testing.T) webanklive.CredentialStore { return redisstore.New(rdb(), opts...) },
		storetest.WithLease(time.Second),
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

func TestLeaseIsExtendedWhileFnRuns(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	const lease = time.Second
	s := redisstore.New(srv.client(), redisstore.WithLease(lease))
	began := time.Now()
	_, err := s.Update(context.Background(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		for time.Since(began) < 4*lease {
			waitCtx, cancel := context.WithTimeout(ctx, lease/2)
			_, err := redisstore.New(srv.client()).Update(waitCtx, key, fail(t, "the lock was free while fn ran"))
			cancel()
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		}
		return []byte("value"), 0, ctx.Err()
	})
	require.NoError(t, err)
}

func TestLeaseIsNotExtendedForACallerThatLeft(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client(), redisstore.WithLease(300*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		cancel()
		_, err := redisstore.New(srv.client()).Update(context.Background(), key, put("other", 0)) // as soon as the lease is over
		assert.NoError(t, err)
		return []byte("late"), 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	assert.Equal(t, "other", srv.client().Get(context.Background(), valueKey).Val())
}

func TestAValueMintedAfterItsCallerLeftIsStored(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client())
	ctx, cancel := context.WithCancel(context.Background())
	value, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		cancel()
		return []byte("minted"), 0, nil
	})
	require.NoError(t, err)
	assert.Equal(t, "minted", string(value))
	assert.Equal(t, "minted", srv.client().Get(context.Background(), valueKey).Val())
	assert.Zero(t, srv.client().Exists(context.Background(), lockKey).Val())
}

func TestAnotherHoldersLockIsNotTouched(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	log := &logBuffer{}
	s := redisstore.New(rdb, redisstore.WithLease(300*time.Millisecond), redisstore.WithLogger(log.logger()))
	ctx := context.Background()
	for name, next := range map[string][]byte{"with a value": []byte("mine"), "without": nil} {
		require.NoError(t, rdb.Set(ctx, valueKey, "theirs", 0).Err())
		_, err := s.Update(ctx, key, func(fnCtx context.Context, _ []byte) ([]byte, time.Duration, error) {
			assert.NoError(t, rdb.Set(ctx, lockKey, "their token", time.Hour).Err())
			select {
			case <-fnCtx.Done():
				assert.ErrorIs(t, context.Cause(fnCtx), redisstore.ErrLockLost)
			case <-time.After(soon):
				assert.Fail(t, "fn's context goes on")
			}
			return next, 0, nil
		})
		require.ErrorIs(t, err, redisstore.ErrLockLost, name)
		assert.NotErrorIs(t, err, context.Canceled, name)
		assert.Equal(t, "theirs", rdb.Get(ctx, valueKey).Val(), name)
		assert.Equal(t, "their token", rdb.Get(ctx, lockKey).Val(), name)
		assert.Greater(t, rdb.PTTL(ctx, lockKey).Val(), 30*time.Minute, name)
		require.NoError(t, rdb.Del(ctx, lockKey).Err())
	}
	assert.Contains(t, log.String(), "lost the lock")

	errFn := errors.New("fn failed")
	_, err := s.Update(ctx, key, func(fnCtx context.Context, _ []byte) ([]byte, time.Duration, error) {
		assert.NoError(t, rdb.Set(ctx, lockKey, "their token", time.Hour).Err())
		<-fnCtx.Done()
		return nil, 0, errFn
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	require.ErrorIs(t, err, errFn)
}

func TestALeaseThatCannotBeExtendedIsLost(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	const lease = time.Second
	s := redisstore.New(rdb, redisstore.WithLease(lease))
	began := time.Now()
	_, err := s.Update(context.Background(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		srv.pause()
		select {
		case <-ctx.Done():
			assert.Less(t, time.Since(began), lease+5*time.Second)
			assert.ErrorIs(t, context.Cause(ctx), redisstore.ErrLockLost)
		case <-time.After(soon):
			assert.Fail(t, "fn's context goes on")
		}
		srv.resume()
		return []byte("late"), 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	assert.Zero(t, rdb.Exists(context.Background(), valueKey).Val())
}

func TestFlushWhileLocked(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	s := redisstore.New(rdb)
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0))
	require.NoError(t, err)
	_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.NoError(t, rdb.FlushAll(ctx).Err())
		return []byte("without a lock"), 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	_, err = s.Load(ctx, key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(ctx, key, put("after", 0))
	require.NoError(t, err)
}

func TestScriptFlushWhileLocked(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	s := redisstore.New(rdb, redisstore.WithLease(time.Second))
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0)) // the scripts are loaded
	require.NoError(t, err)
	_, err = s.Update(ctx, key, func(fnCtx context.Context, _ []byte) ([]byte, time.Duration, error) {
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && fnCtx.Err() == nil; {
			assert.NoError(t, rdb.ScriptFlush(ctx).Err())
			time.Sleep(10 * time.Millisecond)
		}
		return []byte("after"), 0, fnCtx.Err()
	})
	require.NoError(t, err)
	assert.Equal(t, "after", rdb.Get(ctx, valueKey).Val())
}

func TestServerStoppedAndRestarted(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client())
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0))
	require.NoError(t, err)

	require.NoError(t, srv.client().Save(ctx).Err())
	srv.stop()
	began := time.Now()
	_, err = s.Load(ctx, key)
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(ctx, key, fail(t, "fn ran without a lock"))
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
	assert.Less(t, time.Since(began), 15*time.Second)

	srv.restart() // with its dump
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "before", string(value))

	_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		srv.stop()
		srv.restart()
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

	srv.pause()
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
	srv.resume()
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "before", string(value))
}

func TestALockThatCameTooLateIsReleased(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	hook := &evalHook{holdFirst: make(chan struct{})}
	rdb.AddHook(hook)
	brief, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := redisstore.New(rdb).Update(brief, key, fail(t, "fn ran after its caller had left"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	direct := srv.client()
	require.EqualValues(t, 1, direct.Exists(context.Background(), lockKey).Val(), "the lock was not even taken")

	close(hook.holdFirst)
	require.Eventually(t, func() bool {
		return direct.Exists(context.Background(), lockKey).Val() == 0
	}, 5*time.Second, 5*time.Millisecond) // less than a lease
}

func TestACommandThatTheClientRepeatsTakesTheLock(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	hook := &evalHook{twice: true}
	rdb.AddHook(hook)
	brief, cancel := context.WithTimeout(context.Background(), 5*time.Second) // less than a lease
	defer cancel()
	_, err := redisstore.New(rdb).Update(brief, key, put("value", 0))
	require.NoError(t, err)
	assert.Positive(t, hook.calls.Load())
}

func TestALostReplyLeavesNoLock(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	_, err := redisstore.New(rdb).Update(context.Background(), key, put("value", 0)) // the scripts are loaded
	require.NoError(t, err)
	rdb.AddHook(&evalHook{failFirst: errors.New("reply lost")})
	_, err = redisstore.New(rdb).Update(context.Background(), key, fail(t, "fn ran without a lock"))
	require.ErrorContains(t, err, "reply lost")
	assert.Zero(t, srv.client().Exists(context.Background(), lockKey).Val())
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

// A lock is taken by whoever works, not in turn by all who only want to read.
func TestWhoWaitsOnlyLooks(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	const waiting = 10
	stores := storesOn(1+waiting, func() *redis.Client { return srv.client() })
	seed(t, stores[0], nil)
	m := startMint(t, stores[0], stores[1:]...)
	before := commandStats(t, rdb)
	h := m.through(func() {}, time.Second)
	assert.Equal(t, oneMint, promise(h))
	after := commandStats(t, rdb)
	assert.Zero(t, after["pexpire"]-before["pexpire"])
	assert.Equal(t, 1, after["set"]-before["set"], "only the holder writes, and nobody takes the lock to read")
	assert.Equal(t, 1, after["del"]-before["del"], "only the holder unlocks")
	assert.LessOrEqual(t, after["eval"]-before["eval"], 2+waiting*6)
	assert.Equal(t, 0, after["evalsha"])
}

func TestAWaitOutlastsAnOutageThatIsShorterThanALease(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lease time.Duration
		fails bool
	}{"shorter": {10 * time.Second, false}, "longer": {500 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			require.NoError(t, srv.client().Set(context.Background(), lockKey, "another's", 0).Err())
			require.NoError(t, srv.client().Save(context.Background()).Err())
			s := redisstore.New(srv.client(), redisstore.WithLease(tc.lease))
			done := make(chan error, 1)
			go func() {
				_, err := s.Update(context.Background(), key, put("value", 0))
				done <- err
			}()
			time.Sleep(300 * time.Millisecond)
			srv.stop()
			if tc.fails {
				require.Error(t, receive(t, done, "it waits for a server that has gone"))
				return
			}
			time.Sleep(time.Second)
			srv.restart()
			require.NoError(t, srv.client().Del(context.Background(), lockKey).Err())
			require.NoError(t, receive(t, done, "it does not take the lock"))
		})
	}
}

// What has gone is no new value: whoever waits for the lock works.
func TestAValueThatGoesEndsNoWait(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	seed(t, redisstore.New(rdb), nil)
	m := startMint(t, redisstore.New(srv.client()))
	ran := make(chan bool, 1)
	done := make(chan error, 1)
	go func() {
		_, err := redisstore.New(srv.client()).Update(context.Background(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			ran <- current == nil
			return nil, 0, nil
		})
		done <- err
	}()
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, rdb.Del(context.Background(), valueKey).Err())
	time.Sleep(500 * time.Millisecond)
	require.Empty(t, done)
	require.NoError(t, rdb.Del(context.Background(), lockKey).Err())
	assert.True(t, receive(t, ran, "fn does not run"))
	require.NoError(t, receive(t, done, "Update does not return"))
	h := m.through(func() {}, 0)
	assert.Equal(t, "the holder's: ErrLockLost", h.note)
}

// A client that reads from replicas may get an older value there; a wait compares what the primary has.
func TestAWaitAsksThePrimary(t *testing.T) {
	t.Parallel()
	_, rdb := startCluster(t)
	reads := &commandNames{}
	rdb.OnNewNode(func(node *redis.Client) { node.AddHook(reads) })
	stores := storesOn(2, func() *redis.ClusterClient { return rdb }, redisstore.WithLease(time.Second))
	m := startMint(t, stores[0], stores[1])
	assert.Equal(t, oneMint, promise(m.through(func() {}, time.Second)))
	for _, name := range reads.all() {
		assert.Contains(t, []string{"eval", "hello", "client", "cluster", "command", "readonly"}, name)
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

// As many waiters as a small fleet, and the process that holds the lock is killed.
func TestAKilledHoldersLockEndsWithItsLease(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "REDISSTORE_TEST_HOLDER="+srv.addr())
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", line)

	var mints atomic.Int32
	failures := make(chan error, 8)
	for range cap(failures) {
		s := redisstore.New(srv.client())
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			defer cancel()
			_, err := s.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
				if current != nil {
					return nil, 0, nil
				}
				mints.Add(1)
				return []byte("minted"), 0, nil
			})
			failures <- err
		}()
	}
	time.Sleep(2 * holderLease) // the holder lives: its lease is extended
	require.Zero(t, mints.Load())

	killed := time.Now()
	require.NoError(t, holder.Process.Kill())
	for range cap(failures) {
		require.NoError(t, <-failures)
	}
	took := time.Since(killed)
	assert.EqualValues(t, 1, mints.Load())
	assert.Less(t, took, holderLease+2*time.Second)
	t.Logf("8 waiters were through %v after the holder with a lease of %v was killed", took.Round(time.Millisecond), holderLease)
}

const holderLease = time.Second

// holdUntilKilled is the main function of the process that TestAKilledHoldersLockEndsWithItsLease kills.
func holdUntilKilled(addr string) {
	s := redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithLease(holderLease))
	_, err := s.Update(context.Background(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		fmt.Println("locked")
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute): // an orphan ends by itself
		}
		return nil, 0, errors.New("not killed")
	})
	fmt.Println(err)
	os.Exit(1)
}

// What a program under GODEBUG=fips140=only may not use: SHA-1, and nonces of its own.
func TestNothingNeedsWhatFIPS140Forbids(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REDISSTORE_TEST_FIPS="+startServer(t).addr(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// useUnderFIPS140 is the main function of the process that TestNothingNeedsWhatFIPS140Forbids starts.
func useUnderFIPS140(addr string) {
	if err := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = errors.Join(err, fmt.Errorf("panic: %v", r))
			}
		}()
		func() {
			defer func() {
				if recover() == nil {
					err = errors.New("SHA-1 can be used")
				}
			}()
			_ = sha1.Sum(nil) //nolint:gosec // to see that it cannot be used
		}()
		block, err2 := aes.NewCipher(make([]byte, 32))
		if err2 != nil {
			return err2
		}
		aead, err2 := cipher.NewGCMWithRandomNonce(block)
		if err2 != nil {
			return err2
		}
		ctx := context.Background()
		s := redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithEncryption(aead), redisstore.WithLease(time.Second))
		_, err2 = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			time.Sleep(1500 * time.Millisecond) // it is extended
			return []byte(secret), 0, nil
		})
		_, err3 := s.Load(ctx, key)
		return errors.Join(err, err2, err3)
	}(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// steps are what the guide has deployed one after the other, process by process.
func steps(t *testing.T, name string) [][]redisstore.Option {
	t.Helper()
	k, o, n := newAEAD(t, 1), newAEAD(t, 2), newAEAD(t, 3)
	on := [][]redisstore.Option{
		nil,
		{redisstore.WithDecryption(k)},
		{redisstore.WithEncryption(k), redisstore.WithPlaintext()},
		{redisstore.WithEncryption(k)},
	}
	switch name {
	case "on":
		return on
	case "off":
		off := slices.Clone(on)
		slices.Reverse(off)
		return off
	}
	return [][]redisstore.Option{
		{redisstore.WithEncryption(o)},
		{redisstore.WithEncryption(o), redisstore.WithDecryption(n)},
		{redisstore.WithEncryption(n), redisstore.WithDecryption(o)},
		{redisstore.WithEncryption(n)},
	}
}

func TestEncryptionStepsReadWhatTheStepsBesideThemWrite(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	for _, name := range []string{"on", "rotate", "off"} {
		all := steps(t, name)
		for i := range all[1:] {
			for _, pair := range [][2]int{{i, i}, {i, i + 1}, {i + 1, i}, {i + 1, i + 1}} {
				what := fmt.Sprintf("%s: written by step %d, read by step %d", name, pair[0], pair[1])
				writer, reader := redisstore.New(rdb, all[pair[0]]...), redisstore.New(rdb, all[pair[1]]...)
				require.NoError(t, rdb.Del(ctx, valueKey).Err())
				_, err := writer.Update(ctx, key, put(secret, 0))
				require.NoError(t, err, what)
				value, err := reader.Load(ctx, key)
				require.NoError(t, err, what)
				assert.Equal(t, secret, string(value), what)
				_, err = reader.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
					assert.Equal(t, secret, string(current), what)
					return nil, 0, nil
				})
				require.NoError(t, err, what)
			}
		}
	}
}

func TestEncryptionOptionsOpenNothingElse(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	k, other := newAEAD(t, 1), newAEAD(t, 2)
	write := func(opts ...redisstore.Option) string {
		require.NoError(t, rdb.Del(ctx, valueKey).Err())
		_, err := redisstore.New(rdb, opts...).Update(ctx, key, put(secret, 0))
		require.NoError(t, err)
		return rdb.Get(ctx, valueKey).Val()
	}
	plain, sealed, foreign := write(), write(redisstore.WithEncryption(k)), write(redisstore.WithEncryption(other))
	for name, tc := range map[string]struct {
		opts                   []redisstore.Option
		plain, sealed, foreign bool
	}{
		"nothing":                  {nil, true, false, false},
		"WithPlaintext alone":      {[]redisstore.Option{redisstore.WithPlaintext()}, true, false, false},
		"WithDecryption":           {[]redisstore.Option{redisstore.WithDecryption(k)}, true, true, false},
		"WithDecryption of two":    {[]redisstore.Option{redisstore.WithDecryption(other, k)}, true, true, true},
		"WithEncryption":           {[]redisstore.Option{redisstore.WithEncryption(k)}, false, true, false},
		"and WithPlaintext":        {[]redisstore.Option{redisstore.WithPlaintext(), redisstore.WithEncryption(k)}, true, true, false},
		"and WithDecryption":       {[]redisstore.Option{redisstore.WithDecryption(other), redisstore.WithEncryption(k)}, false, true, true},
		"the last of a kind wins":  {[]redisstore.Option{redisstore.WithEncryption(other), redisstore.WithEncryption(k)}, false, true, false},
		"the last WithDecryption,": {[]redisstore.Option{redisstore.WithDecryption(other), redisstore.WithDecryption(k)}, true, true, false},
	} {
		for stored, opens := range map[string]bool{plain: tc.plain, sealed: tc.sealed, foreign: tc.foreign} {
			require.NoError(t, rdb.Set(ctx, valueKey, stored, 0).Err())
			value, err := redisstore.New(rdb, tc.opts...).Load(ctx, key)
			if opens {
				require.NoError(t, err, name)
				assert.Equal(t, secret, string(value), name)
			} else {
				require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
			}
		}
	}
}

// A program under GODEBUG=fips140=only may not choose nonces itself; what such an AEAD seals has the same form.
func TestEncryptionWithAnAEADThatChoosesItsNonces(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	own, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	for _, pair := range [][2]cipher.AEAD{{own, own}, {own, newAEAD(t, 1)}, {newAEAD(t, 1), own}} {
		require.NoError(t, rdb.Del(ctx, valueKey).Err())
		_, err := redisstore.New(rdb, redisstore.WithEncryption(pair[0])).Update(ctx, key, put(secret, 0))
		require.NoError(t, err)
		value, err := redisstore.New(rdb, redisstore.WithEncryption(pair[1])).Load(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, secret, string(value))
	}
}

// The client's values are JSON; a store keeps any.
func TestPlainValuesThatBeginLikeOthers(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	for _, opts := range [][]redisstore.Option{nil, {redisstore.WithDecryption(newAEAD(t, 1))}} {
		for _, want := range []string{"\x00", "\x00\x00a", "\x00\x01a", "\x01", "\x01" + strings.Repeat("a", 60), "\x02a", "{}"} {
			s := redisstore.New(rdb, opts...)
			_, err := s.Update(ctx, key, put(want, 0))
			require.NoError(t, err)
			value, err := s.Load(ctx, key)
			require.NoError(t, err)
			assert.Equal(t, want, string(value))
		}
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	sealed := func(n byte) *redisstore.Store { return redisstore.New(rdb, redisstore.WithEncryption(newAEAD(t, n))) }
	s := sealed(1)
	_, err := s.Update(ctx, key, put(secret, 0))
	require.NoError(t, err)
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	require.Equal(t, secret, string(value))
	first := rdb.Get(ctx, valueKey).Val()
	assert.NotContains(t, first, secret)
	assert.NotContains(t, first, secret[:8])

	_, err = s.Update(ctx, key, put(secret, 0))
	require.NoError(t, err)
	assert.NotEqual(t, first, rdb.Get(ctx, valueKey).Val(), "a nonce was used twice")

	unreadable := map[string]func() (*redisstore.Store, string){
		"another encryption key": func() (*redisstore.Store, string) { return sealed(2), first },
		"no encryption key":      func() (*redisstore.Store, string) { return redisstore.New(rdb), first },
		"not encrypted":          func() (*redisstore.Store, string) { return s, secret },
		"empty":                  func() (*redisstore.Store, string) { return s, "" },
		"cut short":              func() (*redisstore.Store, string) { return s, first[:len(first)-1] },
		"cut in the nonce":       func() (*redisstore.Store, string) { return s, first[:5] },
		"another version":        func() (*redisstore.Store, string) { return s, "\x02" + first[1:] },
		"one bit":                func() (*redisstore.Store, string) { return s, first[:20] + string(first[20]^1) + first[21:] },
	}
	for name, setUp := range unreadable {
		s, stored := setUp()
		require.NoError(t, rdb.Set(ctx, valueKey, stored, 0).Err())
		_, err := s.Load(ctx, key)
		require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential, name)
		assert.NotContains(t, err.Error(), "MARKER", name)
		_, err = s.Update(ctx, key, fail(t, "fn ran on a value that cannot be opened: "+name))
		require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
		assert.NotContains(t, err.Error(), "MARKER", name)
		assert.Equal(t, stored, rdb.Get(ctx, valueKey).Val(), name)
		assert.Zero(t, rdb.Exists(ctx, lockKey).Val(), name)
	}

	require.NoError(t, rdb.Del(ctx, valueKey).Err(), "the way out when the key is lost")
	_, err = sealed(2).Update(ctx, key, put("minted anew", 0))
	require.NoError(t, err)

	require.NoError(t, rdb.Set(ctx, "webanklive:{another-key}", first, 0).Err())
	_, err = s.Load(ctx, "another-key")
	require.ErrorIs(t, err, redisstore.ErrCannotOpen, "the value of one key was accepted for another")
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

// monitor records what the server is sent, until stop.
func monitor(t *testing.T, srv *server) (seen *logBuffer, stop func()) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.addr())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewReader(conn)
	ok, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", ok)
	seen = &logBuffer{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			line, err := lines.ReadString('\n')
			if err != nil || strings.Contains(line, "end of the watch") {
				return
			}
			_, _ = seen.Write([]byte(line))
		}
	}()
	return seen, func() {
		require.NoError(t, srv.client().Echo(context.Background(), "end of the watch").Err())
		select {
		case <-done:
		case <-time.After(soon):
			t.Error("MONITOR does not show its end")
		}
	}
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

// put is an UpdateFunc that stores value.
func put(value string, ttl time.Duration) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte(value), ttl, nil }
}

// fail is an UpdateFunc that must not run.
func fail(t *testing.T, why string) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.Fail(t, why)
		return nil, 0, errors.New(why)
	}
}

func newAEAD(t *testing.T, n byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{n}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

func containsLine(text, line string) bool {
	for _, l := range strings.Split(text, "\n") {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}

// An evalHook disturbs scripts between the store and the client: it runs the first ones twice, as after a lost reply,
// loses the first one's reply for good, or holds it back.
type evalHook struct {
	twice     bool
	failFirst error
	holdFirst chan struct{}
	calls     atomic.Int32
}

func (h *evalHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *evalHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *evalHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return next(ctx, cmd)
		}
		calls := h.calls.Add(1)
		err := next(ctx, cmd)
		switch {
		case h.holdFirst != nil && !redis.HasErrorPrefix(err, "NOSCRIPT"):
			<-h.holdFirst
		case h.failFirst != nil && calls == 1:
			cmd.SetErr(h.failFirst)
			return h.failFirst
		case h.twice && calls <= 2 && err == nil: // the lock is taken first
			return next(ctx, cmd)
		}
		return err
	}
}

// commandNames notes the commands that are sent.
type commandNames struct {
	mu    sync.Mutex
	names []string
}

func (c *commandNames) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *commandNames) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *commandNames) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.mu.Lock()
		c.names = append(c.names, cmd.Name())
		c.mu.Unlock()
		return next(ctx, cmd)
	}
}

func (c *commandNames) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.names)
}

// A logBuffer collects what several goroutines write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
