package main

// The URLs and keys of stores. Real servers are in store_redis_test.go.

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestStore_EveryURLFormIsRefusedOrReadAsTheRedisClientDoes(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://h:1/0": "redis://h:1/0", "rediss://u:p@h:1/2?prefix=shop&dial_timeout=3": "rediss://h:1/2",
		"redis+cluster://u:p@h:1?addr=i:2&addr=j:3&prefix=x": "redis+cluster://h:1", "rediss+cluster://h:1": "rediss+cluster://h:1",
		"redis+sentinel://h:1?master_name=m&addr=i:2&password=p": "redis+sentinel://h:1",
		"rediss+sentinel://h:1/3?master_name=m&skip_verify=true": "rediss+sentinel://h:1/3",
		"redis+sentinel://h:1?addr=i:2":                          "names no master",
		"redis+sentinel://h:1?master_name=m&replica_only=true":   "asks replicas",
		"redis+sentinel://h:1?master_name=m&route_randomly=true": "asks replicas",
		"redis+ring://h:1":                     "must be file:",
		"redis+://h:1":                         "must be file:",
		"redisx://h:1":                         "must be file:",
		"unix+cluster://h:1":                   "must be file:",
		"redis:h:1":                            "must be file:",
		"redis+cluster://":                     "must be file:",
		"redis://u:a#b@h:1":                    "must be file:",
		"redis://h:1/0?prefix=%zz":             "must be file:",
		"redis://h:1/0?prefix=":                "the prefix in WEBANK_STORE is empty",
		"redis://h:1?prefix=&prefix":           "the prefix in WEBANK_STORE is empty",
		"redis://h:1?addr=h:2":                 "the Redis client refuses",
		"redis+cluster://h:1?addr=x":           "the Redis client refuses",
		"redis://h:1?pool_size=-3":             "the Redis client refuses",
		"redis+sentinel://h:1/x?master_name=m": "the Redis client refuses",
	} {
		store, err := (&app{}).openStore(&config{store: url})
		if !strings.Contains(want, "://") {
			require.ErrorIs(t, err, errUsage, url)
			assert.Contains(t, err.Error(), want, url)
			continue
		}
		require.NoError(t, err, url)
		assert.Equal(t, want, store.name)
		assert.NoError(t, store.close())
	}
}

func TestStore_PasswordsAreNotTyped(t *testing.T) {
	t.Parallel()
	b := newBench(t).with("WEBANK_STORE", "")
	for _, url := range []string{
		"redis+sentinel://h:1?master_name=m&password=GEHEIM", "redis+sentinel://h:1?master_name=m&username=GEHEIM",
		"redis://:GEHEIM@h:1/0?prefix=shop", "redis+cluster://:GEHEIM@h:1", "rediss://GEHEIM@h:1", "redis://h:1?password=GEHEIM&x=%zz", "redis:user:GEHEIM@h",
	} {
		said := b.refuses(t, "set WEBANK_STORE instead", "result", "passed1", "--store", url)
		assert.NotContains(t, said, "GEHEIM", url)
	}
}

func TestStore_KeyIsCheckedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good := strings.Repeat("0aF", 21) + "1"
	for want, b := range map[string]bench{
		"must be 64 hexadecimal digits":                  b.with("WEBANK_STORE_KEY", good[1:]),
		"WEBANK_STORE_KEY must be 64 hexadecimal digits": b.with("WEBANK_STORE_KEY", "xy"+good[2:]),
		"WEBANK_STORE_KEY must be 64":                    b.with("WEBANK_STORE_KEY", good+"00"),
		"the key in WEBANK_STORE_KEY_FILE must be 64":    b.with("WEBANK_STORE_KEY_FILE", writeFile(t, good[:62]+"\n")),
		"is empty":     b.with("WEBANK_STORE_KEY_FILE", writeFile(t, "\n")),
		"no such file": b.with("WEBANK_STORE_KEY_FILE", filepath.Join(t.TempDir(), "none")),
		"WEBANK_STORE_KEY and WEBANK_STORE_KEY_FILE are both set": b.with("WEBANK_STORE_KEY", good).with("WEBANK_STORE_KEY_FILE", writeFile(t, good)),
	} {
		said := b.refuses(t, want, "result", "passed1")
		assert.NotContains(t, said, good[8:40], "no error quotes a key")
	}
	assert.Zero(t, b.srv.Calls(livetest.AccessToken))
	for _, b := range []bench{b.with("WEBANK_STORE_KEY", good), b.with("WEBANK_STORE_KEY_FILE", writeFile(t, good+"\r\n"))} {
		b.run(t, exitDone, "doctor")
	}
}
