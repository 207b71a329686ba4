package ginlive

// The test that a partner writes: the vendor's own numbers, and every way a check can go, on the fake platform.

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

func TestSignatureIsTheVendors(t *testing.T) {
	t.Parallel()
	got := webanklive.Sign("appId001", "userID19959248596551", "aabc1457895464", "1.0.0",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T")
	assert.Equal(t, "BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1", got)
}

// site is a partner's site with one handler; browsers are told apart by a cookie.
type site struct {
	t        *testing.T
	platform *livetest.Server
	handler  http.Handler
	sessions map[string]Session
	log      bytes.Buffer
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, platform: livetest.NewServer(t), sessions: map[string]Session{}}
	s.platform.SetMarker("SECRETMARKER")
	c, err := webanklive.NewClient(s.platform.AppID(), s.platform.Secret(),
		webanklive.WithBaseURLs(s.platform.APIURL, s.platform.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	l := &Liveness{
		Client: c, SiteURL: "https://shop.example", Log: slog.New(slog.NewTextHandler(&s.log, nil)),
		Load: func(c *gin.Context) Session {
			user, err := c.Cookie("user")
			require.NoError(t, err)
			session := s.sessions[user]
			session.UserID = user
			return session
		},
		Save: func(_ *gin.Context, session Session) { s.sessions[session.UserID] = session },
	}
	router := gin.New()
	router.POST("/liveness/start", l.Start)
	router.GET("/liveness/done", l.Done)
	router.GET("/liveness/result", l.Result)
	s.handler = router
	return s
}

func (s *site) do(user, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.AddCookie(&http.Cookie{Name: "user", Value: user})
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// check starts, and lets person go through the platform's page. It returns the callback.
func (s *site) check(user string, person livetest.Person) *url.URL {
	s.t.Helper()
	w := s.do(user, http.MethodPost, "/liveness/start")
	require.Equal(s.t, http.StatusSeeOther, w.Code)
	assert.Equal(s.t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(s.t, "no-referrer", w.Header().Get("Referrer-Policy"))
	back, err := s.platform.Visit(s.t.Context(), w.Header().Get("Location"), person)
	require.NoError(s.t, err)
	u, err := url.Parse(back)
	require.NoError(s.t, err)
	return u
}

func (s *site) result(user string) string {
	return s.do(user, http.MethodGet, "/liveness/result").Body.String()
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		person livetest.Person
		next   string
		page   string
		passed bool
	}{
		"passes":             {livetest.Passing(), "/liveness/result", "验证通过", true},
		"fails":              {livetest.Failing("-5013"), "/liveness/result", "验证未通过 Not passed: 声音太小", false},
		"fails, unknown":     {livetest.Failing("-99999"), "/liveness/result", "验证未通过", false},
		"browser cannot":     {livetest.WithoutRecorder(), "/identify/otherwise", "没有结果", false},
		"camera was refused": {livetest.Failing("3004"), "/identify/otherwise", "没有结果", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			w := s.do("ann", http.MethodGet, s.check("ann", c.person).RequestURI())
			assert.Equal(t, http.StatusSeeOther, w.Code)
			assert.Equal(t, c.next, w.Header().Get("Location"))
			assert.Contains(t, s.result("ann"), c.page)
			assert.Equal(t, c.passed, s.sessions["ann"].Passed)
		})
	}
}

func TestCallbackAloneDecidesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	failed := s.check("ann", livetest.Failing("-5016"))
	passed := s.check("eve", livetest.Passing())
	order := s.sessions["ann"].OrderNo
	for name, query := range map[string]url.Values{
		"tampered":      with(failed.Query(), "code", "0"),
		"foreign":       passed.Query(),
		"renamed":       with(passed.Query(), "orderNo", order),
		"no signature":  {"code": {"0"}, "orderNo": {order}},
		"empty":         {},
		"rejoined":      with(with(failed.Query(), "code", "0"), "orderNo", order+"-5016"),
		"twice a value": {"code": {"0", "0"}, "orderNo": {order}},
	} {
		assert.Equal(t, http.StatusBadRequest, s.do("ann", http.MethodGet, "/liveness/done?"+query.Encode()).Code, name)
		assert.NotContains(t, s.result("ann"), "验证通过", name)
	}
	assert.Zero(t, s.platform.Calls(livetest.LiveResult), "nobody came back, nobody is asked")

	// Signed by the platform, and too early: the person is still in front of the camera.
	link := s.do("bob", http.MethodPost, "/liveness/start").Header().Get("Location")
	_, err := s.platform.Visit(t.Context(), link, livetest.Quitting())
	require.NoError(t, err)
	early := s.platform.CallbackQuery(s.sessions["bob"].OrderNo, "0", "100")
	assert.Equal(t, http.StatusSeeOther, s.do("bob", http.MethodGet, "/liveness/done?"+early.Encode()).Code)
	w := s.do("bob", http.MethodGet, "/liveness/result")
	assert.Contains(t, w.Body.String(), "请稍候")
	assert.Equal(t, "2", w.Header().Get("Refresh"), "the page polls")
	s.platform.AddResult(s.sessions["bob"].OrderNo, livetest.Passing())
	assert.Contains(t, s.result("bob"), "验证通过")

	// A replay for a new order.
	s.do("bob", http.MethodPost, "/liveness/start")
	assert.Equal(t, http.StatusBadRequest, s.do("bob", http.MethodGet, "/liveness/done?"+early.Encode()).Code)
	assert.False(t, s.sessions["bob"].Passed)
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	back := s.check("ann", livetest.Failing("-5016"))
	s.do("ann", http.MethodGet, "/liveness/done?"+with(back.Query(), "code", "0").Encode())
	s.do("ann", http.MethodGet, back.RequestURI())
	s.result("ann")
	s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: 502}, -1)
	assert.Equal(t, http.StatusServiceUnavailable, s.do("ann", http.MethodPost, "/liveness/start").Code)
	require.Contains(t, s.log.String(), "HTTP 502", "the failure is logged")
	for _, secret := range []string{"SECRETMARKER", back.Query().Get("newSignature"), "sign=", "newSignature="} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, s.log.String(), secret)
	}
	sent := s.platform.Requests(livetest.AccessToken)
	require.True(t, strings.HasPrefix(sent[0].Query.Get("secret"), "SECRETMARKER"), "the marker was sent")
}

// with returns a copy of query with one value changed.
func with(query url.Values, name, value string) url.Values {
	changed := url.Values{}
	for k, v := range query {
		changed[k] = v
	}
	changed.Set(name, value)
	return changed
}
