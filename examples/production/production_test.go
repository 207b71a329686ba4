//go:build unix

package main

// One replica in this process, asked over HTTP as browsers, probes and balancers ask it.

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
)

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

	s.ready()
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
	s.ready()
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
	s.ready()
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
	s.ready()
	who := newVisitor(t)
	_, page := s.begin(who)
	assert.Equal(t, "launched", state(t, who, page))
	db.Kill()
	assert.Equal(t, http.StatusServiceUnavailable, get(t, s.url+"/readyz"))
	assert.Equal(t, http.StatusOK, get(t, s.url+"/readyz?drain"))
	db.Start()
	s.ready()
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
	s.ready()
	res, _ := ask(t, newVisitor(t), http.MethodPost, s.url+"/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.Zero(t, p.Calls(livetest.AccessToken), "no mint without the lock")
}

func TestSite_DrainsBeforeItStops(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"SHUTDOWN_DELAY": "2s"}, nil)
	s.ready()
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
	s.ready()
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
	s.ready()
	require.NoError(t, os.WriteFile(env["WEBANK_SECRET_FILE"], []byte("Wr0ngS3cret123456789Wr0ngS3cret1"), 0o600))
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "going on with the old secret") }, wait, 10*time.Millisecond)
	s.begin(newVisitor(t)) // mints, because nothing is held yet
	require.NoError(t, s.stop())
	assert.NotContains(t, s.log.String(), "Wr0ngS3cret")
}

func TestSite_SandboxSaysSoOnEveryPageAndLeavesNothing(t *testing.T) {
	t.Parallel()
	var used *config
	s := newSite(t, map[string]string{}, func(cfg *config) { used = cfg })
	note := fakeNote("http://127.0.0.1:1")
	who := newVisitor(t)
	for _, path := range []string{"/", "/liveness/L1", "/nowhere"} {
		_, body := ask(t, who, http.MethodGet, s.url+path)
		assert.Contains(t, body, note, path)
	}
	require.NoError(t, s.stop())
	assert.Contains(t, s.log.String(), note)
	assert.True(t, used.temporary)
	assert.NoDirExists(t, used.dataDir)
}
