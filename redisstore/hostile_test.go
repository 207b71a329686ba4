package redisstore

// What a Redis client or a logger that breaks every rule does to a process.

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hook runs a function before each command.
type hook func()

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h hook) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { h(); return nil }
}
func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestStore_AHookThatPanicsOrEndsItsGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]hook{"panicked": func() { panic("value") }, "ended its goroutine": runtime.Goexit} {
		rdb := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }})
		rdb.AddHook(h)
		s := New(rdb)
		_, err := s.Load(t.Context(), "key")
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "value")
		_, err = s.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Duration, error) {
			t.Error("without the lock")
			return nil, 0, nil
		})
		require.ErrorContains(t, err, want)
		require.NoError(t, rdb.Close())
	}
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("logger") }

func TestStore_ALoggerThatPanicsEndsNothing(t *testing.T) {
	t.Parallel()
	s := &Store{log: slog.New(panicking{})}
	assert.NotPanics(t, func() { s.warn(t.Context(), "the lock was lost") })
}
