//go:build unix

package redisstore_test

// What the tests of this package share: servers, clients of them, and what stands between.

import (
	"bufio"
	"context"
	"fmt"
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
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// A server is a redis-server process on a loopback port. Its methods belong on the test's goroutine.
type server struct {
	*servertest.Server
	t *testing.T
}

// startServer runs redis-server with further arguments until the test ends.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return &server{servertest.Redis(t, args...), t}
}

// client returns a client of the server, closed when the test ends.
func (s *server) client(change ...func(*redis.Options)) *redis.Client {
	return newClient(s.t, s.Addr(), change...)
}

// connect is client as storesOn wants it.
func (s *server) connect() redis.UniversalClient { return s.client() }

func newClient(t *testing.T, addr string, change ...func(*redis.Options)) *redis.Client {
	t.Helper()
	opts := &redis.Options{Addr: addr}
	for _, c := range change {
		c(opts)
	}
	rdb := redis.NewClient(opts)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func newClusterClient(t *testing.T, opts *redis.ClusterOptions) *redis.ClusterClient {
	t.Helper()
	rdb := redis.NewClusterClient(opts)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// startCluster runs a cluster of one server that has all the slots: a script across slots fails on it as on any other.
func startCluster(t *testing.T) (*server, *redis.ClusterClient) {
	t.Helper()
	s := startServer(t, "--cluster-enabled", "yes")
	node := s.client()
	slots := make([]int, 16384) // ADDSLOTSRANGE needs Redis 7
	for i := range slots {
		slots[i] = i
	}
	require.NoError(t, node.ClusterAddSlots(t.Context(), slots...).Err())
	require.Eventually(t, func() bool {
		return containsLine(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, soon, 10*time.Millisecond)
	return s, newClusterClient(t, &redis.ClusterOptions{Addrs: []string{s.Addr()}})
}

func containsLine(text, line string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(l string) bool { return strings.TrimSpace(l) == line })
}

// monitor records what the server is sent, until stop.
func monitor(t *testing.T, srv *server) (seen *logtest.Log, stop func()) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "MONITOR\r\n")
	lines := bufio.NewReader(conn)
	ok, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "+OK\r\n", ok)
	seen = &logtest.Log{}
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
		require.NoError(t, srv.client().Echo(t.Context(), "end of the watch").Err())
		select {
		case <-done:
		case <-time.After(soon):
			t.Error("MONITOR does not show its end")
		}
	}
}

// A hook stands between the store and the client, and calls next to send the command.
type hook func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h(ctx, cmd, next) }
}

// aroundScripts calls around for each script, with how many there were before it.
func aroundScripts(around func(n int32, cmd redis.Cmder, send func() error) error) hook {
	var calls atomic.Int32
	return func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		send := func() error { return next(ctx, cmd) }
		if cmd.Name() != "eval" {
			return send()
		}
		return around(calls.Add(1)-1, cmd, send)
	}
}

// commands notes the commands that were sent.
type commands struct {
	mu  sync.Mutex
	all [][]any
}

func (c *commands) hook() hook {
	return func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, cmd.Args())
		return err
	}
}

func (c *commands) sent() [][]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// drop removes a key behind the store's back.
func drop(t *testing.T, rdb redis.UniversalClient, key string) {
	t.Helper()
	assert.NoError(t, rdb.Del(context.Background(), key).Err())
}

const fleetLease = 2 * time.Second

func newSDKClient(t *testing.T, srv *livetest.Server, s *redisstore.Store, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), append(opts, webanklive.WithBaseURLs(srv.APIURL, srv.H5URL),
		webanklive.WithCredentialStore(s))...)
	require.NoError(t, err)
	return c
}

func launch(t *testing.T, c *webanklive.Client, order string) error {
	t.Helper()
	_, err := c.BuildLiveLoginURL(t.Context(), webanklive.LiveLoginRequest{
		OrderNo: order, UserID: order, CallbackURL: "https://shop.example/done",
	})
	return err
}
