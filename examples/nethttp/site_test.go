package nethttp

// The bench of this package's tests, a partner's site on the fake platform and people with browsers; and what site.go adds
// to the handlers.

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

const siteURL = "https://shop.example"

type site struct {
	t        *testing.T
	platform *livetest.Server
	store    *fragileStore
	handler  http.Handler
	stop     func()       // ends the work behind
	log      bytes.Buffer // to be read after stop

	verdicts sync.Map // states by user: what the partner's accounts say
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, platform: livetest.NewServer(t), store: &fragileStore{Store: checks.NewMemoryStore()}}
	s.platform.SetMarker("SECRETMARKER")
	c, err := webanklive.NewClient(s.platform.AppID(), s.platform.Secret(),
		webanklive.WithBaseURLs(s.platform.APIURL, s.platform.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	record := func(_ context.Context, c checks.Check) error {
		s.verdicts.Store(c.UserID, c.State)
		return nil
	}
	live, run, err := New(c, s.store, siteURL, signedIn, record, slog.New(slog.NewTextHandler(&s.log, nil)))
	require.NoError(t, err)
	s.handler = live
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(s.stop)
	return s
}

// signedIn is the partner's own sign-in.
func signedIn(r *http.Request) string {
	user, err := r.Cookie("user")
	if err != nil {
		return ""
	}
	return user.Value
}

// browser is one person's.
type browser struct {
	*site
	user, session string // cookies
}

func (s *site) browser(user string) *browser { return &browser{s, user, rand.Text()} }

func (b *browser) do(method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.AddCookie(NewSessionCookie(siteURL, b.session))
	if b.user != "" {
		r.AddCookie(&http.Cookie{Name: "user", Value: b.user})
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	assert.Equal(b.t, "no-store", w.Header().Get("Cache-Control"))
	assert.Equal(b.t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.Empty(b.t, w.Result().Cookies(), "no verdict and no order lives in the browser")
	return w
}

// start taps the button, and returns the link and the order.
func (b *browser) start() (link *url.URL, order string) {
	b.t.Helper()
	w := b.do(http.MethodPost, "/liveness/start")
	require.Equal(b.t, http.StatusSeeOther, w.Code, w.Body.String())
	link, err := url.Parse(w.Header().Get("Location"))
	require.NoError(b.t, err)
	require.Equal(b.t, b.platform.H5URL, "http://"+link.Host+"/ida")
	return link, link.Query().Get("orderNo")
}

// check starts, and lets person go through the platform's page. It returns the order and the callback.
func (b *browser) check(person livetest.Person) (order string, back *url.URL) {
	b.t.Helper()
	link, order := b.start()
	address, err := b.platform.Visit(b.t.Context(), link.String(), person)
	require.NoError(b.t, err)
	back, err = url.Parse(address)
	require.NoError(b.t, err)
	return order, back
}

func (b *browser) state(order string) checks.State {
	w := b.do(http.MethodGet, "/liveness/"+order+"/state")
	var answer struct{ State checks.State }
	if w.Code == http.StatusOK {
		assert.Equal(b.t, "application/json", w.Header().Get("Content-Type"))
		assert.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &answer))
	}
	return answer.State
}

// becomes waits for the verdict, as the page does, and until the partner's accounts have it.
func (b *browser) becomes(order string, want checks.State) {
	b.t.Helper()
	var got checks.State
	require.Eventually(b.t, func() bool {
		got = b.state(order)
		recorded, _ := b.verdicts.Load(b.user)
		return got.Final() && recorded == got
	}, 30*time.Second, 10*time.Millisecond)
	assert.Equal(b.t, want, got)
}

// fragileStore is a database that can be away.
type fragileStore struct {
	checks.Store
	away atomic.Bool
}

func (f *fragileStore) Get(ctx context.Context, orderNo string) (checks.Check, error) {
	if f.away.Load() {
		return checks.Check{}, errors.New("connection refused")
	}
	return f.Store.Get(ctx, orderNo)
}

// A browser that stays open while another user signs in: a pass must not go to an account whose password was phished.
func TestNew_TiesACheckToTheUserOfItsSession(t *testing.T) {
	t.Parallel()
	b := newSite(t).browser("mallory")
	order, back := b.check(livetest.Passing())
	b.user = "victim"
	assert.Equal(t, http.StatusNotFound, b.do(http.MethodGet, back.RequestURI()).Code)
	assert.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/liveness/"+order).Code)
	b.user = "mallory"
	assert.Equal(t, checks.Launched, b.state(order), "nothing was changed")
}

func TestNewSessionCookie_ComesHomeFromThePlatform(t *testing.T) {
	t.Parallel()
	c := NewSessionCookie(siteURL, "x")
	assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
	assert.True(t, c.HttpOnly)
	assert.True(t, c.Secure)
	assert.False(t, NewSessionCookie("http://localhost:8080", "x").Secure)
}

func TestNewServer_HasTimeouts(t *testing.T) {
	t.Parallel()
	s := NewServer(":0", http.NotFoundHandler())
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		assert.Positive(t, d)
	}
}
