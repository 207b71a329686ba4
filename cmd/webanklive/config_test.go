package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/webanklive/webanklive/livetest"
)

func TestConfig_SecretComesFromAFile(t *testing.T) {
	t.Parallel()
	b := newBench(t).with("WEBANK_SECRET", "")
	file := writeFile(t, b.srv.Secret()+"\r\n")
	b.with("WEBANK_SECRET_FILE", file).run(t, exitDone, "result", "passed1")
	b.run(t, exitDone, "result", "passed1", "--secret-file", file)
	b.with("WEBANK_SECRET", "wrong").run(t, exitDone, "result", "passed1", "--secret-file", file) // the flag wins
	assert.Len(t, b.srv.Mints(), 1)

	for want, b := range map[string]bench{
		"both set":                              b.with("WEBANK_SECRET", "x").with("WEBANK_SECRET_FILE", file),
		"no such file":                          b.with("WEBANK_SECRET_FILE", file+"x"),
		"neither WEBANK_SECRET":                 b,
		"both be set, or neither":               b.with("WEBANK_SECRET", "x").with("WEBANK_H5_URL", ""),
		"WEBANK_APP_ID is not set":              b.with("WEBANK_SECRET", "x").with("WEBANK_APP_ID", ""),
		"must be https, or http for a loopback": b.with("WEBANK_SECRET", "x").with("WEBANK_API_URL", "http://example.com"),
		"must not be empty or contain blanks":   b.with("WEBANK_SECRET", "a b"),
	} {
		b.refuses(t, want, "result", "passed1")
	}
}

func TestConfig_WithoutAStoreTheFleetIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, p := remoteBench()
	for _, args := range [][]string{
		{"result", "passed1"}, {"callback", "--order", "passed1", "code=0&orderNo=passed1&newSignature=x"},
		{"launch", "--user", "u1", "--callback", "https://shop.example/"}, {"doctor"},
	} {
		o := b.run(t, exitUsage, args...)
		assert.Contains(t, o.out+o.errOut, "the fleet's would die a minute later", args)
		assert.Contains(t, o.out+o.errOut, "--mint", args)
	}
	assert.Zero(t, p.Calls(livetest.AccessToken))

	b.run(t, exitDone, "result", "passed1", "--mint")
	assert.Equal(t, 1, p.Calls(livetest.AccessToken))
	stored := b.with("WEBANK_STORE", "file:"+filepath.Join(t.TempDir(), "store"))
	o := stored.run(t, exitUsage, "result", "passed1") // an empty store may be a mistyped one
	assert.Contains(t, o.errOut, "--mint starts one")
	assert.Equal(t, 1, p.Calls(livetest.AccessToken))
	stored.run(t, exitDone, "result", "passed1", "--mint")
	stored.run(t, exitDone, "result", "passed1") // a store with a credential needs no --mint
}
