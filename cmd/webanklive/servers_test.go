//go:build unix

package main

// Real Redis servers: one alone, a cluster, and one behind Sentinel.

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

func redisAt(t *testing.T, addr string) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// startCluster returns the addresses of a cluster of three masters.
func startCluster(t *testing.T) (addrs []string) {
	t.Helper()
	const slots = 16384
	var first *redis.Client
	for i := range 3 {
		// The bus of a node is 10,000 ports higher unless said otherwise, which may be no port at all.
		bus := freePort(t)
		node := servertest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", bus)
		addrs = append(addrs, node.Addr())
		rdb := redisAt(t, node.Addr())
		require.NoError(t, rdb.ClusterAddSlotsRange(t.Context(), i*slots/3, (i+1)*slots/3-1).Err())
		if i == 0 {
			first = rdb
		} else {
			require.NoError(t, first.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", node.Port(), bus).Err())
		}
	}
	for _, addr := range addrs {
		node := redisAt(t, addr)
		require.Eventually(t, func() bool {
			info, err := node.ClusterInfo(t.Context()).Result()
			return err == nil && containsAll(info, "cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384")
		}, 60*time.Second, 20*time.Millisecond)
	}
	return addrs
}

func freePort(t *testing.T) string {
	t.Helper()
	server := servertest.Redis(t)
	server.Kill()
	return strconv.Itoa(server.Port())
}
