//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStore_ClusterIsReachedFromEveryNode(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	b, srv := storeIsTheFleets(t, "redis+cluster://"+nodes[0]+"?addr="+nodes[1]+"&prefix=shop")
	for _, node := range nodes {
		o := b.with("WEBANK_STORE", "redis+cluster://"+node+"?prefix=shop").run(t, "result", "order1")
		assert.Zero(t, o.exit, o.errOut)
	}
	refused := 0
	for _, node := range nodes { // one of them holds the key
		o := b.with("WEBANK_STORE", "redis://"+node+"?prefix=shop").run(t, "result", "order1")
		if o.exit != 0 {
			refused++
			assert.Contains(t, o.errOut, "the scheme is redis+cluster")
		}
	}
	assert.Equal(t, 2, refused)
	assert.Len(t, srv.Mints(), 1)
}

func TestStore_MasterIsFoundBySentinel(t *testing.T) {
	t.Parallel()
	sentinel, master := startSentinel(t)
	b, srv := storeIsTheFleets(t, "redis+sentinel://127.0.0.1:1/2?master_name=shop&addr="+sentinel)
	o := b.with("WEBANK_STORE", "redis://"+master+"/2").run(t, "result", "order1")
	assert.Zero(t, o.exit, o.errOut)
	o = b.with("WEBANK_STORE", "redis://"+sentinel).run(t, "result", "order1")
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "the scheme is redis+sentinel")

	replica := startRedis(t, "--save", "", "--replicaof", "127.0.0.1 "+portOf(t, master))
	o = b.with("WEBANK_STORE", "redis://"+replica).run(t, "result", "order1")
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "this is a replica")
	o = b.with("WEBANK_STORE", "redis+cluster://"+master).run(t, "result", "order1")
	require.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "this is no Redis Cluster")
	assert.Len(t, srv.Mints(), 1)
}
