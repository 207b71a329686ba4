//go:build unix

package main

// What the tests share: one replica in this process, and what asks it over HTTP.

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

const wait = 30 * time.Second // for what comes at once on an idle machine

// site is a replica that runs.
type site struct {
	t    *testing.T
	url  string
	log  *logtest.Log
	stop func() error // as SIGTERM; returns what run returned
}

// address returns where the replica listens, once it does.
func (s *site) address() string {
	for line := range strings.Lines(s.log.String()) {
		var entry struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			return "http://" + entry.Listen
		}
	}
	return ""
}

// newSite starts a replica with this environment; change may alter what is not configurable.
func newSite(t *testing.T, env map[string]string, change func(*config)) *site {
	t.Helper()
	env["LISTEN"] = "127.0.0.1:0"
	if env["SHUTDOWN_DELAY"] == "" {
		env["SHUTDOWN_DELAY"] = "0s"
	}
	cfg, err := readConfig(lookup(env))
	require.NoError(t, err)
	if change != nil {
		change(cfg)
	}
	s := &site{t: t, log: &logtest.Log{}}
	ctx, cancel := context.WithCancel(context.Background())
	var ended error
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended = run(ctx, cfg, slog.New(slog.NewJSONHandler(s.log, nil)))
	}()
	s.stop = func() error {
		cancel()
		<-done
		return ended
	}
	t.Cleanup(func() { assert.NoError(t, s.stop()) })
	require.Eventually(t, func() bool { return s.address() != "" }, wait, 10*time.Millisecond)
	s.url = s.address()
	return s
}

// onFake is the environment of a replica whose platform is p.
func onFake(t *testing.T, p *livetest.Server) map[string]string {
	t.Helper()
	return map[string]string{
		"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET_FILE": file(t, p.Secret()+"\n"), "SESSION_KEY_FILE": file(t, strings.Repeat("k", 32)+"\n"),
		"WEBANK_API_URL": p.APIURL, "WEBANK_H5_URL": p.H5URL, "DATA_DIR": t.TempDir(),
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// deadAddr is an address where nothing listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// newVisitor is a browser that follows no redirect.
func newVisitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, Timeout: wait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends one request and returns the answer with its body read.
func ask(t *testing.T, who *http.Client, method, address string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := who.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// state reads a check's JSON.
func state(t *testing.T, who *http.Client, page string) string {
	t.Helper()
	res, body := ask(t, who, http.MethodGet, page+"/state")
	require.Equal(t, http.StatusOK, res.StatusCode, body)
	var answer struct{ State string }
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	return answer.State
}

// ready waits until the site takes requests.
func (s *site) ready() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return get(s.t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
}

// begin taps the button, and returns the platform's link and the page of the check.
func (s *site) begin(who *http.Client) (link, page string) {
	s.t.Helper()
	res, body := ask(s.t, who, http.MethodPost, s.url+"/liveness/start")
	require.Equal(s.t, http.StatusSeeOther, res.StatusCode, body)
	link = res.Header.Get("Location")
	u, err := url.Parse(link)
	require.NoError(s.t, err)
	require.Contains(s.t, u.Path, "livelogin")
	return link, s.url + "/liveness/" + u.Query().Get("orderNo")
}

func get(t *testing.T, address string) int {
	t.Helper()
	res, _ := ask(t, http.DefaultClient, http.MethodGet, address)
	return res.StatusCode
}
