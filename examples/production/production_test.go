//go:build unix

package main

// One replica in this process, asked over HTTP as browsers, probes and balancers ask it.

import (
	"bytes"
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
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
)

const wait = 30 * time.Second // for what comes at once on an idle machine

// site is a replica that runs.
type site struct {
	t    *testing.T
	url  string
	log  *logBuffer
	stop func() error // as SIGTERM; returns what run returned
}

// logBuffer is a log that tests read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// address returns where the replica listens, once it does.
func (b *logBuffer) address() string {
	for line := range strings.Lines(b.String()) {
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
	if env["DATA_DIR"] == "" {
		env["DATA_DIR"] = t.TempDir()
	}
	if env["SHUTDOWN_DELAY"] == "" {
		env["SHUTDOWN_DELAY"] = "0s"
	}
	cfg, err := readConfig(func(name string) string { return env[name] })
	require.NoError(t, err)
	if change != nil {
		change(cfg)
	}
	s := &site{t: t, log: &logBuffer{}}
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
	t.Cleanup(func() { _ = s.stop() })
	require.Eventually(t, func() bool { return s.log.address() != "" }, wait, 10*time.Millisecond)
	s.url = s.log.address()
	return s
}

// onFake is the environment of a replica whose platform is p.
func onFake(t *testing.T, p *livetest.Server) map[string]string {
	t.Helper()
	return map[string]string{
		"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET_FILE": file(t, p.Secret()+"\n"), "SESSION_KEY_FILE": file(t, strings.Repeat("k", 32)+"\n"),
		"WEBANK_API_URL": p.APIURL, "WEBANK_H5_URL": p.H5URL,
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

func TestSite_TakesAPersonFromTheTapToTheKeptEvidence(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	env := onFake(t, p)
	env["WEBANK_EVIDENCE_DIR"] = filepath.Join(t.TempDir(), "evidence")
	s := newSite(t, env, nil)
	who := newVisitor(t)

	res, body := ask(t, who, http.MethodGet, s.url+"/")
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Contains(t, body, fakeNote(p.APIURL))
	require.Len(t, res.Cookies(), 1)
	assert.False(t, res.Cookies()[0].Secure, "SITE_URL is http")
	assert.True(t, res.Cookies()[0].HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, res.Cookies()[0].SameSite)

	require.Eventually(t, func() bool {
		res, _ := ask(t, who, http.MethodGet, s.url+"/readyz")
		return res.StatusCode == http.StatusOK
	}, wait, 20*time.Millisecond)
	link, page := s.begin(who)
	assert.Equal(t, "launched", state(t, who, page))
	res, _ = ask(t, who, http.MethodPost, s.url+"/liveness/start")
	assert.Equal(t, page, s.url+res.Header.Get("Location"), "a second tab finds the check that is under way")

	back, err := p.Visit(t.Context(), link, livetest.Passing())
	require.NoError(t, err)
	forged := strings.Replace(back, "newSignature=", "newSignature=0", 1)
	require.NotEqual(t, back, forged)
	res, body = ask(t, who, http.MethodGet, forged)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	assert.Contains(t, body, fakeNote(p.APIURL))
	res, _ = ask(t, newVisitor(t), http.MethodGet, back)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "the callback in another session")
	assert.Equal(t, "launched", state(t, who, page), "neither changed anything")

	res, _ = ask(t, who, http.MethodGet, back)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	assert.Equal(t, page, s.url+res.Header.Get("Location"))
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	assert.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"))
	require.Eventually(t, func() bool { return state(t, who, page) == "passed" }, wait, 20*time.Millisecond)
	res, body = ask(t, who, http.MethodGet, page)
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	assert.Contains(t, body, "验证通过")
	assert.Contains(t, body, fakeNote(p.APIURL))

	for _, address := range []string{page, page + "/state"} {
		res, _ = ask(t, newVisitor(t), http.MethodGet, address)
		assert.Equal(t, http.StatusNotFound, res.StatusCode, "another session")
	}
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(env["WEBANK_EVIDENCE_DIR"], "*"))
		return len(files) == 2
	}, wait, 20*time.Millisecond, "a photo and a video")
	_, body = ask(t, who, http.MethodGet, s.url+"/metrics")
	assert.Contains(t, body, "webanklive_call_duration")
	assert.Contains(t, body, "webanklive_credential_age")

	require.NoError(t, s.stop())
	log := s.log.String()
	assert.Contains(t, log, `"route":"/liveness/:order/done"`, "requests are logged")
	assert.Contains(t, log, fakeNote(p.APIURL))
	query, err := url.Parse(back)
	require.NoError(t, err)
	for _, secret := range []string{p.Secret(), "newSignature", query.Query().Get("newSignature"), "access_token=", "sign=", strings.Repeat("k", 32)} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, log, secret)
		assert.NotContains(t, body, secret, "metrics")
	}
}

