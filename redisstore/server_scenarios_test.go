//go:build unix

package redisstore_test

// The scenarios of one server, and of what lies between it and the clients.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/redisstore"
)

const noMint = "no mint, an error"

var serverScenarios = []scenario{
	{"one server: killed and restarted without its data", "absent, and one mint", true, serverLosesAll},
	{"one server: restarted with its data, LOADING for seconds", noMint + " until it is loaded", true, serverLoads},
	{"one server: SIGSTOP in a mint, shorter than the lease", oneMint, false, serverStands},
	{"one server: out of memory, noeviction", noMint, true, refuses("OOM", configure("maxmemory", "500kb"))}, // less than it has in use
	{"one server: its disk fails (MISCONF)", noMint, true, refuses("MISCONF", failSaves)},
	{"one server: too few replicas (NOREPLICAS)", noMint, true, refuses("NOREPLICAS", configure("min-replicas-to-write", "1"))},
	{"one server: no more connections (maxclients)", noMint, true, serverIsCrowded},
	{"one server: the ACL of the guide", oneMint, true, func(t *testing.T) happened {
		return extended(t, withUser(t, startServer(t), rights))
	}},
	{"cluster: the ACL of the guide", oneMint, true, clusterACL},
	{"one server: the ACL lacks a right", noMint, true, serverACLLacks},
	{"one server: TLS", oneMint, true, serverTLS},
	{"one server: FLUSHALL in a mint", "the holder fails with ErrLockLost; one more mint", true, serverFlushed},
	{"network: 300 ms round trips", oneMint, true, func(t *testing.T) happened { return distant(t, 0) }},
	{"network: 300 ms round trips, PoolSize 1", oneMint, true, func(t *testing.T) happened { return distant(t, 1) }},
	{"network: a black hole in a mint, shorter than the lease", oneMint, true, blackHole},
	{"network: a black hole", noMint + " within 7 s", true, blackHoleForGood},
	{"one address: demoted behind it, 20 idle connections", "a refresh within 3 s", true, func(t *testing.T) happened {
		return demotedBehind(t, nil)
	}},
	{"one address: the same, a proxy says READONLY in its words", "a refresh within 3 s", true, func(t *testing.T) happened {
		return demotedBehind(t, func(reply []byte) []byte {
			return bytes.ReplaceAll(reply, []byte("-READONLY You can't write against a read only replica."), []byte("-ERR upstream failure: READONLY You can't write to it"))
		})
	}},
	{"one address: the server behind it hangs, 20 idle connections", "a refresh within 7 s", true, hangingBehind},
}

