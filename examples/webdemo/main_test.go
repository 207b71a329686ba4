package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestOnceShowsTheFlowAndTheAttacks(t *testing.T) {
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

func TestDemoSaysWhereToOpenItAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, in, settings{addr: "127.0.0.1:0", platformAddr: "127.0.0.1:0"}) }()
	line := make([]byte, 200)
	n, err := out.Read(line)
	require.NoError(t, err)
	assert.Regexp(t, `^Open http://localhost:\d+ in a browser`, string(line[:n]))
	go io.Copy(io.Discard, out)
	cancel()
	require.NoError(t, <-ended)
}

func TestOneHTTPSTunnelBringsShopAndPlatform(t *testing.T) {
	t.Parallel()
	d, err := open(settings{addr: "127.0.0.1:0", platformAddr: "127.0.0.1:0", publicURL: "https://tunnel.example/"}, false, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(d.close)
	get := func(path string) (int, http.Header) {
		w := &recorder{header: http.Header{}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		require.NoError(t, err)
		d.servers[len(d.servers)-1].Handler.ServeHTTP(w, req)
		return w.status, w.header
	}
	status, header := get("/")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, header.Get("Content-Security-Policy"), "form-action 'self' https:")
	assert.Contains(t, header.Get("Set-Cookie"), "__Host-shop=")
	assert.Contains(t, header.Get("Set-Cookie"), "Secure")
	status, _ = get("/ida/h5/h5.css")
	assert.Equal(t, http.StatusOK, status)
	status, _ = get("/idasc/api/oauth2/access_token")
	assert.Equal(t, http.StatusNotFound, status, "the API host is for the server alone")
}

// recorder notes status and header; bodies do not matter here.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return len(b), nil
}

func TestRealPlatformIsUsedOnlyWithBothVariables(t *testing.T) {
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
	assert.True(t, strings.HasPrefix(d.url, "http://localhost:"))

	sandbox := livetest.NewServer(t)
	set.appID, set.secret, set.apiURL, set.h5URL = sandbox.AppID(), sandbox.Secret(), sandbox.APIURL, sandbox.H5URL
	d, err = open(set, true, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(d.close)
	assert.Nil(t, d.platform)
	set.h5URL = ""
	_, err = open(set, true, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
}
