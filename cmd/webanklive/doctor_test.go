//go:build unix

package main

// What doctor says of stores and of the secret.

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
)

func TestDoctor_SaysThatTheSecretWasNotProved(t *testing.T) {
	t.Parallel()
	b := newBench(t, livetest.NewServer(t))
	require.Zero(t, b.run(t, "doctor").exit)
	b = b.with("WEBANK_SECRET", "wrong")
	o := b.run(t, "doctor")
	assert.Zero(t, o.exit, o.out)
	assert.Regexp(t, `(?m)^not checked +secret +not proved: .*--refresh proves it`, o.out)
	o = b.run(t, "doctor", "--json")
	assert.Equal(t, true, o.object(t)["ok"])
	assert.Equal(t, checkSkipped, checks(t, o)[nameSecret].Status)
}

func TestDoctor_RefreshProvesTheSecretUnderTheLock(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	b.launched(t, "order1")
	before := b.stored(t)

	wrong := b.with("WEBANK_SECRET", "wrong")
	o := wrong.run(t, "doctor", "--refresh")
	assert.Equal(t, exitNo, o.exit)
	assert.Regexp(t, `(?m)^failed +secret +not proved: .*code 400103`, o.out)
	assert.Regexp(t, `(?m)^ok +credentials +found in the store and accepted`, o.out, "what is held stays in use")
	assert.Equal(t, before, b.stored(t))
	assert.Len(t, srv.Mints(), 1)

	o = b.run(t, "doctor", "--refresh")
	assert.Zero(t, o.exit, o.out)
	assert.Regexp(t, `(?m)^ok +secret +proved: `, o.out)
	assert.NotContains(t, o.out, "not proved")
	assert.NotEqual(t, before, b.stored(t), "the fleet's next one")
	assert.Len(t, srv.Mints(), 2)

	o = b.run(t, "doctor", "--refresh")
	assert.Equal(t, exitLater, o.exit, o.out)
	assert.Regexp(t, `(?m)^not checked +secret +not proved: .*less than a minute ago`, o.out)
	assert.Empty(t, o.errOut)
	o = b.run(t, "doctor", "--refresh", "--json")
	assert.Equal(t, "throttled", o.errorClass(t))
	assert.Equal(t, false, o.object(t)["ok"])
	assert.Len(t, srv.Mints(), 2)
}

// One in a wrong place must not start a second credential.
func TestDoctor_RefreshStartsNoEmptyStore(t *testing.T) {
	t.Parallel()
	b, p := remoteBench(t)
	o := b.run(t, "doctor", "--refresh")
	assert.Equal(t, exitUsage, o.exit, o.out)
	assert.Contains(t, o.out, "not proved: no store")
	b = b.with("WEBANK_STORE", "file:"+filepath.Join(t.TempDir(), "store"))
	o = b.run(t, "doctor", "--refresh")
	assert.Equal(t, exitNo, o.exit, o.out)
	assert.Contains(t, o.out, "not proved: ")
	assert.Contains(t, o.out, "--mint starts one")
	assert.Zero(t, p.Calls(livetest.AccessToken))
	o = b.run(t, "doctor", "--refresh", "--mint")
	assert.Zero(t, o.exit, o.out)
	assert.Len(t, p.Mints(), 1)
}

func TestDoctor_NamesOwnerAndModeOfAFileStore(t *testing.T) {
	t.Parallel()
	b := newBench(t, livetest.NewServer(t))
	require.Zero(t, b.run(t, "doctor").exit)
	dir := strings.TrimPrefix(b.env["WEBANK_STORE"], "file:")
	me := userName(uint32(os.Geteuid()))
	got := checks(t, b.run(t, "doctor", "--json"))[nameOwner]
	assert.Equal(t, checkOK, got.Status)
	assert.Regexp(t, `^directory of `+me+`, group \S+, mode 0700; credential of `+me+`, group \S+, mode 0600$`, got.Detail)

	// What an older version, or another user, left behind; the store narrows what is its own.
	files, err := filepath.Glob(filepath.Join(dir, "*.credential"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	for want, change := range map[string]func(){
		"every user can read the credential":      func() { require.NoError(t, os.Chmod(files[0], 0o604)) },
		"every user can write to the directory":   func() { require.NoError(t, os.Chmod(dir, 0o702)) },
		"the owner of the directory cannot read ": func() { require.NoError(t, os.Chown(dir, 10001, 10001)) },
	} {
		if strings.Contains(want, "cannot read") && os.Geteuid() != 0 {
			continue
		}
		change()
		d := &doctor{app: &app{}}
		d.owner(dir)
		require.Len(t, d.checks, 1)
		assert.Equal(t, checkFailed, d.checks[0].Status)
		assert.Contains(t, d.checks[0].Detail, want)
		require.NoError(t, os.Chmod(files[0], 0o600))
		require.NoError(t, os.Chmod(dir, 0o700))
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(dir, 0, 0))
		}
	}
}

