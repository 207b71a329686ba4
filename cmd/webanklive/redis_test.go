//go:build unix

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
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
	master := servertest.Redis(t)
	sentinel := servertest.Sentinel(t, "shop", master)
	b, srv := storeIsTheFleets(t, "redis+sentinel://127.0.0.1:1/2?master_name=shop&addr="+sentinel.Addr())
	o := b.with("WEBANK_STORE", "redis://"+master.Addr()+"/2").run(t, "result", "order1")
	assert.Zero(t, o.exit, o.errOut)
	o = b.with("WEBANK_STORE", "redis://"+sentinel.Addr()).run(t, "result", "order1")
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "the scheme is redis+sentinel")

	replica := servertest.Redis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port()))
	o = b.with("WEBANK_STORE", "redis://"+replica.Addr()).run(t, "result", "order1")
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "this is a replica")
	o = b.with("WEBANK_STORE", "redis+cluster://"+master.Addr()).run(t, "result", "order1")
	require.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "this is no Redis Cluster")
	assert.Len(t, srv.Mints(), 1)
}

// The key of a fleet, and a fleet that uses it.
const fleetKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestStore_EncryptedOneIsReadWithTheFleetsKeyAndNeverMintedOver(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	key, err := hex.DecodeString(fleetKey)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	fleet, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL),
		webanklive.WithCredentialStore(redisstore.New(redisAt(t, server.Addr()), redisstore.WithEncryption(aead))))
	require.NoError(t, err)
	_, err = fleet.Credential(t.Context())
	require.NoError(t, err)

	b := newBench(t, srv).with("WEBANK_STORE", "redis://"+server.Addr())
	for _, good := range []bench{b.with("WEBANK_STORE_KEY", fleetKey), b.with("WEBANK_STORE_KEY_FILE", writeFile(t, strings.ToUpper(fleetKey)+"\n"))} {
		o := good.run(t, "result", "order1")
		assert.Zero(t, o.exit, o.errOut)
		o = good.run(t, "doctor")
		assert.Zero(t, o.exit, o.out)
	}
	stored, err := redisAt(t, server.Addr()).Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, stored)
	value := redisAt(t, server.Addr()).Get(t.Context(), stored[0]).Val()
	for want, wrong := range map[string]bench{
		"set WEBANK_STORE_KEY or WEBANK_STORE_KEY_FILE to its key": b,
		"WEBANK_STORE_KEY is not the fleet's key":                  b.with("WEBANK_STORE_KEY", strings.Repeat("ab", 32)),
	} {
		for _, args := range [][]string{{"result", "order1"}, {"result", "order1", "--mint"}, {"doctor"}, {"doctor", "--mint"}} {
			o := wrong.run(t, args...)
			assert.NotZero(t, o.exit, "%s: %v", want, args)
			assert.Contains(t, o.out+o.errOut, want, args)
		}
	}
	assert.Equal(t, value, redisAt(t, server.Addr()).Get(t.Context(), stored[0]).Val())
	assert.Len(t, srv.Mints(), 1, "no key, a wrong key: no mint")
}

func TestStore_PlainOneIsNotTakenForAnEncryptedOne(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	b, srv := storeIsTheFleets(t, "redis://"+server.Addr())
	o := b.with("WEBANK_STORE_KEY", fleetKey).run(t, "result", "order1", "--mint")
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, "or the fleet does not encrypt yet")
	assert.Len(t, srv.Mints(), 1)
}
