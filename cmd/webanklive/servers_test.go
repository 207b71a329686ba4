//go:build unix

package main

// Real Redis servers: one alone, a cluster, and one behind Sentinel, each on ports of its own.

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// startRedis runs redis-server with more arguments until the test ends and returns its address. Without a redis-server
// on this machine it skips the test, or fails it where Redis is required.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("WEBANKLIVE_REQUIRE_REDIS") == "1" {
			t.Fatal("redis-server is not installed, and this environment requires it")
		}
		t.Skip("redis-server is not installed")
	}
	for range 5 { // another process may take the free port first
		addr := freeAddress(t)
		_, port, err := net.SplitHostPort(addr)
		require.NoError(t, err)
		// The options come last: the first argument may be the file of a Sentinel.
		all := append(args[:len(args):len(args)], "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())
		cmd := exec.Command(path, all...)
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-ended
		})
		if answers(addr, ended) {
			return addr
		}
	}
	t.Fatal("redis-server does not start")
	return ""
}

// answers waits until the server at addr says anything to PING, -NOAUTH included, or has ended.
func answers(addr string, ended <-chan struct{}) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		select {
		case <-ended:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, "PING\r\n")
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
		if err == nil {
			return true
		}
	}
	return false
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

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
	for i := range 3 {
		addr := startRedis(t, "--cluster-enabled", "yes", "--save", "", "--cluster-port", portOf(t, freeAddress(t)))
		addrs = append(addrs, addr)
		require.NoError(t, redisAt(t, addr).ClusterAddSlotsRange(t.Context(), i*slots/3, (i+1)*slots/3-1).Err())
	}
	first := redisAt(t, addrs[0])
	for _, addr := range addrs[1:] {
		bus, err := redisAt(t, addr).ConfigGet(t.Context(), "cluster-port").Result()
		require.NoError(t, err)
		require.NoError(t, first.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", portOf(t, addr), bus["cluster-port"]).Err())
	}
	for _, addr := range addrs {
		node := redisAt(t, addr)
		require.Eventually(t, func() bool {
			info, err := node.ClusterInfo(t.Context()).Result()
			return err == nil && containsAll(info, "cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384")
		}, 30*time.Second, 20*time.Millisecond)
	}
	return addrs
}

// startSentinel returns the addresses of a Sentinel and of the master "shop" that it watches.
func startSentinel(t *testing.T) (sentinel, master string) {
	t.Helper()
	master = startRedis(t, "--save", "")
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "sentinel monitor shop 127.0.0.1 %s 1\n", portOf(t, master)), 0o600))
	return startRedis(t, file, "--sentinel"), master
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	_, err = strconv.Atoi(port)
	require.NoError(t, err)
	return port
}