func TestDoctor_NamesTheTopologyOfRedis(t *testing.T) {
	t.Parallel()
	topology := func(url string) check {
		t.Helper() // each at a platform of its own, which gives a NONCE ticket at once
		return checks(t, newBench(t, livetest.NewServer(t)).with("WEBANK_STORE", url).run(t, "doctor", "--json"))[nameTopology]
	}
	master := servertest.Redis(t)
	got := topology("redis://" + master.Addr())
	assert.Equal(t, checkOK, got.Status)
	assert.Regexp(t, `^one server, version \d[\d.]+, master with 0 replicas$`, got.Detail)

	sentinel := servertest.Sentinel(t, "shop", master, 1)
	got = topology("redis+sentinel://" + sentinel.Addr() + "?master_name=shop")
	assert.Equal(t, checkOK, got.Status)
	assert.Contains(t, got.Detail, "1 of 1 Sentinels, master shop at "+master.Addr())
	got = topology("redis+sentinel://127.0.0.1:1?master_name=shop&addr=" + sentinel.Addr())
	assert.Equal(t, checkFailed, got.Status)
	assert.Contains(t, got.Detail, "no master from 127.0.0.1:1")

	full := servertest.Redis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	got = topology("redis://" + full.Addr())
	assert.Equal(t, checkWarning, got.Status)
	assert.Contains(t, got.Detail, "evicts keys (allkeys-lru)")

	replica := servertest.Redis(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port()))
	require.Eventually(t, func() bool {
		return containsAll(redisAt(t, replica.Addr()).Info(t.Context()).Val(), "master_link_status:up")
	}, 30e9, 20e6)
	got = topology("redis://" + replica.Addr())
	assert.Equal(t, checkFailed, got.Status)
	assert.Contains(t, got.Detail, "this is a replica of 127.0.0.1:"+strconv.Itoa(master.Port()))
}

func TestDoctor_NamesTheTopologyOfACluster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	b := newBench(t, livetest.NewServer(t)).with("WEBANK_STORE", "redis+cluster://"+nodes[0])
	got := checks(t, b.run(t, "doctor", "--json"))
	assert.Equal(t, checkOK, got[nameTopology].Status)
	assert.Contains(t, got[nameTopology].Detail, "cluster of 3 masters and 0 replicas, version ")
	assert.Equal(t, checkOK, got[nameACL].Status)

	told := 0
	for _, node := range nodes { // one of which has the keys that doctor reads
		o := b.with("WEBANK_STORE", "redis://"+node).run(t, "doctor")
		assert.Equal(t, exitNo, o.exit, o.out)
		told += strings.Count(o.out, "the scheme is redis+cluster")
	}
	assert.GreaterOrEqual(t, told, 3)

	alone := servertest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t)) // all slots, as behind a proxy
	require.NoError(t, redisAt(t, alone.Addr()).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	require.Eventually(t, func() bool {
		return containsAll(redisAt(t, alone.Addr()).ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, 30e9, 20e6)
	o := b.with("WEBANK_STORE", "redis://"+alone.Addr()).run(t, "doctor", "--json")
	assert.Equal(t, checkOK, checks(t, o)[nameTopology].Status, o.out)

	require.NoError(t, redisAt(t, nodes[2]).ConfigSet(t.Context(), "cluster-require-full-coverage", "no").Err())
	text, wrong, err := clusterTopology(t.Context(), redisAt(t, nodes[0]))
	require.NoError(t, err)
	assert.Empty(t, wrong, text)
	require.NoError(t, redisAt(t, nodes[0]).Do(t.Context(), "CLUSTER", "DELSLOTS", 7, 8).Err())
	_, wrong, err = clusterTopology(t.Context(), redisAt(t, nodes[0]))
	require.NoError(t, err)
	assert.Equal(t, "nobody serves 2 of its 16384 slots", wrong)
}

func TestDoctor_TriesWhatTheUserOfRedisMayDo(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	rdb := redisAt(t, server.Addr())
	host, prefix := server.Addr(), "?prefix=shop"
	documented := []any{"on", ">pw", "~shop:*", "+get", "+set", "+del", "+pexpire", "+eval"}
	for name, try := range map[string]struct {
		rules  []any
		status string
		want   string
	}{
		"good":      {documented, checkOK, "good may do what the store needs"},
		"noeval":    {append(documented[:len(documented):len(documented)], "-eval"), checkFailed, "needs GET, SET, DEL, PEXPIRE and EVAL on shop:*"},
		"nopexpire": {append(documented[:len(documented):len(documented)], "-pexpire"), checkFailed, "pexpire"},
		"onekey":    {append(documented[:len(documented):len(documented)], "resetkeys", "~shop:{TIDAtest@*", "%R~shop:{webanklive%20doctor}"), checkWarning, "so it was not tried"},
	} {
		rules := append([]any{"ACL", "SETUSER", name}, try.rules...)
		if name == "good" {
			rules = append(rules, "+acl|whoami", "+info")
		}
		require.NoError(t, rdb.Do(t.Context(), rules...).Err(), name)
		o := newBench(t, livetest.NewServer(t)).with("WEBANK_STORE", "redis://"+name+":pw@"+host+prefix).run(t, "doctor", "--json")
		got := checks(t, o)
		assert.Equal(t, try.status, got[nameACL].Status, "%s: %v", name, got)
		assert.Contains(t, got[nameACL].Detail, try.want, name)
		assert.NotContains(t, o.out, ":pw@")
		if name != "good" {
			assert.Contains(t, got[nameTopology].Detail, "may not ask INFO")
		}
	}
	keys, err := rdb.Keys(t.Context(), "*doctor*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		assert.Positive(t, rdb.TTL(t.Context(), key).Val(), "%s ends by itself", key)
	}
}

func TestDoctor_WarnsOfAWayThatOthersCanListenTo(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	for want, target := range map[string]*redisTarget{
		checkWarning: {host: "10.0.0.1"}, checkOK: {host: "localhost"},
		"sealed": {host: "10.0.0.1", sealed: true}, "secure": {host: "redis.svc", secure: true}, "v6": {host: "::1"},
	} {
		target.UniversalClient = redisAt(t, server.Addr())
		d := &doctor{app: &app{}}
		d.topology(t.Context(), target)
		assert.Equal(t, want == checkWarning, d.checks[0].Status == checkWarning, d.checks[0].Detail)
	}
}