func serverLosesAll(t *testing.T) happened {
	srv := startServer(t)
	s := redisstore.New(srv.client())
	fleettest.Store(t, s, key, "before")
	srv.Kill()
	began := time.Now()
	fleettest.WantRefusal(t, s, key, "")
	assert.Less(t, time.Since(began), 15*time.Second)
	srv.Start()
	began = time.Now()
	_, err := s.Load(t.Context(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	fleettest.Store(t, s, key, minted)
	return happened{mints: 1, took: time.Since(began)}
}

func serverLoads(t *testing.T) happened {
	srv := startServer(t, "--loading-process-events-interval-bytes", "1024", "--key-load-delay", "0")
	s := redisstore.New(srv.client())
	fleettest.Store(t, s, key, "before")
	rdb := srv.client()
	for i := range 200 {
		require.NoError(t, rdb.Set(t.Context(), "filler"+strconv.Itoa(i), strings.Repeat(strconv.Itoa(i), 2000), 0).Err())
	}
	require.NoError(t, rdb.Save(t.Context()).Err())
	srv.Kill()
	srv.Start("--key-load-delay", "10000") // microseconds: two seconds in all
	return happened{took: refusesBeforeAMint(t, s, "LOADING").took + recovers(t, s, "before")}
}

func serverStands(t *testing.T) happened {
	srv := startServer(t)
	return mintsOnce(t, srv.connect, failoverLease, func() {
		srv.Pause()
		time.AfterFunc(5*time.Second, func() { srv.Resume() })
	}, 500*time.Millisecond)
}

// refuses is a scenario whose server takes no write after something that befalls it.
func refuses(text string, spoil func(t *testing.T, rdb *redis.Client)) func(*testing.T) happened {
	return func(t *testing.T) happened {
		srv := startServer(t)
		s := redisstore.New(srv.client())
		fleettest.Store(t, s, key, "before")
		spoil(t, srv.client())
		h := refusesBeforeAMint(t, s, text)
		wantValue(t, s, "before")
		return h
	}
}

// refusesBeforeAMint asserts that Update fails with a text before fn runs.
func refusesBeforeAMint(t *testing.T, s *redisstore.Store, text string) happened {
	t.Helper()
	began := time.Now()
	_, err := s.Update(t.Context(), key, fleettest.Refuse(t, "fn ran though its value could not be stored"))
	require.ErrorContains(t, err, text)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	return happened{took: time.Since(began)}
}

func configure(parameter, value string) func(*testing.T, *redis.Client) {
	return func(t *testing.T, rdb *redis.Client) {
		require.NoError(t, rdb.ConfigSet(t.Context(), parameter, value).Err())
	}
}

func failSaves(t *testing.T, rdb *redis.Client) {
	configure("save", "3600 1")(t, rdb)
	dir := rdb.ConfigGet(t.Context(), "dir").Val()["dir"]
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dump.rdb"), 0o700)) // a file cannot take its place
	require.Eventually(t, func() bool {
		_ = rdb.BgSave(t.Context()).Err()
		return containsLine(rdb.Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
	}, soon, 100*time.Millisecond)
}

func serverIsCrowded(t *testing.T) happened {
	srv := startServer(t, "--maxclients", "10")
	for range 10 {
		conn, err := net.Dial("tcp", srv.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
	}
	return refusesBeforeAMint(t, redisstore.New(srv.client()), "")
}

// rights are those of the guide.
var rights = []string{"~webanklive:*", "+get", "+set", "+del", "+pexpire", "+eval"}

// withUser makes a user with these rights and returns what makes a client of that user.
func withUser(t *testing.T, srv *server, rights []string) func() redis.UniversalClient {
	t.Helper()
	args := []any{"ACL", "SETUSER", "shop", "reset", "on", ">open sesame"}
	for _, r := range rights {
		args = append(args, r)
	}
	require.NoError(t, srv.client().Do(t.Context(), args...).Err())
	return func() redis.UniversalClient {
		return srv.client(func(o *redis.Options) { o.Username, o.Password = "shop", "open sesame" })
	}
}

func clusterACL(t *testing.T) happened {
	srv, _ := startCluster(t)
	withUser(t, srv, append(slices.Clone(rights), "+cluster|slots"))
	return extended(t, func() redis.UniversalClient {
		return newClusterClient(t, &redis.ClusterOptions{Addrs: []string{srv.Addr()}, Username: "shop", Password: "open sesame"})
	})
}

// serverACLLacks takes each right away in turn: what a mint would need is missed before it.
func serverACLLacks(t *testing.T) happened {
	srv := startServer(t)
	fleettest.Store(t, redisstore.New(srv.client()), key, "before")
	h := happened{}
	for i, right := range rights[1:] {
		s := redisstore.New(withUser(t, srv, slices.Delete(slices.Clone(rights), i+1, i+2))())
		began := time.Now()
		ran := false
		_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			ran = true
			return nil, 0, nil
		})
		h.took = max(h.took, time.Since(began))
		if right == "+pexpire" || right == "+del" { // they are asked for later; the lease then ends by itself
			require.NoError(t, err, right)
			_ = srv.client().Del(t.Context(), lockKey).Err()
			continue
		}
		require.Error(t, err, right)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential, right)
		assert.False(t, ran, right)
		_ = srv.client().Del(t.Context(), lockKey).Err()
	}
	return h
}

func serverTLS(t *testing.T) happened {
	pool, cert, certKey := selfSigned(t)
	port := strconv.Itoa(servertest.FreePort(t))
	srv := startServer(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", certKey, "--tls-auth-clients", "no")
	trusting := func(pool *x509.CertPool) redis.UniversalClient {
		return newClient(t, "127.0.0.1:"+port, func(o *redis.Options) {
			o.TLSConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		})
	}
	h := extended(t, func() redis.UniversalClient { return trusting(pool) })
	fleettest.WantValue(t, redisstore.New(srv.client()), key, minted)
	fleettest.WantRefusal(t, redisstore.New(trusting(nil)), key, "certificate")
	return h
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (pool *x509.CertPool, cert, certKey string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, certKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(certKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, cert, certKey
}

func serverFlushed(t *testing.T) happened {
	srv := startServer(t)
	stores := storesOn(4, srv.connect, redisstore.WithLease(3*time.Second))
	fleettest.Store(t, stores[0], key, "before")
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() { require.NoError(t, srv.client().FlushAll(t.Context()).Err()) }, 100*time.Millisecond)
	assert.Equal(t, "the holder's: ErrLockLost", h.note)
	assert.Zero(t, h.failed)
	assert.LessOrEqual(t, h.mints, 2)
	h.mints, h.note = 2, "the holder's ErrLockLost"
	return h
}

func distant(t *testing.T, poolSize int) happened {
	p := startProxy(t, startServer(t).Addr())
	p.set(func() { p.delay = 150 * time.Millisecond }) // each way
	return mintsOnce(t, func() redis.UniversalClient {
		return p.client(func(o *redis.Options) { o.PoolSize = poolSize })
	}, 3*time.Second, func() {}, 4*time.Second) // extended
}

func blackHole(t *testing.T) happened {
	p := startProxy(t, startServer(t).Addr())
	return mintsOnce(t, p.connect, failoverLease, func() {
		p.set(func() { p.silent = true })
		time.AfterFunc(4*time.Second, func() { p.set(func() { p.silent = false }) })
	}, 300*time.Millisecond)
}

func blackHoleForGood(t *testing.T) happened {
	p := startProxy(t, startServer(t).Addr())
	s := redisstore.New(p.client(forEver))
	fleettest.Store(t, s, key, "before")
	p.set(func() { p.silent = true })
	h := refusesBeforeAMint(t, s, "no answer from Redis within 3s")
	assert.Less(t, h.took, 7*time.Second)
	fleettest.WantRefusal(t, s, key, "no answer from Redis within 3s")
	return h
}

// warm opens n connections of rdb.
func warm(t *testing.T, rdb *redis.Client, n int) {
	t.Helper()
	var all sync.WaitGroup
	conns := make([]*redis.Conn, n)
	for i := range conns {
		conns[i] = rdb.Conn()
		all.Add(1)
		go func() {
			defer all.Done()
			assert.NoError(t, conns[i].Ping(t.Context()).Err())
		}()
	}
	all.Wait()
	for _, c := range conns {
		_ = c.Close()
	}
	require.EqualValues(t, n, rdb.PoolStats().IdleConns)
}

// behindAnAddress has another server take the place of the one that 20 idle connections lead to, and wants a refresh
// within the limit. Attempts may fail until then if it says so.
func behindAnAddress(t *testing.T, fault func(p *proxy, old, promoted *server), limit time.Duration, mayFail bool) happened {
	t.Helper()
	old, promoted := startServer(t), startServer(t)
	p := startProxy(t, old.Addr())
	rdb := p.client(func(o *redis.Options) { o.PoolSize = 20 })
	s := redisstore.New(rdb)
	fleettest.Store(t, s, key, "before")
	warm(t, rdb, 20)
	fault(p, old, promoted)
	began := time.Now()
	_, err := s.Update(t.Context(), key, fleettest.Put(minted, 0))
	for mayFail && err != nil && time.Since(began) < limit {
		_, err = s.Update(t.Context(), key, fleettest.Put(minted, 0))
	}
	require.NoError(t, err)
	took := time.Since(began)
	assert.Less(t, took, limit)
	assert.Equal(t, minted, promoted.client().Get(t.Context(), valueKey).Val())
	return happened{mints: 1, took: took}
}

// demotedBehind has another server promoted behind an address; the connections that exist stay with the old one.
func demotedBehind(t *testing.T, reword func([]byte) []byte) happened {
	return behindAnAddress(t, func(p *proxy, old, promoted *server) {
		require.NoError(t, old.client().Do(t.Context(), "REPLICAOF", "127.0.0.1", promoted.Port()).Err())
		p.set(func() { p.target, p.reword = promoted.Addr(), reword })
	}, 3*time.Second, false)
}

// hangingBehind has the server behind an address stop, as a machine that lost its power does.
func hangingBehind(t *testing.T) happened {
	return behindAnAddress(t, func(p *proxy, old, promoted *server) {
		old.Pause()
		p.set(func() { p.target = promoted.Addr() })
	}, 7*time.Second, true)
}
