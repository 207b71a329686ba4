package miniprogram

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// partner is a server with one customer.
type partner struct {
	*Liveness
	t        *testing.T
	platform *livetest.Server
	session  Session
	log      bytes.Buffer
}

func newPartner(t *testing.T) *partner {
	t.Helper()
	p := &partner{t: t, platform: livetest.NewServer(t), session: Session{UserID: "openid-1"}}
	c, err := webanklive.NewClient(p.platform.AppID(), p.platform.Secret(),
		webanklive.WithBaseURLs(p.platform.APIURL, p.platform.H5URL))
	require.NoError(t, err)
	p.Liveness = &Liveness{
		Client: c, Log: slog.New(slog.NewTextHandler(&p.log, nil)),
		Load: func(*http.Request) Session { return p.session },
		Save: func(_ http.ResponseWriter, s Session) { p.session = s },
	}
	return p
}

// launch is what the page gets.
type launch struct {
	AppID     string            `json:"appId"`
	Path      string            `json:"path"`
	ExtraData map[string]string `json:"extraData"`
}

func (p *partner) start() launch {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.Start(w, httptest.NewRequest(http.MethodPost, "/liveness/start", nil))
	require.Equal(p.t, http.StatusOK, w.Code)
	assert.Equal(p.t, "no-store", w.Header().Get("Cache-Control"))
	var l launch
	require.NoError(p.t, json.Unmarshal(w.Body.Bytes(), &l))
	return l
}

// visit is the platform's mini-program: the same six signed values as a link, and no callback URL.
func (p *partner) visit(l launch, person livetest.Person) map[string]string {
	p.t.Helper()
	query := url.Values{"url": {"https://back.example"}} // what the fake sends a browser to; not signed, not sent by the page
	for name, value := range l.ExtraData {
		query.Set(name, value)
	}
	back, err := p.platform.Visit(p.t.Context(), p.platform.H5URL+"/api/wx/livelogin?"+query.Encode(), person)
	require.NoError(p.t, err)
	u, err := url.Parse(back)
	require.NoError(p.t, err)
	came := map[string]string{"mode": "digitlive"}
	for name := range u.Query() {
		came[name] = u.Query().Get(name)
	}
	return came
}

func (p *partner) done(came map[string]string) (status int, state string) {
	p.t.Helper()
	body, err := json.Marshal(came)
	require.NoError(p.t, err)
	w := httptest.NewRecorder()
	p.Done(w, httptest.NewRequest(http.MethodPost, "/liveness/done", bytes.NewReader(body)))
	var answer struct{ State string }
	require.NoError(p.t, json.Unmarshal(w.Body.Bytes(), &answer))
	return w.Code, answer.State
}

func TestPageGetsWhatTheMiniProgramNeeds(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	l := p.start()
	assert.Equal(t, "wx7ccfa42a2a641035", l.AppID)
	assert.Equal(t, "pages/pre", l.Path)
	assert.Equal(t, "digitlive", l.ExtraData["mode"])
	assert.Equal(t, "1", l.ExtraData["resultType"])
	assert.Equal(t, p.session.OrderNo, l.ExtraData["orderNo"])
	for _, name := range []string{"webankAppId", "version", "nonce", "userId", "sign"} {
		assert.NotEmpty(t, l.ExtraData[name], name)
	}
	assert.NotContains(t, p.log.String(), l.ExtraData["sign"])
}

func TestResultIsDecidedByThePlatform(t *testing.T) {
	t.Parallel()
	for state, person := range map[string]livetest.Person{
		"passed": livetest.Passing(), "notPassed": livetest.Failing("-5013"), "otherwise": livetest.WithoutRecorder(),
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t)
			status, got := p.done(p.visit(p.start(), person))
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, state, got)
		})
	}
	t.Run("too early", func(t *testing.T) {
		t.Parallel()
		p := newPartner(t)
		p.start()
		query := p.platform.CallbackQuery(p.session.OrderNo, "0", "100")
		_, got := p.done(map[string]string{
			"code": "0", "orderNo": p.session.OrderNo, "newSignature": query.Get("newSignature"), "liveRate": "100"})
		assert.Equal(t, "later", got)
	})
	t.Run("tampered", func(t *testing.T) {
		t.Parallel()
		p := newPartner(t)
		came := p.visit(p.start(), livetest.Failing("-5016"))
		came["code"] = "0"
		status, got := p.done(came)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, "refused", got)
	})
	t.Run("replayed for the next order", func(t *testing.T) {
		t.Parallel()
		p := newPartner(t)
		came := p.visit(p.start(), livetest.Passing())
		_, got := p.done(came)
		require.Equal(t, "passed", got)
		p.start()
		_, got = p.done(came)
		assert.Equal(t, "refused", got)
	})
	t.Run("no JSON", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		newPartner(t).Done(w, httptest.NewRequest(http.MethodPost, "/liveness/done", strings.NewReader("code=0")))
		assert.Equal(t, http.StatusBadRequest, w.Code)
	})
}
