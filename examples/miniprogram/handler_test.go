package miniprogram

// The test that a partner writes: what the page gets, and what it may send. Which results are refused and which verdict
// follows is tested in package checks.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

const marker = "SECRETMARKER"

// partner is a server; its customers' tokens are "token of " and the user.
type partner struct {
	*Liveness
	t         *testing.T
	platform  *livetest.Server
	concluded chan checks.Check
	stop      func()       // ends the work behind
	log       bytes.Buffer // to be read after stop
}

func newPartner(t *testing.T) *partner {
	t.Helper()
	p := &partner{t: t, platform: livetest.NewServer(t), concluded: make(chan checks.Check, 10)}
	p.platform.SetMarker(marker)
	c, err := webanklive.NewClient(p.platform.AppID(), p.platform.Secret(),
		webanklive.WithBaseURLs(p.platform.APIURL, p.platform.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	live, run, err := New(c, checks.NewMemoryStore(), "https://shop.example",
		func(token string) string { return strings.TrimPrefix(token, "token of ") },
		func(_ context.Context, c checks.Check) error {
			p.concluded <- c
			return nil
		}, slog.New(slog.NewTextHandler(&p.log, nil)))
	require.NoError(t, err)
	p.Liveness = live
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(p.stop)
	return p
}

// answer is all that a page gets.
type answer struct {
	Order, Error string
	State        checks.State
	Launch       *struct {
		AppID     string            `json:"appId"`
		Path      string            `json:"path"`
		ExtraData map[string]string `json:"extraData"`
	}
}

func (p *partner) do(user, method, target string, body any) (int, answer) {
	p.t.Helper()
	sent, err := json.Marshal(body)
	if text, ok := body.(string); ok {
		sent, err = []byte(text), nil
	}
	require.NoError(p.t, err)
	r := httptest.NewRequest(method, target, bytes.NewReader(sent))
	r.Header.Set("Authorization", "Bearer token of "+user)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	assert.Equal(p.t, "no-store", w.Header().Get("Cache-Control"))
	assert.NotContains(p.t, w.Body.String(), marker)
	assert.NotContains(p.t, w.Body.String(), "newSignature")
	var a answer
	require.NoError(p.t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	return w.Code, a
}

func (p *partner) start(user string) answer {
	p.t.Helper()
	status, a := p.do(user, http.MethodPost, "/liveness/start", "")
	require.Equal(p.t, http.StatusOK, status)
	return a
}

// visit is the platform's mini-program: the same six signed values as a link, and no callback URL.
func (p *partner) visit(a answer, person livetest.Person) map[string]any {
	p.t.Helper()
	query := url.Values{"url": {"https://back.example"}} // what the fake sends a browser to; not signed, not sent by the page
	for name, value := range a.Launch.ExtraData {
		query.Set(name, value)
	}
	back, err := p.platform.Visit(p.t.Context(), p.platform.H5URL+"/api/wx/livelogin?"+query.Encode(), person)
	require.NoError(p.t, err)
	u, err := url.Parse(back)
	require.NoError(p.t, err)
	came := map[string]any{"mode": "digitlive"}
	for name := range u.Query() {
		came[name] = u.Query().Get(name)
	}
	return came
}

func (p *partner) done(user, order string, came any) (int, answer) {
	p.t.Helper()
	return p.do(user, http.MethodPost, "/liveness/"+order+"/done", came)
}

func (p *partner) state(user, order string) checks.State {
	_, a := p.do(user, http.MethodGet, "/liveness/"+order+"/state", "")
	return a.State
}

// concludes waits for what the partner's accounts hear.
func (p *partner) concludes(want checks.State) {
	p.t.Helper()
	select {
	case c := <-p.concluded:
		assert.Equal(p.t, want, c.State)
	case <-time.After(30 * time.Second):
		require.Fail(p.t, "nothing was concluded")
	}
}

func TestLiveness_ThePageGetsWhatTheMiniProgramNeeds(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	a := p.start("openid-1")
	assert.Equal(t, "wx7ccfa42a2a641035", a.Launch.AppID)
	assert.Equal(t, "pages/pre", a.Launch.Path)
	assert.Equal(t, a.Order, a.Launch.ExtraData["orderNo"])
	assert.Equal(t, "digitlive", a.Launch.ExtraData["mode"])
	assert.Equal(t, "1", a.Launch.ExtraData["resultType"])
	assert.Equal(t, []string{"mode", "nonce", "orderNo", "resultType", "sign", "userId", "version", "webankAppId"},
		slices.Sorted(maps.Keys(a.Launch.ExtraData)), "what the protocol wants, and no more")

	again := p.start("openid-1") // a swipe back, and another tap
	assert.Equal(t, a.Order, again.Order)
	assert.Nil(t, again.Launch)
	assert.Equal(t, 1, p.platform.Calls(livetest.NonceTicket))
}

func TestLiveness_RecordsEveryOutcomeOnTheServer(t *testing.T) {
	t.Parallel()
	for state, person := range map[checks.State]livetest.Person{
		checks.Passed: livetest.Passing(), checks.NotPassed: livetest.Failing("-5013"), checks.OtherWay: livetest.WithoutRecorder(),
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			p := newPartner(t)
			a := p.start("openid-1")
			came := p.visit(a, person)
			status, _ := p.done("openid-1", a.Order, came)
			assert.Equal(t, http.StatusOK, status)
			p.concludes(state)
			assert.Equal(t, state, p.state("openid-1", a.Order))
			_, again := p.done("openid-1", a.Order, came) // the same extraData
			assert.Equal(t, state, again.State)
		})
	}
}

// extraData keeps the types that the platform's mini-program gives its values.
func TestLiveness_NumbersAndStringsAreTheSame(t *testing.T) {
	t.Parallel()
	passes, fails := livetest.Passing(), livetest.Failing("-5016")
	for name, c := range map[string]struct {
		person livetest.Person
		change map[string]any
		want   checks.State
	}{
		"numbers":           {passes, map[string]any{"code": 0, "liveRate": 95}, checks.Passed},
		"a negative number": {fails, map[string]any{"code": -5016}, checks.NotPassed},
		"a fraction":        {passes, map[string]any{"liveRate": 95.5}, checks.Passed},
		"null":              {passes, map[string]any{"liveRate": nil}, checks.Passed},
		"what decides none": {passes, map[string]any{"mode": map[string]any{"a": 1}, "more": []any{true}}, checks.Passed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t)
			a := p.start("openid-1")
			came := p.visit(a, c.person)
			maps.Copy(came, c.change)
			status, _ := p.done("openid-1", a.Order, came)
			require.Equal(t, http.StatusOK, status)
			p.concludes(c.want)
		})
	}
}

