//go:build unix

package redisstore_test

// The scenarios of Cluster and Sentinel.

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/redisstore"
)

// Nodes and Sentinels give each other up sooner than by default, and the lease is as much shorter.
const (
	nodeTimeout    = 2 * time.Second
	downAfter      = 2 * time.Second
	failoverLease  = 12 * time.Second
	defaultTimeout = 15 * time.Second // of a cluster's nodes
	defaultDown    = 30 * time.Second // of Sentinel
)

var (
	kill = (*server).Kill
	halt = (*server).Pause
)

const (
	oneMint  = "1 mint, nobody fails"
	survives = "the value is there after the failover, no mint"
)

var clusterScenarios = []scenario{
	{"cluster: kill -9 of the owner, idle", survives, false, clusterIdle(kill)},
	{"cluster: SIGSTOP of the owner, idle", survives, false, clusterIdle(halt)},
	{"cluster: kill -9 of the owner in a mint", oneMint, true, clusterMint(kill, 500*time.Millisecond)},
	{"cluster: SIGSTOP of the owner in a mint", oneMint, false, clusterMint(halt, 500*time.Millisecond)},
	{"cluster: kill -9 of the owner at the write", oneMint, false, clusterMint(kill, 0)},
	{"cluster: SIGSTOP of the owner at the write", oneMint, false, clusterMint(halt, 0)},
	{"cluster: kill -9 of the owner, the mint outlasts the failover", oneMint, false, clusterMint(kill, 8*time.Second)},
	{"cluster: the stopped owner wakes after the failover", "it takes no write, the value stays", false, clusterWakes},
	{"cluster: CLUSTER FAILOVER in a mint", oneMint, false, clusterManual},
	{"cluster: owner and replica killed in a mint", "no second mint; the holder's write fails", false, clusterSlotGone},
	{"cluster: a failover longer than the lease", "2 mints, only the holder fails", false, clusterShortLease},
	{"cluster: the slot moves in a mint", oneMint, true, func(t *testing.T) happened { return clusterReshard(t, false) }},
	{"cluster: the slot moves back and forth in a mint", oneMint, false, func(t *testing.T) happened { return clusterReshard(t, true) }},
	{"cluster: a slot whose move stands still", "no mint, which could not be stored", true, clusterOpenSlot},
	{"cluster: node timeout 15 s, lease 30 s, kill -9 in a mint", oneMint, false, func(t *testing.T) happened {
		return inAMint(t, startSixNodes(t, defaultTimeout), 2*defaultTimeout, kill, time.Second)
	}},
}

func clusterIdle(fault func(*server)) func(*testing.T) happened {
	return func(t *testing.T) happened { return idle(t, startSixNodes(t, nodeTimeout), fault) }
}

func clusterMint(fault func(*server), work time.Duration) func(*testing.T) happened {
	return func(t *testing.T) happened {
		return inAMint(t, startSixNodes(t, nodeTimeout), failoverLease, fault, work)
	}
}

func clusterWakes(t *testing.T) happened {
	c := startSixNodes(t, nodeTimeout)
	stores := storesOn(2, c.connect, redisstore.WithLease(failoverLease))
	owner := c.primary()
	seed(t, stores[0], owner)
	owner.Pause()
	took := recovers(t, stores[0], "before")
	fleettest.Store(t, stores[0], key, "after")
	owner.Resume()
	c.settle()
	for _, s := range stores { // the second has not heard of the failover
		_, err := s.Update(context.Background(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			assert.Equal(t, "after", string(current))
			return nil, 0, nil
		})
		require.NoError(t, err)
		wantValue(t, s, "after")
	}
	return happened{took: took}
}

func clusterManual(t *testing.T) happened {
	c := startSixNodes(t, nodeTimeout)
	_, replica := c.owner()
	return inAMint(t, c, failoverLease, func(*server) {
		require.NoError(t, replica.client().ClusterFailover(context.Background()).Err())
	}, 2*time.Second)
}

func clusterSlotGone(t *testing.T) happened {
	c := startSixNodes(t, nodeTimeout)
	const lease = 4 * time.Second
	s := redisstore.New(c.connect(), redisstore.WithLease(lease))
	owner, replica := c.owner()
	seed(t, s, owner)
	m := startMint(t, s)
	h := m.through(func() { owner.Kill(); replica.Kill() }, time.Second)
	assert.NotEmpty(t, h.note, "the write succeeded without a server")
	h.note = "the holder fails"
	_, err := redisstore.New(c.connect()).Update(context.Background(), key, fleettest.Refuse(t, "fn ran without a lock"))
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	assert.Equal(t, 1, h.mints)
	return h
}

func clusterShortLease(t *testing.T) happened {
	c := startSixNodes(t, nodeTimeout)
	stores := storesOn(4, c.connect, redisstore.WithLease(time.Second))
	patient := redisstore.New(c.connect(), redisstore.WithLease(time.Minute)) // bears the failover
	owner := c.primary()
	seed(t, stores[0], owner)
	m := startMint(t, stores[0], patient)
	h := m.through(func() { owner.Kill() }, 200*time.Millisecond)
	assert.Equal(t, 2, h.mints)
	assert.Zero(t, h.failed)
	assert.NotEmpty(t, h.note)
	h.note = "the holder fails"
	wantValue(t, redisstore.New(c.connect()), minted)
	return h
}

