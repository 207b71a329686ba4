//go:build unix

package redisstore_test

// A real cluster of three primaries and three replicas, and three Sentinels over a primary and two replicas.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

// A cluster is six servers; which of them is a primary changes.
type cluster struct {
	t       *testing.T
	servers []*server
}

// startSixNodes starts a cluster whose nodes give each other up after nodeTimeout.
func startSixNodes(t *testing.T, nodeTimeout time.Duration) *cluster {
	t.Helper()
	c := &cluster{t: t}
	args := []string{"--cluster", "create"}
	for range 6 {
		s := &server{servertest.RedisAt(t, clusterPort(t), "--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10),
			"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"), t}
		c.servers = append(c.servers, s)
		args = append(args, s.Addr())
	}
	out, err := exec.Command("redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput() //nolint:gosec // our own arguments
	require.NoError(t, err, "%s", out)
	c.settle()
	return c
}

// settle waits until every node that runs thinks that all is well.
func (c *cluster) settle() {
	c.t.Helper()
	ctx := context.Background()
	running := slices.DeleteFunc(slices.Clone(c.servers), func(s *server) bool { return !s.Running() })
	require.Eventually(c.t, func() bool {
		for _, s := range running {
			node := s.client()
			info, replication := node.ClusterInfo(ctx).Val(), node.Info(ctx, "replication").Val()
			_ = node.Close()
			primary := containsLine(replication, "role:master")
			if !containsLine(info, "cluster_state:ok") || !containsLine(info, "cluster_slots_ok:16384") ||
				!containsLine(info, "cluster_known_nodes:6") || !primary && !containsLine(replication, "master_link_status:up") ||
				primary && len(running) == 6 && containsLine(replication, "connected_slaves:0") {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "the cluster does not settle")
}

func (c *cluster) connect() redis.UniversalClient {
	opts := &redis.ClusterOptions{}
	for _, s := range c.servers {
		opts.Addrs = append(opts.Addrs, s.Addr())
	}
	return newClusterClient(c.t, opts)
}

func (c *cluster) primary() *server {
	c.t.Helper()
	primary, _ := c.owner()
	return primary
}

// owner returns the primary of the tests' key, as a fresh client sees it, and a replica of it.
func (c *cluster) owner() (primary, replica *server) {
	c.t.Helper()
	ctx := context.Background()
	rdb := c.connect().(*redis.ClusterClient)
	slot, err := rdb.ClusterKeySlot(ctx, valueKey).Result()
	require.NoError(c.t, err)
	require.Eventually(c.t, func() bool {
		slots, err := rdb.ClusterSlots(ctx).Result() //nolint:staticcheck // Redis 6 has no CLUSTER SHARDS
		for _, r := range slots {
			if int64(r.Start) <= slot && slot <= int64(r.End) && len(r.Nodes) == 2 {
				primary, replica = serverAt(c.servers, r.Nodes[0].Addr), serverAt(c.servers, r.Nodes[1].Addr)
			}
		}
		return err == nil && primary != nil && replica != nil
	}, soon, 50*time.Millisecond)
	return primary, replica
}

// other returns a primary that does not own the tests' key.
func (c *cluster) other() *server {
	c.t.Helper()
	owner := c.primary()
	for _, s := range c.servers {
		if s != owner && containsLine(s.client().Info(context.Background(), "replication").Val(), "role:master") {
			return s
		}
	}
	c.t.Fatal("no other primary")
	return nil
}

func nodeID(t *testing.T, s *server) string {
	t.Helper()
	id, err := s.client().Do(context.Background(), "CLUSTER", "MYID").Text()
	require.NoError(t, err)
	return id
}

// ports are those that clusterPort has handed out.
var ports sync.Map

// clusterPort returns a free port whose bus port, 10000 above, is free, too. Both are below the ports that the system
// gives to outgoing connections.
func clusterPort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(2700)
		if _, taken := ports.LoadOrStore(port, true); !taken && free(port) && free(port+10000) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// A watched is a primary with two replicas under three Sentinels.
type watched struct {
	t         *testing.T
	servers   []*server
	sentinels []string
}

const masterName = "fleet"

func startSentinels(t *testing.T, downAfter time.Duration) *watched {
	t.Helper()
	w := &watched{t: t}
	w.servers = append(w.servers, startServer(t, "--repl-diskless-sync-delay", "0"))
	for range 2 {
		w.servers = append(w.servers, startServer(t, "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", strconv.Itoa(w.servers[0].Port())))
	}
	for range 3 {
		s := servertest.Sentinel(t, masterName, w.servers[0].Server, 2,
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", masterName, downAfter.Milliseconds()),
			fmt.Sprintf("sentinel failover-timeout %s %d", masterName, max(2*downAfter, 10*time.Second).Milliseconds()))
		w.sentinels = append(w.sentinels, s.Addr())
	}
	ctx := context.Background()
	require.Eventually(t, func() bool {
		for _, addr := range w.sentinels {
			s := redis.NewSentinelClient(&redis.Options{Addr: addr})
			master, err := s.Master(ctx, masterName).Result()
			_ = s.Close()
			if err != nil || master["num-slaves"] != "2" || master["num-other-sentinels"] != "2" || master["flags"] != "master" {
				return false
			}
		}
		return true
	}, time.Minute, 50*time.Millisecond, "the Sentinels do not find each other")
	return w
}

func (w *watched) connect() redis.UniversalClient {
	rdb := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: w.sentinels})
	w.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// sentinel returns a client of the first Sentinel, closed when the test ends.
func (w *watched) sentinel(t *testing.T) *redis.SentinelClient {
	t.Helper()
	s := redis.NewSentinelClient(&redis.Options{Addr: w.sentinels[0]})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// primary returns the server that the Sentinels name.
func (w *watched) primary() *server {
	w.t.Helper()
	addr, err := w.sentinel(w.t).GetMasterAddrByName(context.Background(), masterName).Result()
	require.NoError(w.t, err)
	primary := serverAt(w.servers, strings.Join(addr, ":"))
	require.NotNil(w.t, primary, "no server at %v", addr)
	return primary
}

// serverAt returns the one that listens at addr, or nil.
func serverAt(servers []*server, addr string) *server {
	for _, s := range servers {
		if s.Addr() == addr {
			return s
		}
	}
	return nil
}