func TestLiveness_RefusesWhatThePlatformDidNotSend(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	a := p.start("ann")
	came := p.visit(a, livetest.Failing("-5016"))
	forged := maps.Clone(came)
	forged["code"] = 0
	status, refused := p.done("ann", a.Order, forged)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "refused", refused.Error)
	for name, body := range map[string]string{"no JSON": "code=0", "a list": "[]", "a flood": `{"code":"` + strings.Repeat("0", 20<<10) + `"}`, "null": "null", "nothing": ""} {
		status, _ := p.done("ann", a.Order, body)
		assert.Equal(t, http.StatusBadRequest, status, name)
	}
	status, other := p.done("eve", a.Order, came)
	assert.Equal(t, http.StatusNotFound, status, "another user's")
	assert.Equal(t, "not_found", other.Error)
	status, nobody := p.do("", http.MethodPost, "/liveness/start", "")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Equal(t, "sign_in", nobody.Error)
	assert.Zero(t, p.platform.Calls(livetest.LiveResult))
}

func TestLiveness_TemporaryIsNotFinal(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	p.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, 1)
	status, a := p.do("ann", http.MethodPost, "/liveness/start", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "later", a.Error)
	_, body := explain(errors.New("the database is away"))
	assert.Equal(t, map[string]string{"error": "later"}, body)
}

func TestLiveness_LogsNothingSecret(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	a := p.start("openid-1")
	came := p.visit(a, livetest.Passing())
	forged := maps.Clone(came)
	forged["code"] = "7"
	p.done("openid-1", a.Order, forged)
	p.done("openid-1", a.Order, came)
	p.concludes(checks.Passed)
	p.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, -1)
	p.do("openid-2", http.MethodPost, "/liveness/start", "")
	p.stop()
	require.Contains(t, p.log.String(), "http_status=502", "failures are logged")
	for _, secret := range []string{marker, a.Launch.ExtraData["sign"], came["newSignature"].(string), "token of"} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, p.log.String(), secret)
	}
	sent := p.platform.Requests(livetest.AccessToken)
	require.Contains(t, sent[0].Query.Get("secret"), marker, "the marker was sent")
}

func TestNewServer_HasTimeouts(t *testing.T) {
	t.Parallel()
	s := NewServer(":0", http.NotFoundHandler())
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		assert.Positive(t, d)
	}
}
