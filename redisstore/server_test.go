//go:build unix

package redisstore_test

// Real Redis servers for the tests, each with a port and a directory of its own.

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

// A server is a redis-server process on a loopback port. Its methods belong on the test's goroutine.
type server struct {
	*servertest.Server
	t    *testing.T
	args []string
}

// startServer runs redis-server with further arguments until the test ends.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return &server{servertest.Redis(t, args...), t, args}
}

// client returns a client of the server, closed when the test ends.
func (s *server) client(change ...func(*redis.Options)) *redis.Client {
	opts := &redis.Options{Addr: s.Addr()}
	for _, c := range change {
		c(opts)
	}
	rdb := redis.NewClient(opts)
	s.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// startCluster runs a cluster of one server that has all the slots: a script across slots fails on it as on any other.
func startCluster(t *testing.T) (*server, *redis.ClusterClient) {
	t.Helper()
	s := startServer(t, "--cluster-enabled", "yes")
	ctx := context.Background()
	node := s.client()
	slots := make([]int, 16384) // ADDSLOTSRANGE needs Redis 7
	for i := range slots {
		slots[i] = i
	}
	require.NoError(t, node.ClusterAddSlots(ctx, slots...).Err())
	require.Eventually(t, func() bool {
		info, err := node.ClusterInfo(ctx).Result()
		return err == nil && len(info) > 0 && containsLine(info, "cluster_state:ok")
	}, 20*time.Second, 10*time.Millisecond)
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr()}})
	t.Cleanup(func() { _ = rdb.Close() })
	return s, rdb
}
