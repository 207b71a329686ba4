//go:build unix

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
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
			assert.Equal(t, exitUsage, o.exit, "trying again does not help")
			assert.Contains(t, o.errOut, "the scheme is redis+cluster")
		}
	}
	assert.Equal(t, 2, refused)
	assert.Len(t, srv.Mints(), 1)
}

func TestStore_MasterIsFoundBySentinel(t *testing.T) {
	t.Parallel()
	master := servertest.Redis(t)
	sentinel := servertest.Sentinel(t, "shop", master, 1)
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
			if args[0] == "result" {
				assert.Equal(t, exitUsage, o.exit, want)
			}
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
	srv := livetest.NewServer(t)
	b := newBench(t, srv).with("WEBANK_STORE", "rediss://localhost:"+port)
	for want, ca := range map[int]string{exitDone: "ca.pem", exitNo: ""} {
		cmd := b.command(t, "doctor", "--json")
		if ca != "" {
			cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+filepath.Join(dir, ca))
		}
		out, _ := cmd.Output()
		assert.Equal(t, want, cmd.ProcessState.ExitCode(), string(out))
		if want == exitNo {
			assert.Contains(t, string(out), "x509: ")
		}
	}
	assert.Len(t, srv.Mints(), 1)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
