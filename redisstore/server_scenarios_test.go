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
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/redisstore"
)

const noMint = "no mint, an error"

var serverScenarios = []scenario{
	{"one server: killed and restarted without its data", "absent, and one mint", true, serverLosesAll},
	{"one server: restarted with its data, LOADING for seconds", noMint + " until it is loaded", true, serverLoads},
	{"one server: SIGSTOP in a mint, shorter than the lease", oneMint, false, serverStands},
	{"one server: out of memory, noeviction", noMint, true, serverIsFull},
	{"one server: its disk fails (MISCONF)", noMint, true, serverCannotSave},
	{"one server: too few replicas (NOREPLICAS)", noMint, true, serverIsAlone},
	{"one server: no more connections (maxclients)", noMint, true, serverIsCrowded},
	{"one server: the ACL of the guide", oneMint, true, serverACL},
	{"cluster: the ACL of the guide", oneMint, true, clusterACL},
	{"one server: the ACL lacks a right", noMint, true, serverACLLacks},
	{"one server: TLS", oneMint, true, serverTLS},
	{"one server: FLUSHALL in a mint", "the holder fails with ErrLockLost; one more mint", true, serverFlushed},
	{"network: 300 ms round trips", oneMint, true, func(t *testing.T) happened { return distant(t, 300*time.Millisecond, nil) }},
	{"network: 300 ms round trips, PoolSize 1", oneMint, true, func(t *testing.T) happened {
		return distant(t, 300*time.Millisecond, func(o *redis.Options) { o.PoolSize = 1 })
	}},
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
	seed(t, s, nil)
	srv.Kill()
	_, err := s.Load(context.Background(), key)
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	srv.Start()
	began := time.Now()
	_, err = s.Load(context.Background(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(context.Background(), key, put(minted, 0))
	require.NoError(t, err)
	return happened{mints: 1, took: time.Since(began)}
}

func serverLoads(t *testing.T) happened {
	srv := startServer(t, "--loading-process-events-interval-bytes", "1024", "--key-load-delay", "0")
	s := redisstore.New(srv.client())
	seed(t, s, nil)
	rdb := srv.client()
	for i := range 200 {
		require.NoError(t, rdb.Set(context.Background(), "filler"+strconv.Itoa(i), strings.Repeat(strconv.Itoa(i), 2000), 0).Err())
	}
	require.NoError(t, rdb.Save(context.Background()).Err())
	srv.Kill()
	srv.Start("--key-load-delay", "10000") // microseconds: two seconds in all
	began := time.Now()
	_, err := s.Update(context.Background(), key, fail(t, "fn ran on a server that loads"))
	require.ErrorContains(t, err, "LOADING")
	return happened{took: recovers(t, s, "before") + time.Since(began)}
}

func serverStands(t *testing.T) happened {
	srv := startServer(t)
	stores := storesOn(6, func() *redis.Client { return srv.client() }, redisstore.WithLease(failoverLease))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {
		srv.Pause()
		time.AfterFunc(5*time.Second, func() { srv.Resume() })
	}, 500*time.Millisecond)
	assert.Equal(t, oneMint, promise(h))
	return h
}

// refusesBeforeAMint asserts that Update fails with a text before fn runs.
func refusesBeforeAMint(t *testing.T, s *redisstore.Store, text string) happened {
	t.Helper()
	began := time.Now()
	_, err := s.Update(context.Background(), key, fail(t, "fn ran though its value could not be stored"))
	require.ErrorContains(t, err, text)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	return happened{took: time.Since(began)}
}

func serverIsFull(t *testing.T) happened {
	srv := startServer(t, "--maxmemory-policy", "noeviction")
	s := redisstore.New(srv.client())
	seed(t, s, nil)
	require.NoError(t, srv.client().ConfigSet(context.Background(), "maxmemory", "500kb").Err()) // less than it has in use
	h := refusesBeforeAMint(t, s, "OOM")
	wantValue(t, s, "before")
	return h
}

func serverCannotSave(t *testing.T) happened {
	srv := startServer(t)
	s := redisstore.New(srv.client())
	seed(t, s, nil)
	rdb := srv.client()
	ctx := context.Background()
	require.NoError(t, rdb.ConfigSet(ctx, "save", "3600 1").Err())
	dir := rdb.ConfigGet(ctx, "dir").Val()["dir"]
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dump.rdb"), 0o700)) // a file cannot take its place
	require.Eventually(t, func() bool {
		_ = rdb.BgSave(ctx).Err()
		return containsLine(rdb.Info(ctx, "persistence").Val(), "rdb_last_bgsave_status:err")
	}, soon, 100*time.Millisecond)
	h := refusesBeforeAMint(t, s, "MISCONF")
	wantValue(t, s, "before")
	return h
}

func serverIsAlone(t *testing.T) happened {
	srv := startServer(t)
	s := redisstore.New(srv.client())
	seed(t, s, nil)
	require.NoError(t, srv.client().ConfigSet(context.Background(), "min-replicas-to-write", "1").Err())
	h := refusesBeforeAMint(t, s, "NOREPLICAS")
	wantValue(t, s, "before")
	return h
}

func serverIsCrowded(t *testing.T) happened {
	srv := startServer(t, "--maxclients", "10")
	for range 10 {
		conn, err := net.Dial("tcp", srv.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
	}
	began := time.Now()
	s := redisstore.New(srv.client())
	_, err := s.Update(context.Background(), key, fail(t, "fn ran without a lock"))
	require.Error(t, err)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	return happened{took: time.Since(began)}
}

// rights are those of the guide.
var rights = []string{"~webanklive:*", "+get", "+set", "+del", "+pexpire", "+eval"}

func withUser(t *testing.T, srv *server, rights []string) func() *redis.Client {
	t.Helper()
	args := []any{"ACL", "SETUSER", "shop", "reset", "on", ">open sesame"}
	for _, r := range rights {
		args = append(args, r)
	}
	require.NoError(t, srv.client().Do(context.Background(), args...).Err())
	return func() *redis.Client {
		return srv.client(func(o *redis.Options) { o.Username, o.Password = "shop", "open sesame" })
	}
}

func serverACL(t *testing.T) happened {
	srv := startServer(t)
	stores := storesOn(4, withUser(t, srv, rights), redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {}, 1500*time.Millisecond) // extended
	assert.Equal(t, oneMint, promise(h))
	wantValue(t, stores[1], minted)
	return h
}

func clusterACL(t *testing.T) happened {
	srv, _ := startCluster(t)
	withUser(t, srv, append(slices.Clone(rights), "+cluster|slots"))
	stores := storesOn(4, func() *redis.ClusterClient {
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{srv.Addr()}, Username: "shop", Password: "open sesame"})
		t.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}, redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {}, 1500*time.Millisecond) // extended
	assert.Equal(t, oneMint, promise(h))
	wantValue(t, stores[1], minted)
	return h
}

