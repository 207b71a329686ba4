package ginlive

// The test that a partner writes: what people see of every way that a check can go, on the fake platform. Which callbacks
// are refused and which verdict follows is tested in package checks.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

// logged is what gin and the handlers log in all tests.
var logged = &buffer{}

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter = logged
	os.Exit(m.Run())
}

func TestLiveness_ShowsAndRecordsEveryOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		person livetest.Person
		state  checks.State
		page   string
	}{
		"passes":             {livetest.Passing(), checks.Passed, "验证通过"},
		"fails":              {livetest.Failing("-5013"), checks.NotPassed, "验证未通过"},
		"browser cannot":     {livetest.WithoutRecorder(), checks.OtherWay, "请到柜台办理"},
		"camera was refused": {livetest.Failing("3004"), checks.OtherWay, "请到柜台办理"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			order, back := s.check("ann", c.person)
			assert.Equal(t, "/liveness/"+order+"/done", back.Path, "the order is in the path")
			w := s.do("ann", http.MethodGet, back.RequestURI())
			assert.Equal(t, http.StatusSeeOther, w.Code)
			assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"), "without the query")
			select {
			case concluded := <-s.concluded:
				assert.Equal(t, c.state, concluded.State)
				assert.Equal(t, "ann", concluded.UserID)
			case <-time.After(30 * time.Second):
				require.Fail(t, "nothing was concluded")
			}
			assert.Equal(t, c.state, s.state("ann", order))
			w = s.do("ann", http.MethodGet, "/liveness/"+order)
			assert.Contains(t, w.Body.String(), c.page)
			assert.Equal(t, texts[c.state], w.Body.String(), "nothing of the person, and no attack is explained")
			assert.Empty(t, w.Header().Get("Refresh"), "a verdict does not change")
			w = s.do("ann", http.MethodGet, "/liveness/"+order+"/state")
			assert.JSONEq(t, fmt.Sprintf(`{"state":%q}`, c.state), w.Body.String(), "and nothing of the person")
		})
	}
}

func TestLiveness_TheCallbackAloneDecidesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	order, failed := s.check("ann", livetest.Failing("-5016"))
	_, passed := s.check("eve", livetest.Passing())
	for name, query := range map[string]url.Values{
		"tampered": with(failed.Query(), "code", "0"), "another order's": passed.Query(), "empty": {},
	} {
		w := s.do("ann", http.MethodGet, "/liveness/"+order+"/done?"+query.Encode())
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Equal(t, checks.Launched, s.state("ann", order), name)
	}
	assert.Equal(t, http.StatusNotFound, s.do("eve", http.MethodGet, failed.RequestURI()).Code, "another session's callback")
	assert.Equal(t, http.StatusNotFound, s.do("eve", http.MethodGet, "/liveness/"+order).Code, "another session's page")
	assert.Zero(t, s.platform.Calls(livetest.LiveResult), "nobody came back, nobody is asked")
	w := s.do("ann", http.MethodPost, "/liveness/start") // a swipe back
	assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"))
	assert.Equal(t, http.StatusForbidden, s.do("", http.MethodPost, "/liveness/start").Code, "nobody is signed in")
}

func TestLiveness_AStartThatFailsForNowIsPostedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, -1)
	w := s.do("ann", http.MethodPost, "/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "3", w.Header().Get("Retry-After"))
	assert.Empty(t, w.Header().Get("Refresh"), "it would ask GET /liveness/start, where there is no such check")
	assert.Contains(t, w.Header().Get("Content-Type"), "text/html")
	assert.Contains(t, w.Body.String(), `<form method="post">`, "the button repeats the request")
}

// gin.Default's log had the signature of each callback.
func TestNewRouter_LogsNoQueries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	order, back := s.check("ann", livetest.Passing())
	s.do("ann", http.MethodGet, back.RequestURI())
	require.Contains(t, logged.String(), "/liveness/"+order+"/done", "requests are logged")
	r := NewRouter()
	r.GET("/panic", func(*gin.Context) { panic("on purpose") })
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/panic?"+back.RawQuery, nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	for _, secret := range []string{"newSignature", back.Query().Get("newSignature"), "SECRETMARKER", "sign="} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, logged.String(), secret)
	}
	sent := s.platform.Requests(livetest.AccessToken)
	require.Contains(t, sent[0].Query.Get("secret"), "SECRETMARKER", "the marker was sent")
}

func TestSetSessionCookie_ComesHomeFromThePlatform(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	SetSessionCookie(c, "https://shop.example", "x")
	cookie := w.Result().Cookies()[0]
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.True(t, cookie.HttpOnly)
	assert.True(t, cookie.Secure)
	s := NewServer(":0", http.NotFoundHandler())
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		assert.Positive(t, d)
	}
}

// site is a partner's site with one process; people are told apart by a cookie.
type site struct {
	t         *testing.T
	platform  *livetest.Server
	router    *gin.Engine
	concluded chan checks.Check
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, platform: livetest.NewServer(t), router: NewRouter(), concluded: make(chan checks.Check, 10)}
	s.platform.SetMarker("SECRETMARKER")
	c, err := webanklive.NewClient(s.platform.AppID(), s.platform.Secret(),
		webanklive.WithBaseURLs(s.platform.APIURL, s.platform.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	live, run, err := New(c, checks.NewMemoryStore(), "https://shop.example",
		func(c *gin.Context) string {
			user, _ := c.Cookie("user")
			return user
		},
		func(_ context.Context, c checks.Check) error {
			s.concluded <- c
			return nil
		}, slog.New(slog.NewTextHandler(logged, nil)))
	require.NoError(t, err)
	live.Routes(s.router)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return s
}

func (s *site) do(user, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "session of " + user})
	r.AddCookie(&http.Cookie{Name: "user", Value: user})
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	assert.Equal(s.t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(s.t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.Empty(s.t, w.Result().Cookies(), "no verdict and no order lives in the browser")
	return w
}

// check starts, and lets person go through the platform's page. It returns the order and the callback.
func (s *site) check(user string, person livetest.Person) (order string, back *url.URL) {
	s.t.Helper()
	w := s.do(user, http.MethodPost, "/liveness/start")
	require.Equal(s.t, http.StatusSeeOther, w.Code, w.Body.String())
	link, err := url.Parse(w.Header().Get("Location"))
	require.NoError(s.t, err)
	address, err := s.platform.Visit(s.t.Context(), link.String(), person)
	require.NoError(s.t, err)
	back, err = url.Parse(address)
	require.NoError(s.t, err)
	return link.Query().Get("orderNo"), back
}

func (s *site) state(user, order string) checks.State {
	var answer struct{ State checks.State }
	require.NoError(s.t, json.Unmarshal(s.do(user, http.MethodGet, "/liveness/"+order+"/state").Body.Bytes(), &answer))
	return answer.State
}

// with returns a copy of query with one value changed.
func with(query url.Values, name, value string) url.Values {
	changed := maps.Clone(query)
	changed.Set(name, value)
	return changed
}

// A buffer collects what several goroutines write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
