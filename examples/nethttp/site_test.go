package nethttp

// The bench of this package's tests: a partner's site on the fake platform, its replicas, and people with browsers.

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
	tokens   *fragileTokens
	handler  http.Handler // of the first replica
	log      *buffer

	mu       sync.Mutex
	verdicts map[string]checks.State // by user: what the partner's accounts say
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		t: t, platform: livetest.NewServer(t), store: &fragileStore{Store: checks.NewMemoryStore()},
		tokens: &fragileTokens{CredentialStore: webanklive.NewMemoryStore()}, log: &buffer{}, verdicts: map[string]checks.State{},
	}
	s.platform.SetMarker("SECRETMARKER")
	s.handler = s.replica()
	return s
}

// replica starts another process of the site, so to speak.
func (s *site) replica() http.Handler {
	c, err := webanklive.NewClient(s.platform.AppID(), s.platform.Secret(),
		webanklive.WithBaseURLs(s.platform.APIURL, s.platform.H5URL), webanklive.WithMaxRetries(0),
		webanklive.WithCredentialStore(s.tokens))
	require.NoError(s.t, err)
	live, run, err := New(c, s.store, siteURL, signedIn, s.record, slog.New(slog.NewTextHandler(s.log, nil)))
	require.NoError(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		assert.NoError(s.t, <-ended)
	})
	return live
}

// signedIn is the partner's own sign-in.
func signedIn(r *http.Request) string {
	user, err := r.Cookie("user")
	if err != nil {
		return ""
	}
	return user.Value
}

func (s *site) record(_ context.Context, c checks.Check) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts[c.UserID] = c.State
	return nil
}

func (s *site) verdict(user string) checks.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdicts[user]
}

// browser is one person's.
type browser struct {
	*site
	user, session string // cookies
}

func (s *site) browser(user string) *browser { return &browser{s, user, rand.Text()} }

func (b *browser) do(method, target string) *httptest.ResponseRecorder {
	return b.at(b.handler, method, target)
}

// at asks a certain replica.
func (b *browser) at(replica http.Handler, method, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.AddCookie(NewSessionCookie(siteURL, b.session))
	if b.user != "" {
		r.AddCookie(&http.Cookie{Name: "user", Value: b.user})
	}
	w := httptest.NewRecorder()
	replica.ServeHTTP(w, r)
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
	return order, b.visit(link, person)
}

func (b *browser) visit(link *url.URL, person livetest.Person) *url.URL {
	b.t.Helper()
	back, err := b.platform.Visit(b.t.Context(), link.String(), person)
	require.NoError(b.t, err)
	u, err := url.Parse(back)
	require.NoError(b.t, err)
	return u
}

func (b *browser) page(order string) string {
	return b.do(http.MethodGet, "/liveness/"+order).Body.String()
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

// becomes waits for the verdict, as the page does.
func (b *browser) becomes(order string, want checks.State) {
	b.t.Helper()
	var got checks.State
	require.Eventually(b.t, func() bool {
		got = b.state(order)
		return got.Final() && b.verdict(b.user) == got
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

func (f *fragileStore) Create(ctx context.Context, n checks.NewCheck) (checks.Check, error) {
	if f.away.Load() {
		return checks.Check{}, errors.New("connection refused")
	}
	return f.Store.Create(ctx, n)
}

// fragileTokens is a credential store that can be away.
type fragileTokens struct {
	webanklive.CredentialStore
	away atomic.Bool
}

func (f *fragileTokens) Load(ctx context.Context, key string) ([]byte, error) {
	if f.away.Load() {
		return nil, errors.New("connection refused")
	}
	return f.CredentialStore.Load(ctx, key)
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