func clusterReshard(t *testing.T, back bool) happened {
	c := startSixNodes(t, nodeTimeout)
	owner, other := c.primary(), c.other()
	const lease = 3 * time.Second
	return inAMint(t, c, lease, func(*server) {
		move := c.beginMove(owner, other)
		time.Sleep(1500 * time.Millisecond) // the lease is extended on either side
		move.keys(valueKey)
		time.Sleep(lease + time.Second) // the two keys are at two nodes
		move.keys(lockKey)
		time.Sleep(1500 * time.Millisecond)
		move.end()
		if back {
			again := c.beginMove(other, owner)
			again.keys(lockKey)
			time.Sleep(1500 * time.Millisecond)
			again.keys(valueKey)
			again.end()
		}
	}, 500*time.Millisecond)
}

// A move is that of the slot of the tests' key from a node to another.
type move struct {
	c        *cluster
	slot     int64
	from, to *server
}

func (c *cluster) beginMove(from, to *server) move {
	c.t.Helper()
	ctx := context.Background()
	slot, err := from.client().ClusterKeySlot(ctx, valueKey).Result()
	require.NoError(c.t, err)
	m := move{c, slot, from, to}
	require.NoError(c.t, to.client().Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", nodeID(c.t, from)).Err())
	require.NoError(c.t, from.client().Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", nodeID(c.t, to)).Err())
	return m
}

func (m move) keys(keys ...string) {
	m.c.t.Helper()
	args := []any{"MIGRATE", "127.0.0.1", strconv.Itoa(m.to.Port()), "", 0, 5000, "KEYS"}
	for _, key := range keys {
		args = append(args, key)
	}
	require.NoError(m.c.t, m.from.client().Do(context.Background(), args...).Err())
}

func (m move) end() {
	m.c.t.Helper()
	for _, s := range []*server{m.to, m.from} {
		require.NoError(m.c.t, s.client().Do(context.Background(), "CLUSTER", "SETSLOT", m.slot, "NODE", nodeID(m.c.t, m.to)).Err())
	}
}

func clusterOpenSlot(t *testing.T) happened {
	c := startSixNodes(t, nodeTimeout)
	s := redisstore.New(c.connect(), redisstore.WithLease(3*time.Second))
	owner := c.primary()
	seed(t, s, owner)
	move := c.beginMove(owner, c.other())
	_, err := s.Update(context.Background(), key, fleettest.Refuse(t, "fn ran though its value could not be stored"))
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	wantValue(t, s, "before")
	move.keys(valueKey)
	move.end()
	return happened{took: recovers(t, s, "before")}
}

var sentinelScenarios = []scenario{
	{"Sentinel: kill -9 of the primary, idle", survives, false, sentinelIdle(kill)},
	{"Sentinel: SIGSTOP of the primary, idle", survives, false, sentinelIdle(halt)},
	{"Sentinel: kill -9 of the primary in a mint", oneMint, false, sentinelMint(kill, 500*time.Millisecond)},
	{"Sentinel: SIGSTOP of the primary in a mint", oneMint, false, sentinelMint(halt, 500*time.Millisecond)},
	{"Sentinel: kill -9 of the primary at the write", oneMint, false, sentinelMint(kill, 0)},
	{"Sentinel: SENTINEL FAILOVER in a mint, which waits for no replica", "1 mint, or 2 when the write was lost, or the older value stands; nobody fails", false, sentinelFailover},
	{"Sentinel: down-after 30 s, lease 60 s, kill -9 in a mint", oneMint, false, func(t *testing.T) happened {
		return inAMint(t, startSentinels(t, defaultDown), 2*defaultDown, kill, time.Second)
	}},
}

func sentinelIdle(fault func(*server)) func(*testing.T) happened {
	return func(t *testing.T) happened { return idle(t, startSentinels(t, downAfter), fault) }
}

func sentinelMint(fault func(*server), work time.Duration) func(*testing.T) happened {
	return func(t *testing.T) happened {
		return inAMint(t, startSentinels(t, downAfter), failoverLease, fault, work)
	}
}

// sentinelFailover may lose what the old primary took last: then one of those who wait mints, or the older value stands.
func sentinelFailover(t *testing.T) happened {
	w := startSentinels(t, downAfter)
	stores := storesOn(6, w.connect, redisstore.WithLease(failoverLease))
	primary := w.primary()
	seed(t, stores[0], primary)
	m := startMint(t, stores[0], stores[1:]...)
	waitReplicated(t, primary)
	h := m.through(func() { require.NoError(t, w.sentinel(t).Failover(context.Background(), masterName).Err()) }, time.Second)
	assert.Empty(t, h.note)
	assert.Zero(t, h.failed)
	assert.Contains(t, []int{1, 2}, h.mints)
	if value, err := redisstore.New(w.connect()).Load(context.Background(), key); assert.NoError(t, err) && string(value) != minted {
		h.note = "the older value stands"
	}
	return h
}