// serverACLLacks takes each right away in turn: what a mint would need is missed before it.
func serverACLLacks(t *testing.T) happened {
	srv := startServer(t)
	seed(t, redisstore.New(srv.client()), nil)
	h := happened{}
	for i, right := range rights[1:] {
		s := redisstore.New(withUser(t, srv, slices.Delete(slices.Clone(rights), i+1, i+2))())
		began := time.Now()
		ran := false
		_, err := s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			ran = true
			return nil, 0, nil
		})
		h.took = max(h.took, time.Since(began))
		if right == "+pexpire" || right == "+del" { // they are asked for later; the lease then ends by itself
			require.NoError(t, err, right)
			_ = srv.client().Del(context.Background(), lockKey).Err()
			continue
		}
		require.Error(t, err, right)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential, right)
		assert.False(t, ran, right)
		_ = srv.client().Del(context.Background(), lockKey).Err()
	}
	return h
}

func serverTLS(t *testing.T) happened {
	pool, cert, certKey := selfSigned(t)
	srv := startServer(t, "--tls-port", strconv.Itoa(servertest.FreePort(t)), "--tls-cert-file", cert, "--tls-key-file", certKey, "--tls-auth-clients", "no")
	tlsPort := srv.args[slices.Index(srv.args, "--tls-port")+1]
	stores := storesOn(4, func() *redis.Client {
		return srv.client(func(o *redis.Options) {
			o.Addr = "127.0.0.1:" + tlsPort
			o.TLSConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		})
	}, redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {}, 1500*time.Millisecond)
	assert.Equal(t, oneMint, promise(h))
	stranger := redisstore.New(srv.client(func(o *redis.Options) {
		o.Addr = "127.0.0.1:" + tlsPort
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}))
	_, err := stranger.Load(context.Background(), key)
	require.ErrorContains(t, err, "certificate")
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
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
	stores := storesOn(4, func() *redis.Client { return srv.client() }, redisstore.WithLease(3*time.Second))
	seed(t, stores[0], nil)
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() { require.NoError(t, srv.client().FlushAll(context.Background()).Err()) }, 100*time.Millisecond)
	assert.Equal(t, "the holder's: ErrLockLost", h.note)
	assert.Zero(t, h.failed)
	assert.LessOrEqual(t, h.mints, 2)
	h.mints, h.note = 2, "the holder's ErrLockLost"
	return h
}

