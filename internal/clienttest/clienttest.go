// Package clienttest is shared by the tests of the root package and of internal/conformance: clients for the platform of
// livetest, a store, a source, a transport and an observer that can be watched, and checks of errors.
package clienttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clockhook"
	"github.com/webanklive/webanklive/livetest"
)

// A name is looked up before any synctest bubble exists: package net makes a channel at its first look-up, and a channel that
// was made in a bubble ends the process when it is used outside.
func init() { _, _ = net.DefaultResolver.LookupHost(context.Background(), "localhost") }

// Marker is in every secret of a platform after SetMarker(Marker).
const Marker = "MARKER"

// A RoundTrip is a transport made of a function.
type RoundTrip func(*http.Request) (*http.Response, error)

func (f RoundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Order is the order number of tests that need one.
const Order = "order42"

// NewVerifier returns a client whose credential is at hand, as it is once a browser comes back.
func NewVerifier(t *testing.T) (*webanklive.Client, *livetest.Server) {
	t.Helper()
	c, srv := NewServed(t)
	Credential(t, c)
	return c, srv
}

// Credential returns the credential of c, and mints one if need be.
func Credential(t *testing.T, c *webanklive.Client) webanklive.Credential {
	t.Helper()
	credential, err := c.Credential(t.Context())
	require.NoError(t, err)
	return credential
}

// With returns query with these values for name, and without name if there are none.
func With(query url.Values, name string, values ...string) url.Values {
	query = maps.Clone(query)
	query[name] = values
	if len(values) == 0 {
		delete(query, name)
	}
	return query
}

// Source is a central token service with one platform credential.
type Source struct {
	Held    webanklive.Credential
	Next    *webanklive.Credential // takes the place of Held when that is invalidated
	Err     error
	Latency time.Duration // of Invalidate

	mu          sync.Mutex
	Asked       int
	Invalidated []webanklive.Credential
}

func (s *Source) Credential(context.Context) (webanklive.Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Asked++
	return s.Held, s.Err
}

func (s *Source) Invalidate(_ context.Context, refused webanklive.Credential) {
	time.Sleep(s.Latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Invalidated = append(s.Invalidated, refused)
	if s.Next != nil {
		s.Held = *s.Next
	}
}

// A FickleStore is a memory store that is as slow as a network, with a hook that runs before each operation.
type FickleStore struct {
	webanklive.CredentialStore
	Latency time.Duration
	Hook    func(op string, n int32) // n counts the calls of op
	Loads   atomic.Int32
	Updates atomic.Int32
}

// NewFickleStore returns a store whose hook does nothing.
func NewFickleStore() *FickleStore {
	return &FickleStore{CredentialStore: webanklive.NewMemoryStore(), Hook: func(string, int32) {}}
}

func (s *FickleStore) Load(ctx context.Context, key string) ([]byte, error) {
	time.Sleep(s.Latency)
	s.Hook("Load", s.Loads.Add(1))
	return s.CredentialStore.Load(ctx, key)
}

func (s *FickleStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	time.Sleep(s.Latency)
	s.Hook("Update", s.Updates.Add(1))
	return s.CredentialStore.Update(ctx, key, fn)
}

// BadCallbacks are the causes for which a callback is refused.
var BadCallbacks = map[string]error{
	"malformed": webanklive.ErrMalformedCallback, "other order": webanklive.ErrOtherOrder, "bad signature": webanklive.ErrBadSignature,
}

// RequireBadCallback checks that err says that a callback is bad, for this cause and no other.
func RequireBadCallback(t *testing.T, err, cause error) {
	t.Helper()
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
	for _, one := range BadCallbacks {
		require.Equal(t, errors.Is(one, cause), errors.Is(err, one), "%v and %q", err, one)
	}
}

// NewClient returns a client for the platform behind srv.
func NewClient(t *testing.T, srv *livetest.Server, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(),
		append([]webanklive.Option{webanklive.WithBaseURLs(srv.APIURL, srv.H5URL)}, opts...)...)
	require.NoError(t, err)
	return c
}

// NewServed returns a platform that listens, and a client for it.
func NewServed(t *testing.T, opts ...webanklive.Option) (*webanklive.Client, *livetest.Server) {
	t.Helper()
	srv := livetest.NewServer(t)
	return NewClient(t, srv, opts...), srv
}

// NewInMemory returns a platform without a socket, and a client for it.
func NewInMemory(t *testing.T, opts ...webanklive.Option) (*webanklive.Client, *livetest.Platform) {
	t.Helper()
	p := livetest.New()
	return NewMemoryClient(t, p, opts...), p
}

// NewMemoryClient returns a client for p that needs no socket, which a synctest bubble cannot wait for.
func NewMemoryClient(t *testing.T, p *livetest.Platform, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(p.AppID(), p.Secret(), append([]webanklive.Option{
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		WithTransport(p.Transport()),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// SixtyFour is Base64 of 64 bytes, the least that is taken for a photo or video.
const SixtyFour = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODktLg=="

// Launch is a complete request for order.
func Launch(order, user string) webanklive.LiveLoginRequest {
	return webanklive.LiveLoginRequest{
		OrderNo: order, UserID: user, CallbackURL: "https://shop.example/liveness/done", SkipResultPage: true,
	}
}

// Complete launches order and lets person go through the check. It returns the query of the callback.
func Complete(t *testing.T, p *livetest.Platform, c *webanklive.Client, order string, person livetest.Person) url.Values {
	t.Helper()
	link, err := c.BuildLiveLoginURL(t.Context(), Launch(order, "user"+order))
	require.NoError(t, err)
	back, err := p.Visit(t.Context(), link, person)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	return u.Query()
}

// WithTransport gives a client its transport.
func WithTransport(transport http.RoundTripper) webanklive.Option {
	return webanklive.WithHTTPClient(&http.Client{Transport: transport})
}

// WithClock gives a client a clock of its own, and the transport that brings it.
func WithClock(transport http.RoundTripper, now func() time.Time) webanklive.Option {
	return WithTransport(clockhook.Transport{RoundTripper: transport, Now: now})
}

// RequireInvalid checks for one line that names every field.
func RequireInvalid(t *testing.T, err error, named ...string) {
	t.Helper()
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	for _, name := range named {
		assert.ErrorContains(t, err, name)
	}
	assert.NotContains(t, err.Error(), "\n")
	assert.False(t, webanklive.Retryable(err))
}

// Observed is an activity as it was observed from its beginning to its end.
type Observed struct {
	webanklive.Activity
	webanklive.Outcome
	Parent *Observed
	Ended  int
}

// Notes is an observer that remembers.
type Notes struct {
	mu  sync.Mutex
	all []*Observed
}

type observedKey struct{}

func (n *Notes) Start(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	parent, _ := ctx.Value(observedKey{}).(*Observed)
	o := &Observed{Activity: a, Parent: parent}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, o)
	return context.WithValue(ctx, observedKey{}, o), func(out webanklive.Outcome) {
		n.mu.Lock()
		defer n.mu.Unlock()
		o.Outcome = out
		o.Ended++
	}
}

// Of returns what was observed of a kind; "" is any.
func (n *Notes) Of(kind webanklive.ActivityKind) (found []*Observed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range n.all {
		if kind == "" || o.Kind == kind {
			found = append(found, o)
		}
	}
	return found
}

// NewMock returns a client whose platform mints, and answers every getLiveResult with reply.
func NewMock(t *testing.T, reply httpmock.Responder, opts ...webanklive.Option) (*webanklive.Client, *httpmock.MockTransport) {
	t.Helper()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/access_token",
		httpmock.NewStringResponder(200, `{"code":"0","access_token":"TOKEN","expire_in":7200}`))
	mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/api_ticket",
		httpmock.NewStringResponder(200, `{"code":"0","tickets":[{"value":"TICKET","expire_in":"3600"}]}`))
	mock.RegisterResponder("GET", "https://idasc.webank.com/api/server/getLiveResult", reply)
	c, err := webanklive.NewClient("app", "secret",
		append([]webanklive.Option{WithTransport(mock), webanklive.WithMaxRetries(0)}, opts...)...)
	require.NoError(t, err)
	return c, mock
}

// RequireClass checks that err has one class and no other, and that only two classes are worth a retry.
func RequireClass(t *testing.T, err, want error) {
	t.Helper()
	var e *webanklive.Error
	require.ErrorAs(t, err, &e)
	for _, class := range []error{
		webanklive.ErrNotPassed, webanklive.ErrNotReady, webanklive.ErrCredential, webanklive.ErrThrottled,
		webanklive.ErrUnavailable, webanklive.ErrInvalidRequest, webanklive.ErrAccount,
	} {
		assert.Equal(t, errors.Is(want, class), errors.Is(err, class), "is %q of class %q?", err, class)
	}
	assert.Equal(t, errors.Is(want, webanklive.ErrUnavailable) || errors.Is(want, webanklive.ErrThrottled), webanklive.Retryable(err))
}

// A WriterFunc is a writer made of a function.
type WriterFunc func([]byte) (int, error)

func (f WriterFunc) Write(p []byte) (int, error) { return f(p) }

// EveryPrint returns value, and every error that it wraps, as programs may print it, with fmt and slog.
func EveryPrint(value any) string {
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Error("x", "value", value, slog.Any("any", value))
	}
	for value != nil {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&log, verb+"\n"+verb+"\n", value, struct{ V any }{value})
		}
		err, _ := value.(error)
		if value = nil; err != nil && errors.Unwrap(err) != nil {
			value = errors.Unwrap(err)
		}
	}
	return log.String()
}
