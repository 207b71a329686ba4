//go:build unix

package redisstore_test

// What the tests of this package share.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// monitor records what the server is sent, until stop.
func monitor(t *testing.T, srv *server) (seen *logBuffer, stop func()) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr())
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

// commandNames notes the commands that were sent.
type commandNames struct {
	mu    sync.Mutex
	names []string
	args  [][]any
}

func (c *commandNames) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *commandNames) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *commandNames) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names = append(c.names, cmd.Name())
		c.args = append(c.args, cmd.Args())
		return err
	}
}

func (c *commandNames) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.names)
}

func (c *commandNames) allArgs() [][]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.args)
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

// aroundLook does something before and after a script that looks, which has no arguments but its keys.
type aroundLook struct{ before, after func() }

func (h *aroundLook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *aroundLook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *aroundLook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "eval" || len(cmd.Args()) != 5 {
			return next(ctx, cmd)
		}
		h.before()
		err := next(ctx, cmd)
		h.after()
		return err
	}
}
