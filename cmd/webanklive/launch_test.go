package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestLaunch_PrintsTheLinkAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, entry := range []string{"h5", "wechat", "pc"} {
		o := b.run(t, exitDone, "launch", "--user", "u"+entry, "--callback", "https://shop.example/done", "--entry", entry, "--skip-result-page")
		assert.Regexp(t, `^`+b.srv.H5URL+`/api/\w+/livelogin\?[^\s]+\n$`, o.out)
		assert.Contains(t, o.out, "resultType=1")
		assert.Contains(t, o.errOut, "works once and dies in two minutes")
		assert.Regexp(t, `(?m)^order w[A-Z2-7]+$`, o.errOut)
		_, err := b.srv.Visit(t.Context(), strings.TrimSpace(o.out), livetest.Passing())
		require.NoError(t, err)
	}
	assert.Len(t, b.srv.Mints(), 1, "all runs share the store")

	o := b.run(t, exitDone, "launch", "--user", "u1", "--callback", "https://shop.example/done", "--order", "order1", "--json", "--qr")
	assert.Contains(t, o.errOut, "██ █▄▄▄█ ██", "the QR code of --json is not in the JSON")
	o.errOut = ""
	object := o.object(t)
	assert.Equal(t, "order1", object["order_no"])
	assert.InDelta(t, 120, object["expires_in_seconds"], 0)
	_, err := b.srv.Visit(t.Context(), object["url"].(string), livetest.Passing())
	require.NoError(t, err)
}