func distant(t *testing.T, roundTrip time.Duration, change func(*redis.Options)) happened {
	p := startProxy(t, startServer(t).Addr())
	p.set(func() { p.delay = roundTrip / 2 })
	stores := storesOn(6, func() *redis.Client {
		if change == nil {
			return p.client()
		}
		return p.client(change)
	}, redisstore.WithLease(3*time.Second))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {}, 4*time.Second) // extended
	assert.Equal(t, oneMint, promise(h))
	wantValue(t, stores[1], minted)
	return h
}

func blackHole(t *testing.T) happened {
	p := startProxy(t, startServer(t).Addr())
	stores := storesOn(4, func() *redis.Client { return p.client() }, redisstore.WithLease(failoverLease))
	m := startMint(t, stores[0], stores[1:]...)
	h := m.through(func() {
		p.set(func() { p.silent = true })
		time.AfterFunc(4*time.Second, func() { p.set(func() { p.silent = false }) })
	}, 300*time.Millisecond)
	assert.Equal(t, oneMint, promise(h))
	wantValue(t, stores[1], minted)
	return h
}

func blackHoleForGood(t *testing.T) happened {
	p := startProxy(t, startServer(t).Addr())
	s := redisstore.New(p.client())
	seed(t, s, nil)
	p.set(func() { p.silent = true })
	h := refusesBeforeAMint(t, s, "no answer from Redis")
	_, err := s.Load(context.Background(), key)
	require.ErrorContains(t, err, "no answer from Redis")
	assert.Less(t, h.took, 7*time.Second)
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
			assert.NoError(t, conns[i].Ping(context.Background()).Err())
		}()
	}
	all.Wait()
	for _, c := range conns {
		_ = c.Close()
	}
	require.EqualValues(t, n, rdb.PoolStats().IdleConns)
}

// demotedBehind has another server promoted behind an address; the connections that exist stay with the old one.
func demotedBehind(t *testing.T, reword func([]byte) []byte) happened {
	old, promoted := startServer(t), startServer(t)
	p := startProxy(t, old.Addr())
	rdb := p.client(func(o *redis.Options) { o.PoolSize = 20 })
	s := redisstore.New(rdb)
	seed(t, s, nil)
	warm(t, rdb, 20)
	require.NoError(t, old.client().Do(context.Background(), "REPLICAOF", "127.0.0.1", promoted.Port()).Err())
	p.set(func() { p.target, p.reword = promoted.Addr(), reword })
	began := time.Now()
	_, err := s.Update(context.Background(), key, put(minted, 0))
	require.NoError(t, err)
	took := time.Since(began)
	assert.Less(t, took, 3*time.Second)
	assert.Equal(t, minted, promoted.client().Get(context.Background(), valueKey).Val())
	return happened{mints: 1, took: took}
}

// hangingBehind has the server behind an address stop, as a machine that lost its power does.
func hangingBehind(t *testing.T) happened {
	old, promoted := startServer(t), startServer(t)
	p := startProxy(t, old.Addr())
	rdb := p.client(func(o *redis.Options) { o.PoolSize = 20 })
	s := redisstore.New(rdb)
	seed(t, s, nil)
	warm(t, rdb, 20)
	old.Pause()
	p.set(func() { p.target = promoted.Addr() })
	began := time.Now()
	for {
		_, err := s.Update(context.Background(), key, put(minted, 0))
		if err == nil {
			break
		}
		require.Less(t, time.Since(began), time.Minute, "%v", err)
	}
	took := time.Since(began)
	assert.Less(t, took, 7*time.Second)
	return happened{mints: 1, took: took}
}
