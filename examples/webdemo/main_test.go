package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestRun_OnceShowsTheFlowAndTheAttacks(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, settings{once: true, lag: 300 * time.Millisecond}))
	for _, line := range []string{
		"one launch, one link", "验证通过 / You passed", "byte for byte", "reloads the callback: nothing changes",
		"into a passed one: refused", "验证未通过 / Not passed", "another browser: it has no such check",
		"无法在此浏览器中验证", "nothing is decided", "The platform had nothing to refuse",
	} {
		assert.Contains(t, out.String(), line)
	}
	for _, secret := range []string{"sign=", "newSignature="} {
		assert.NotContains(t, out.String(), secret)
	}
}

func TestRun_SaysWhereToOpenItAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, in, settings{addr: "127.0.0.1:0", platformAddr: "127.0.0.1:0"}) }()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Open ") { // the log comes first
	}
	assert.Regexp(t, `^Open http://localhost:\d+ in a browser`, lines.Text())
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), "The platform is a fake")
	go io.Copy(io.Discard, out)
	cancel()
	require.NoError(t, <-ended)
}

func TestRun_RefusesWhatIsSetByHalf(t *testing.T) {
	t.Parallel()
	for want, set := range map[string]settings{
		"WEBANK_APP_ID and WEBANK_SECRET must both":            {appID: "app"},
		"WEBANK_APP_ID and WEBANK_SECRET must both ":           {secret: "MaRk3r"},
		"WEBANK_API_URL and WEBANK_H5_URL must both":           {appID: "app", secret: "MaRk3r", apiURL: "https://a.example"},
		"WEBANK_API_URL and WEBANK_H5_URL need":                {apiURL: "https://a.example", h5URL: "https://b.example"},
		"a public -url needs WEBANK_APP_ID and WEBANK_SECRET":  {publicURL: "https://shop.example"},
		"a public -url needs WEBANK_APP_ID and WEBANK_SECRET:": {publicURL: "http://192.0.2.1:8080"},
		"-url must be an absolute http or https URL":           {publicURL: "shop.example"},
	} {
		set.addr, set.platformAddr = "127.0.0.1:0", "127.0.0.1:0"
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // one that starts ends by itself, without an error
		err := run(ctx, &out, set)
		cancel()
		require.ErrorContains(t, err, strings.TrimSpace(want))
		assert.NotContains(t, err.Error(), "MaRk3r")
		assert.Empty(t, out.String(), "nothing was started")
	}
	for _, url := range []string{"", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"} {
		require.NoError(t, settings{publicURL: url}.check())
	}
	require.NoError(t, settings{appID: "app", secret: "secret", publicURL: "https://shop.example"}.check())
}

func TestOpen_HasTimeouts(t *testing.T) {
	t.Parallel()
	d, err := open(settings{addr: "127.0.0.1:0", platformAddr: "127.0.0.1:0"}, false, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(d.close)
	require.Len(t, d.servers, 2)
	for _, s := range d.servers {
		for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
			assert.Positive(t, d)
		}
	}
}

func TestOpen_UsesTheRealPlatformOnlyWithBothVariables(t *testing.T) {
	t.Parallel()
	set := settings{addr: "127.0.0.1:0", platformAddr: "127.0.0.1:0", appID: "app id", secret: "secret"}
	require.ErrorIs(t, run(t.Context(), io.Discard, set), webanklive.ErrInvalidRequest)
	set.appID, set.once = "app", true
	err := run(t.Context(), io.Discard, set)
	require.ErrorContains(t, err, "unset WEBANK_APP_ID")

	set.once = false
	d, err := open(set, true, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(d.close)
	assert.Nil(t, d.platform)
	assert.False(t, d.fake)
	assert.True(t, strings.HasPrefix(d.url, "http://localhost:"))

	sandbox := livetest.NewServer(t)
	set.appID, set.secret, set.apiURL, set.h5URL = sandbox.AppID(), sandbox.Secret(), sandbox.APIURL, sandbox.H5URL
	d, err = open(set, true, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(d.close)
	assert.Nil(t, d.platform)
	assert.True(t, d.fake, "its pages say so")
}
