//go:build unix

package redisstore_test

// The lock: its lease, its holders, and who waits for it.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/redisstore"
)

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
	s := redisstore.New(srv.client(), redisstore.WithLease(2*time.Second))
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
	s := redisstore.New(rdb, redisstore.WithLease(2*time.Second), redisstore.WithLogger(log.logger()))
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
	const lease = 2 * time.Second
	s := redisstore.New(rdb, redisstore.WithLease(lease))
	began := time.Now()
	_, err := s.Update(context.Background(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		srv.Pause()
		select {
		case <-ctx.Done():
			assert.Less(t, time.Since(began), lease+10*time.Second)
			assert.ErrorIs(t, context.Cause(ctx), redisstore.ErrLockLost)
		case <-time.After(soon):
			assert.Fail(t, "fn's context goes on")
		}
		srv.Resume()
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
	s := redisstore.New(rdb, redisstore.WithLease(2*time.Second))
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
			srv.Kill()
			if tc.fails {
				require.Error(t, receive(t, done, "it waits for a server that has gone"))
				return
			}
			time.Sleep(time.Second)
			srv.Start()
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
	stores := storesOn(2, func() *redis.ClusterClient { return rdb }, redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1])
	assert.Equal(t, oneMint, promise(m.through(func() {}, time.Second)))
	for _, name := range reads.all() {
		assert.Contains(t, []string{"eval", "hello", "client", "cluster", "command", "readonly"}, name)
	}
}

// As many waiters as a small fleet, and the process that holds the lock is killed.
func TestAKilledHoldersLockEndsWithItsLease(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "REDISSTORE_TEST_HOLDER="+srv.Addr())
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

const holderLease = 2 * time.Second

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

// The unlock of an attempt whose reply came too late would otherwise hit the lock that the next attempt took.
func TestEachAttemptToLockHasATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	direct := srv.client()
	require.NoError(t, direct.Set(context.Background(), lockKey, "another's", 0).Err())
	rdb := srv.client()
	sent := &commandNames{}
	rdb.AddHook(sent)
	done := make(chan error, 1)
	go func() {
		_, err := redisstore.New(rdb).Update(context.Background(), key, put("value", 0))
		done <- err
	}()
	require.Eventually(t, func() bool { return slices.Contains(sent.all(), "eval") }, soon, 5*time.Millisecond)
	require.NoError(t, direct.Del(context.Background(), lockKey).Err())
	require.NoError(t, receive(t, done, "it does not take the lock"))
	takes := 0
	tokens := map[any]bool{}
	for _, args := range sent.allArgs() {
		if len(args) == 7 && fmt.Sprint(args[6]) == "15000" { // EVAL script 2 lock value token lease
			takes++
			tokens[args[5]] = true
		}
	}
	assert.Equal(t, 2, takes)
	assert.Len(t, tokens, 2)
}

// The value may come between the look that finds the lock free and the attempt to take it.
func TestWhoTakesTheLockTooLateDoesNotWork(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	direct := srv.client()
	ctx := context.Background()
	require.NoError(t, direct.Set(ctx, lockKey, "another's", 0).Err())
	rdb := srv.client()
	rdb.AddHook(&aroundLook{
		before: func() { assert.NoError(t, direct.Del(ctx, lockKey).Err()) },
		after:  func() { assert.NoError(t, direct.Set(ctx, valueKey, "theirs", 0).Err()) },
	})
	value, err := redisstore.New(rdb).Update(ctx, key, fail(t, "fn ran though another one had worked"))
	require.NoError(t, err)
	assert.Equal(t, "theirs", string(value))
	assert.Zero(t, direct.Exists(ctx, lockKey).Val())
}
