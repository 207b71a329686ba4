//go:build unix

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/redisstore"
)

func TestUpdate_ExtendsNoLeaseForACallerThatLeft(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	s := redisstore.New(srv.client(), redisstore.WithLease(2*time.Second))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		cancel()
		_, err := redisstore.New(srv.client()).Update(t.Context(), key, fleettest.Put("other", 0)) // as soon as the lease is over
		assert.NoError(t, err)
		return []byte("late"), 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
	assert.Equal(t, "other", srv.client().Get(t.Context(), valueKey).Val())
}

func TestUpdate_TouchesNoLockOfAnother(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	log := &logtest.Log{}
	s := redisstore.New(rdb, redisstore.WithLease(2*time.Second), redisstore.WithLogger(log.Logger()))
	ctx := t.Context()
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

// A panicking logger breaks every rule of a handler.
type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("logger") }

func TestWithLogger_OneThatPanicsEndsNothing(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	s := redisstore.New(rdb, redisstore.WithLease(fleetLease), redisstore.WithLogger(slog.New(panicking{})))
	_, err := s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		drop(t, rdb, lockKey)
		<-ctx.Done()
		return nil, 0, nil
	})
	require.ErrorIs(t, err, redisstore.ErrLockLost)
}

func TestUpdate_ALeaseThatCannotBeExtendedIsLost(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	const lease = 2 * time.Second
	s := redisstore.New(rdb, redisstore.WithLease(lease))
	began := time.Now()
	_, err := s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
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
	assert.Zero(t, rdb.Exists(t.Context(), valueKey).Val())
}

func TestUpdate_ReleasesALockThatCameTooLate(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	direct, rdb, hold := srv.client(), srv.client(), make(chan struct{})
	rdb.AddHook(aroundScripts(func(_ int32, _ redis.Cmder, send func() error) error {
		defer func() { <-hold }()
		return send()
	}))
	brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := redisstore.New(rdb).Update(brief, key, fleettest.Refuse(t, "fn ran after its caller had left"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualValues(t, 1, direct.Exists(t.Context(), lockKey).Val(), "the lock was not even taken")

	close(hold)
	require.Eventually(t, func() bool {
		return direct.Exists(t.Context(), lockKey).Val() == 0
	}, 5*time.Second, 5*time.Millisecond) // less than a lease
}

func TestUpdate_TakesTheLockWithACommandThatTheClientRepeats(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	var repeated atomic.Int32
	rdb.AddHook(aroundScripts(func(n int32, _ redis.Cmder, send func() error) error {
		err := send()
		if n < 2 && err == nil { // the lock is taken, the value is stored
			repeated.Add(1)
			err = send()
		}
		return err
	}))
	brief, cancel := context.WithTimeout(t.Context(), 5*time.Second) // less than a lease
	defer cancel()
	_, err := redisstore.New(rdb).Update(brief, key, fleettest.Put("value", 0))
	require.NoError(t, err)
	assert.EqualValues(t, 2, repeated.Load())
}

func TestUpdate_LeavesNoLockWhenAReplyIsLost(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	rdb.AddHook(aroundScripts(func(n int32, cmd redis.Cmder, send func() error) error {
		err := send()
		if n == 0 {
			err = errors.New("reply lost")
			cmd.SetErr(err)
		}
		return err
	}))
	_, err := redisstore.New(rdb).Update(t.Context(), key, fleettest.Refuse(t, "fn ran without a lock"))
	require.ErrorContains(t, err, "reply lost")
	assert.Zero(t, srv.client().Exists(t.Context(), lockKey).Val())
}

// A lock is taken by whoever works, not in turn by all who only want to read.
func TestUpdate_WhoWaitsOnlyLooks(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	const waiting = 10
	stores := storesOn(1+waiting, srv.connect)
	fleettest.Store(t, stores[0], key, "before")
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

func TestUpdate_AWaitOutlastsAnOutageThatIsShorterThanALease(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lease time.Duration
		fails bool
	}{"shorter": {10 * time.Second, false}, "longer": {500 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			require.NoError(t, srv.client().Set(t.Context(), lockKey, "another's", 0).Err())
			require.NoError(t, srv.client().Save(t.Context()).Err())
			s := redisstore.New(srv.client(), redisstore.WithLease(tc.lease))
			done := start(s, fleettest.Put("value", 0))
			time.Sleep(300 * time.Millisecond)
			srv.Kill()
			if tc.fails {
				require.Error(t, receive(t, done, "it waits for a server that has gone"))
				return
			}
			time.Sleep(time.Second)
			srv.Start()
			require.NoError(t, srv.client().Del(t.Context(), lockKey).Err())
			require.NoError(t, receive(t, done, "it does not take the lock"))
		})
	}
}

// What has gone is no new value: whoever waits for the lock works.
func TestUpdate_AValueThatGoesEndsNoWait(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb := srv.client()
	fleettest.Store(t, redisstore.New(rdb), key, "before")
	m := startMint(t, redisstore.New(srv.client()))
	ran := make(chan bool, 1)
	done := start(redisstore.New(srv.client()), func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		ran <- current == nil
		return nil, 0, nil
	})
	time.Sleep(300 * time.Millisecond)
	drop(t, rdb, valueKey)
	time.Sleep(500 * time.Millisecond)
	require.Empty(t, done)
	drop(t, rdb, lockKey)
	assert.True(t, receive(t, ran, "fn does not run"))
	require.NoError(t, receive(t, done, "Update does not return"))
	h := m.through(func() {}, 0)
	assert.Equal(t, "the holder's: ErrLockLost", h.note)
}