func TestSite_GivesEachVisitorAUserOfItsOwn(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	s := newSite(t, onFake(t, p), nil)
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	users := map[string]bool{}
	for range 3 {
		link, _ := s.begin(newVisitor(t)) // would be refused as under way, were it the same user
		u, err := url.Parse(link)
		require.NoError(t, err)
		users[u.Query().Get("userId")] = true
	}
	assert.Len(t, users, 3)
	forged := newVisitor(t)
	_, _ = ask(t, forged, http.MethodGet, s.url+"/", "Cookie", cookieName+"=someone."+strings.Repeat("0", 64))
	site, err := url.Parse(s.url)
	require.NoError(t, err)
	assert.Len(t, forged.Jar.Cookies(site), 1, "a cookie that this site did not sign is replaced")
}

func TestSite_RefusesTheFormOfAnotherSite(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{}, nil)
	who := newVisitor(t)
	start := s.url + "/liveness/start"
	res, _ := ask(t, who, http.MethodPost, start, "Origin", "null")
	assert.Equal(t, http.StatusForbidden, res.StatusCode, "a browser without a session")
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null", "Sec-Fetch-Site", "cross-site"}} {
		_, _ = ask(t, who, http.MethodGet, s.url+"/")
		res, _ := ask(t, who, http.MethodPost, start, header...)
		assert.Equal(t, http.StatusForbidden, res.StatusCode, header)
	}
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	res, body := ask(t, who, http.MethodPost, start, "Origin", "null") // iOS before 16.4, under no-referrer
	assert.Equal(t, http.StatusSeeOther, res.StatusCode, body)
}

func TestSite_ServesWhileDatabaseAndRedisAreAwayAtStart(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	env := onFake(t, p)
	env["DATABASE_URL"], env["REDIS_URL"] = "postgres://liveness:pa55@"+deadAddr(t)+"/liveness", "redis://:pa55@"+deadAddr(t)
	s := newSite(t, env, nil)
	assert.Equal(t, http.StatusOK, get(t, s.url+"/healthz"))
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.url+"/readyz"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/readyz?drain"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/"))

	who := newVisitor(t)
	for _, address := range []string{"/liveness/L1/done?code=0&orderNo=L1&newSignature=A", "/liveness/L1", "/liveness/L1/state"} {
		res, body := ask(t, who, http.MethodGet, s.url+address)
		assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode, address)
		assert.NotEmpty(t, res.Header.Get("Retry-After"), address)
		assert.Equal(t, "3", res.Header.Get("Refresh"), "the browser repeats the same request")
		assert.NotContains(t, body, "<form", "a new check would give this one up")
	}
	res, body := ask(t, who, http.MethodPost, s.url+"/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.NotEmpty(t, res.Header.Get("Retry-After"))
	assert.Contains(t, body, `<form method="post" action="/liveness/start">`, "the button repeats the request")

	require.NoError(t, s.stop())
	assert.NotContains(t, s.log.String(), "pa55")
	assert.NotContains(t, s.log.String(), "newSignature")
}

func TestSite_RunsOnMariaDBAlsoWhenItComesLater(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database")
	}
	t.Parallel()
	db := servertest.MariaDB(t)
	p := livetest.NewServer(t)
	env := onFake(t, p)
	env["DATABASE_URL"] = "mysql://root@" + db.Addr() + "/test?timeout=5s"
	db.Kill()
	s := newSite(t, env, nil)
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.url+"/readyz"))
	db.Start() // the database was away at start, and comes
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	who := newVisitor(t)
	_, page := s.begin(who)
	assert.Equal(t, "launched", state(t, who, page))
	db.Kill()
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.url+"/readyz"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/readyz?drain"))
	db.Start()
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	assert.Equal(t, "launched", state(t, who, page))
}

