//go:build unix

package main

// What doctor says of stores: whose the files are, and which kind of Redis there is.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

func TestDoctor_NamesOwnerAndModeOfAFileStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run(t, exitDone, "doctor")
	dir := strings.TrimPrefix(b.env["WEBANK_STORE"], "file:")
	me := userName(uint32(os.Geteuid()))
	got := b.doctor(t, exitDone)[nameOwner]
	assert.Equal(t, checkOK, got.Status)
	assert.Regexp(t, `^directory of `+me+`, group \S+, mode 0700; credential of `+me+`, group \S+, mode 0600$`, got.Detail)

	// What an older version, or another user, left behind; the store narrows what is its own.
	file := only(t, filepath.Join(dir, "*.credential"))
	for _, try := range []struct {
		want      string
		file, dir os.FileMode
		foreign   bool
	}{
		{want: "every user can read the credential", file: 0o604, dir: 0o700},
		{want: "every user can write to the directory", file: 0o600, dir: 0o702},
		{want: "the owner of the directory cannot read ", file: 0o600, dir: 0o700, foreign: true},
	} {
		if try.foreign && os.Geteuid() != 0 {
			continue
		}
		require.NoError(t, os.Chmod(file, try.file))
		require.NoError(t, os.Chmod(dir, try.dir))
		if try.foreign {
			require.NoError(t, os.Chown(dir, 10001, 10001))
		}
		d := &doctor{app: &app{}}
		d.owner(dir)
		require.Len(t, d.checks, 1)
		assert.Equal(t, checkFailed, d.checks[0].Status)
		assert.Contains(t, d.checks[0].Detail, try.want)
	}
}

func TestDoctor_NamesTheTopologyOfRedis(t *testing.T) {
	t.Parallel()
	master := servertest.Redis(t)
	sentinel := servertest.Sentinel(t, "shop", master, 1)
	full := servertest.Redis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	for url, want := range map[string]struct {
		exit           int
		status, detail string
	}{
		"redis://" + master.Addr():                                              {exitDone, checkOK, `^one server, version \d[\d.]+, master with 1 replicas$`},
		"redis+sentinel://" + sentinel.Addr() + "?master_name=shop":             {exitDone, checkOK, "1 of 1 Sentinels, master shop at " + master.Addr()},
		"redis+sentinel://127.0.0.1:1?master_name=shop&addr=" + sentinel.Addr(): {exitNo, checkFailed, "no master from 127.0.0.1:1"},
		"redis://" + full.Addr():                                                {exitDone, checkWarning, `evicts keys \(allkeys-lru\)`},
		"redis://" + startReplica(t, master):                                    {exitNo, checkFailed, "this is a replica of " + master.Addr()},
	} {
		// Each at a platform of its own, which gives a NONCE ticket at once.
		got := newBench(t).with("WEBANK_STORE", url).doctor(t, want.exit)[nameTopology]
		assert.Equal(t, want.status, got.Status, got.Detail)
		assert.Regexp(t, want.detail, got.Detail)
	}
}

func TestDoctor_NamesTheTopologyOfACluster(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	b := newBench(t).with("WEBANK_STORE", "redis+cluster://"+nodes[0])
	got := b.doctor(t, exitDone)
	assert.Equal(t, checkOK, got[nameTopology].Status)
	assert.Contains(t, got[nameTopology].Detail, "cluster of 3 masters and 0 replicas, version ")
	assert.Equal(t, checkOK, got[nameACL].Status)

	told := 0
	for _, node := range nodes { // one of which has the keys that doctor reads
		o := b.with("WEBANK_STORE", "redis://"+node).run(t, exitNo, "doctor")
		told += strings.Count(o.out, "the scheme is redis+cluster")
	}
	assert.GreaterOrEqual(t, told, 3)

	alone := redisAt(t, servertest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t)).Addr()) // all slots, as behind a proxy
	require.NoError(t, alone.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	untilContains(t, func() string { return alone.ClusterInfo(t.Context()).Val() }, "cluster_state:ok")
	assert.Equal(t, checkOK, b.with("WEBANK_STORE", "redis://"+alone.Options().Addr).doctor(t, exitDone)[nameTopology].Status)

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
	rdb := redisAt(t, servertest.Redis(t).Addr())
	for name, try := range map[string]struct {
		exit   int
		rules  string // besides those that the store documents
		status string
		want   string
	}{
		"good":      {exitDone, "+acl|whoami +info", checkOK, "good may do what the store needs"},
		"noeval":    {exitNo, "-eval", checkFailed, "needs GET, SET, DEL, PEXPIRE and EVAL on shop:*"},
		"nopexpire": {exitNo, "-pexpire", checkFailed, "pexpire"},
		"onekey":    {exitDone, "resetkeys ~shop:{TIDAtest@* %R~shop:{webanklive%20doctor}", checkWarning, "so it was not tried"},
	} {
		user := []any{"ACL", "SETUSER", name}
		for _, rule := range strings.Fields("on >pw ~shop:* +get +set +del +pexpire +eval " + try.rules) {
			user = append(user, rule)
		}
		require.NoError(t, rdb.Do(t.Context(), user...).Err(), name)
		got := newBench(t).with("WEBANK_STORE", "redis://"+name+":pw@"+rdb.Options().Addr+"?prefix=shop").doctor(t, try.exit)
		assert.Equal(t, try.status, got[nameACL].Status, "%s: %v", name, got)
		assert.Contains(t, got[nameACL].Detail, try.want, name)
		for _, c := range got {
			assert.NotContains(t, c.Detail, ":pw@")
		}
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
	rdb := redisAt(t, servertest.Redis(t).Addr())
	for want, target := range map[string]*redisTarget{
		checkWarning: {host: "10.0.0.1"}, checkOK: {host: "localhost"},
		"sealed": {host: "10.0.0.1", sealed: true}, "secure": {host: "redis.svc", secure: true}, "v6": {host: "::1"},
	} {
		target.UniversalClient = rdb
		d := &doctor{app: &app{}}
		d.topology(t.Context(), target)
		assert.Equal(t, want == checkWarning, d.checks[0].Status == checkWarning, d.checks[0].Detail)
	}
}