// A client that reads from replicas may get an older value there; a wait compares what the primary has.
func TestUpdate_AWaitAsksThePrimary(t *testing.T) {
	t.Parallel()
	_, rdb := startCluster(t)
	noted := &commands{}
	rdb.OnNewNode(func(node *redis.Client) { node.AddHook(noted.hook()) })
	stores := storesOn(2, func() redis.UniversalClient { return rdb }, redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1])
	assert.Equal(t, oneMint, promise(m.through(func() {}, time.Second)))
	for _, args := range noted.sent() {
		assert.Contains(t, []any{"eval", "hello", "client", "cluster", "command", "readonly"}, args[0])
	}
}

// The unlock of an attempt whose reply came too late would otherwise hit the lock that the next attempt took.
func TestUpdate_EachAttemptToLockHasATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb, direct, noted := srv.client(), srv.client(), &commands{}
	require.NoError(t, direct.Set(t.Context(), lockKey, "another's", 0).Err())
	rdb.AddHook(noted.hook())
	done := start(redisstore.New(rdb), fleettest.Put("value", 0))
	var tokens []any
	takes := func() int {
		tokens = nil
		for _, args := range noted.sent() {
			if len(args) == 7 && fmt.Sprint(args[6]) == "15000" { // EVAL script 2 lock value token lease
				tokens = append(tokens, args[5])
			}
		}
		return len(tokens)
	}
	require.Eventually(t, func() bool { return takes() == 1 }, soon, 5*time.Millisecond)
	drop(t, direct, lockKey)
	require.NoError(t, receive(t, done, "it does not take the lock"))
	require.Equal(t, 2, takes())
	assert.NotEqual(t, tokens[0], tokens[1])
}

// The value may come between the look that finds the lock free and the attempt to take it.
func TestUpdate_WhoTakesTheLockTooLateDoesNotWork(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	rdb, direct := srv.client(), srv.client()
	require.NoError(t, direct.Set(t.Context(), lockKey, "another's", 0).Err())
	rdb.AddHook(aroundScripts(func(_ int32, cmd redis.Cmder, send func() error) error {
		if len(cmd.Args()) != 5 { // a look has no arguments but its keys
			return send()
		}
		drop(t, direct, lockKey)
		defer func() { assert.NoError(t, direct.Set(t.Context(), valueKey, "theirs", 0).Err()) }()
		return send()
	}))
	value, err := redisstore.New(rdb).Update(t.Context(), key, fleettest.Refuse(t, "fn ran though another one had worked"))
	require.NoError(t, err)
	assert.Equal(t, "theirs", string(value))
	assert.Zero(t, direct.Exists(t.Context(), lockKey).Val())
}

// start begins an Update that may have to wait.
func start(s *redisstore.Store, fn webanklive.UpdateFunc) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := s.Update(context.Background(), key, fn)
		done <- err
	}()
	return done
}