func TestDatabase_RefusesAnAddressThatIsNoneWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"pa55word", "oracle://u:pa55word@h/d", "postgres://u:pa55word@h:port/d", "mysql://u:pa55word@h:port/d", "mysql://u:pa55word@h/d?tls=unknown"} {
		_, _, err := openDatabase(&config{databaseURL: address})
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), "pa55word")
	}
}

func TestSite_AnswersWithoutRedis(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	env := onFake(t, p)
	env["REDIS_URL"] = "redis://" + deadAddr(t)
	s := newSite(t, env, nil)
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	res, _ := ask(t, newVisitor(t), http.MethodPost, s.url+"/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.Zero(t, p.Calls(livetest.AccessToken), "no mint without the lock")
}

func TestSite_DrainsBeforeItStops(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"SHUTDOWN_DELAY": "2s"}, nil)
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz?drain") == http.StatusServiceUnavailable }, wait, 10*time.Millisecond)
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.url+"/readyz"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/healthz"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/"), "it still serves")
	assert.NoError(t, <-ended)
}

func TestSite_TakesANewSecretWithoutARestart(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	env := onFake(t, p)
	s := newSite(t, env, func(cfg *config) { cfg.secretEvery = 10 * time.Millisecond })
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	const next = "N3wS3cret0123456789N3wS3cret0123"
	p.Register(p.AppID(), next)
	require.NoError(t, os.WriteFile(env["WEBANK_SECRET_FILE"], []byte(next+"\n"), 0o600))
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "the secret was changed") }, wait, 10*time.Millisecond)
	require.Equal(t, 1, p.Calls(livetest.AccessToken), "the platform has proved it")
	assert.Equal(t, next, p.Requests(livetest.AccessToken)[0].Query.Get("secret"))
	s.begin(newVisitor(t))
	require.NoError(t, s.stop())
	assert.NotContains(t, s.log.String(), next)
}

func TestSite_KeepsTheOldSecretWhenTheNewOneIsRefused(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	env := onFake(t, p)
	s := newSite(t, env, func(cfg *config) { cfg.secretEvery = 10 * time.Millisecond })
	require.Eventually(t, func() bool { return get(t, s.url+"/readyz") == http.StatusOK }, wait, 20*time.Millisecond)
	require.NoError(t, os.WriteFile(env["WEBANK_SECRET_FILE"], []byte("Wr0ngS3cret123456789Wr0ngS3cret1"), 0o600))
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "going on with the old secret") }, wait, 10*time.Millisecond)
	s.begin(newVisitor(t)) // mints, because nothing is held yet
	require.NoError(t, s.stop())
	assert.NotContains(t, s.log.String(), "Wr0ngS3cret")
}

func TestSite_SandboxSaysSoOnEveryPageAndLeavesNothing(t *testing.T) {
	t.Parallel()
	cfg, err := readConfig(func(name string) string {
		return map[string]string{"LISTEN": "127.0.0.1:0", "SHUTDOWN_DELAY": "0s"}[name]
	})
	require.NoError(t, err)
	log := &logBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, slog.New(slog.NewJSONHandler(log, nil))) }()
	require.Eventually(t, func() bool { return log.address() != "" }, wait, 10*time.Millisecond)
	note := fakeNote("http://127.0.0.1:1")
	who := newVisitor(t)
	for _, path := range []string{"/", "/liveness/L1", "/nowhere"} {
		_, body := ask(t, who, http.MethodGet, log.address()+path)
		assert.Contains(t, body, note, path)
	}
	cancel()
	require.NoError(t, <-ended)
	assert.Contains(t, log.String(), note)
	assert.True(t, cfg.temporary)
	assert.NoDirExists(t, cfg.dataDir)
}

func get(t *testing.T, address string) int {
	t.Helper()
	res, _ := ask(t, http.DefaultClient, http.MethodGet, address)
	return res.StatusCode
}
