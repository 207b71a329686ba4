//go:build unix

package main

// Real Redis servers: one alone, a cluster, and one behind Sentinel.

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/redisstore"
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
		untilContains(t, func() string { return node.ClusterInfo(t.Context()).Val() },
			"cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_ok:16384")
	}
	return addrs
}

// startReplica returns the address of a server that follows master.
func startReplica(t *testing.T, master *servertest.Server) string {
	t.Helper()
	addr := servertest.Redis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port())).Addr()
	replica := redisAt(t, addr)
	untilContains(t, func() string { return replica.Info(t.Context()).Val() }, "master_link_status:up")
	return addr
}

// untilContains waits until a server says all of wanted.
func untilContains(t *testing.T, says func() string, wanted ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		text := says()
		return !slices.ContainsFunc(wanted, func(want string) bool { return !strings.Contains(text, want) })
	}, time.Minute, 20*time.Millisecond, wanted)
}

func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(servertest.FreePort(t))
}

// sharesStore returns a bench whose store is at url: what one run of the command puts there, the next one uses.
func sharesStore(t *testing.T, url string) bench {
	t.Helper()
	b := newBench(t).with("WEBANK_STORE", url)
	for range 2 {
		b.run(t, exitDone, "result", "passed1")
	}
	assert.Len(t, b.srv.Mints(), 1, "the second run read what the first one wrote")
	return b
}

func TestStore_PrefixIsTheKeysAndNoPasswordIsShown(t *testing.T) {
	t.Parallel()
	addr := servertest.Redis(t, "--requirepass", "REDISPASSWORD").Addr()
	url := "redis://:REDISPASSWORD@" + addr + "/0?prefix=shop"
	b := sharesStore(t, url)
	rdb := redis.NewClient(&redis.Options{Addr: addr, Password: "REDISPASSWORD"})
	t.Cleanup(func() { _ = rdb.Close() })
	assert.True(t, strings.HasPrefix(rdb.RandomKey(t.Context()).Val(), "shop:"))
	o := b.run(t, exitDone, "doctor")
	assert.Contains(t, o.out, "redis://"+addr+"/0 can be read")
	assert.NotContains(t, o.out+o.errOut, "REDISPASSWORD")
	o = b.with("WEBANK_STORE", strings.Replace(url, "REDISPASSWORD", "WRONGPASSWORD", 1)).run(t, exitLater, "result", "passed1")
	assert.NotContains(t, o.errOut, "WRONGPASSWORD")
}

func TestStore_ClusterIsReachedFromEveryNode(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	b := sharesStore(t, "redis+cluster://"+nodes[0]+"?addr="+nodes[1]+"&prefix=shop")
	refused := 0
	for _, node := range nodes {
		b.with("WEBANK_STORE", "redis+cluster://"+node+"?prefix=shop").run(t, exitDone, "result", "passed1")
		o := b.with("WEBANK_STORE", "redis://"+node+"?prefix=shop").runIn(t.Context(), "result", "passed1")
		if o.exit != exitDone { // one of them holds the key
			refused++
			assert.Equal(t, exitUsage, o.exit, "trying again does not help")
			assert.Contains(t, o.errOut, "the scheme is redis+cluster")
		}
	}
	assert.Equal(t, 2, refused)
	assert.Len(t, b.srv.Mints(), 1)
}

func TestStore_MasterIsFoundBySentinel(t *testing.T) {
	t.Parallel()
	master := servertest.Redis(t)
	sentinel := servertest.Sentinel(t, "shop", master, 1)
	b := sharesStore(t, "redis+sentinel://127.0.0.1:1/2?master_name=shop&addr="+sentinel.Addr())
	b.with("WEBANK_STORE", "redis://"+master.Addr()+"/2").run(t, exitDone, "result", "passed1")
	for url, want := range map[string]string{
		"redis://" + sentinel.Addr():         "the scheme is redis+sentinel",
		"redis://" + startReplica(t, master): "this is a replica",
		"redis+cluster://" + master.Addr():   "this is no Redis Cluster",
	} {
		o := b.with("WEBANK_STORE", url).runIn(t.Context(), "result", "passed1")
		assert.NotZero(t, o.exit, url)
		assert.Contains(t, o.errOut, want)
	}
	assert.Len(t, b.srv.Mints(), 1)
}

const fleetKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func TestStore_EncryptedOneIsReadWithTheFleetsKeyAndNeverMintedOver(t *testing.T) {
	t.Parallel()
	rdb := redisAt(t, servertest.Redis(t).Addr())
	b := newBench(t).with("WEBANK_STORE", "redis://"+rdb.Options().Addr)
	key, err := hex.DecodeString(fleetKey)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	fleet, err := webanklive.NewClient(b.srv.AppID(), b.srv.Secret(), webanklive.WithBaseURLs(b.srv.APIURL, b.srv.H5URL),
		webanklive.WithCredentialStore(redisstore.New(rdb, redisstore.WithEncryption(aead))))
	require.NoError(t, err)
	_, err = fleet.Credential(t.Context())
	require.NoError(t, err)
	stored := rdb.RandomKey(t.Context()).Val()
	value := rdb.Get(t.Context(), stored).Val()
	require.NotEmpty(t, value)

	for _, good := range []bench{b.with("WEBANK_STORE_KEY", fleetKey), b.with("WEBANK_STORE_KEY_FILE", writeFile(t, strings.ToUpper(fleetKey)+"\n"))} {
		good.run(t, exitDone, "result", "passed1")
		good.run(t, exitDone, "doctor")
	}
	for want, wrong := range map[string]bench{
		"the fleet uses redisstore.WithEncryption: set WEBANK_STORE_KEY or WEBANK_STORE_KEY_FILE to its key": b,
		"WEBANK_STORE_KEY is not the fleet's key":                                                            b.with("WEBANK_STORE_KEY", strings.Repeat("ab", 32)),
	} {
		for args, exit := range map[string]int{"result passed1": exitUsage, "result passed1 --mint": exitUsage, "doctor": exitNo, "doctor --mint": exitNo} {
			o := wrong.run(t, exit, strings.Fields(args)...)
			assert.Contains(t, o.out+o.errOut, want, args)
		}
	}
	assert.Equal(t, value, rdb.Get(t.Context(), stored).Val())
	assert.Len(t, b.srv.Mints(), 1, "no key, a wrong key: no mint")
}

func TestStore_PlainOneIsNotTakenForAnEncryptedOne(t *testing.T) {
	t.Parallel()
	b := sharesStore(t, "redis://"+servertest.Redis(t).Addr())
	o := b.with("WEBANK_STORE_KEY", fleetKey).run(t, exitUsage, "result", "passed1", "--mint")
	assert.Contains(t, o.errOut, "or the fleet does not encrypt yet")
	assert.Len(t, b.srv.Mints(), 1)
}

func TestStore_TLSIsVerified(t *testing.T) {
	t.Parallel()
	made, err := newAuthority("a test's", "redis.test")
	require.NoError(t, err)
	dir := t.TempDir()
	keyDER, err := x509.MarshalPKCS8PrivateKey(made.server.PrivateKey)
	require.NoError(t, err)
	files := map[string]string{
		"ca.pem": made.pem, "cert.pem": pemOf("CERTIFICATE", made.server.Certificate[0]), "key.pem": pemOf("PRIVATE KEY", keyDER),
	}
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	port := freePort(t)
	servertest.Redis(t, "--tls-port", port, "--tls-auth-clients", "no", "--tls-ca-cert-file", filepath.Join(dir, "ca.pem"),
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"))
	b := newBench(t).with("WEBANK_STORE", "rediss://localhost:"+port)
	trusting := b.with("SSL_CERT_FILE", filepath.Join(dir, "ca.pem"))
	finish(t, trusting.command(t, "doctor"), exitDone)
	assert.Contains(t, finish(t, b.command(t, "doctor"), exitNo).out, "x509: ")
	assert.Len(t, b.srv.Mints(), 1)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
