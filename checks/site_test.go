//go:build go1.25

package checks_test

// What the tests share: a partner's site on the fake platform, inside a bubble of testing/synctest, with a store and an
// evidence that can be made to fail.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

const ann = "session of ann" // the session of the user ann

// site is a partner's, with any number of processes.
type site struct {
	t        *testing.T
	platform *livetest.Platform
	store    *faultyStore
	evidence *memoryEvidence
	cfg      checks.Config
	opts     []webanklive.Option

	mu        sync.Mutex
	concluded []checks.Check // what OnConcluded heard
	asked     []time.Time    // when the platform was asked for a result or for media
}

// inBubble runs a test in a bubble, where hours take no time.
func inBubble(t *testing.T, test func(s *site)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.KeepResults()
		s := &site{t: t, platform: p, store: &faultyStore{Store: checks.NewMemoryStore()}, evidence: &memoryEvidence{kept: map[string][2]int{}}}
		s.cfg = checks.Config{
			CallbackURL: func(orderNo string) string { return "https://shop.example/liveness/" + orderNo + "/done" },
			OnConcluded: func(_ context.Context, c checks.Check) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.concluded = append(s.concluded, c)
				return nil
			},
			Evidence: s.evidence,
		}
		test(s)
	})
}

// RoundTrip notes when the platform is asked.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/idasc/api/server/getLiveResult" {
		s.mu.Lock()
		s.asked = append(s.asked, time.Now())
		s.mu.Unlock()
	}
	return s.platform.Transport().RoundTrip(r)
}

// process makes a Service as another process would have it: with a client of its own.
func (s *site) process(store checks.Store) *checks.Service {
	s.t.Helper()
	opts := append([]webanklive.Option{webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{Transport: s})}, s.opts...)
	service, err := checks.New(clienttest.NewMemoryClient(s.t, s.platform, opts...), store, s.cfg)
	require.NoError(s.t, err)
	return service
}

// running makes a Service that runs until the test ends.
func (s *site) running() *checks.Service {
	s.t.Helper()
	service := s.process(s.store)
	s.t.Cleanup(s.run(service))
	return service
}

// sharedCredential makes every process use one credential store.
func (s *site) sharedCredential() {
	s.opts = append(s.opts, webanklive.WithCredentialStore(webanklive.NewMemoryStore()))
}

// run starts Run, and returns what stops it and waits for its end.
func (s *site) run(service *checks.Service) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(s.t, <-ended)
	}
}

// start begins a check of a user.
func (s *site) start(service *checks.Service, user, session string) checks.Launch {
	s.t.Helper()
	launch, err := service.Start(s.t.Context(), checks.StartRequest{UserID: user, Session: session})
	require.NoError(s.t, err)
	return launch
}

// visit is the person in front of the camera; it returns the query that the browser comes back with, nil for none.
func (s *site) visit(launch checks.Launch, who livetest.Person) url.Values {
	s.t.Helper()
	back, err := s.platform.Visit(s.t.Context(), launch.URL, who)
	require.NoError(s.t, err)
	if back == "" {
		return nil
	}
	u, err := url.Parse(back)
	require.NoError(s.t, err)
	require.Equal(s.t, "/liveness/"+launch.OrderNo+"/done", u.Path)
	return u.Query()
}

// back is the browser that comes back with query.
func (s *site) back(service *checks.Service, launch checks.Launch, session string, query url.Values) checks.Check {
	s.t.Helper()
	c, err := service.Return(s.t.Context(), launch.OrderNo, session, query)
	require.NoError(s.t, err)
	return c
}

// unsigned is the query of a callback that tells of a failure of the platform's page.
func unsigned(orderNo, code string) url.Values {
	return url.Values{"orderNo": {orderNo}, "code": {code}}
}

// taken plays a check of ann until the browser is back.
func (s *site) taken(service *checks.Service, who livetest.Person) (orderNo string) {
	s.t.Helper()
	launch := s.start(service, "ann", ann)
	require.Equal(s.t, checks.Returned, s.back(service, launch, ann, s.visit(launch, who)).State)
	return launch.OrderNo
}

// crowd plays checks of n users until their browsers are back.
func (s *site) crowd(service *checks.Service, n int, who livetest.Person) (orders []string) {
	s.t.Helper()
	for i := range n {
		session := fmt.Sprint("session ", i)
		launch := s.start(service, fmt.Sprint("user", i), session)
		s.back(service, launch, session, s.visit(launch, who))
		orders = append(orders, launch.OrderNo)
	}
	return orders
}

// ends waits until the check of ann is final, and returns it.
func (s *site) ends(orderNo string, within time.Duration) checks.Check {
	s.t.Helper()
	return s.becomes(orderNo, within, func(c checks.Check) bool { return c.State.Final() })
}

// becomes waits until the stored check is so.
func (s *site) becomes(orderNo string, within time.Duration, so func(checks.Check) bool) (c checks.Check) {
	s.t.Helper()
	for end := time.Now().Add(within); !time.Now().After(end); time.Sleep(max(250*time.Millisecond, within/1000)) {
		synctest.Wait()
		c = s.stored(orderNo)
		if so(c) {
			return c
		}
	}
	require.Failf(s.t, "waited in vain", "%v: %+v", within, c)
	return c
}

func kept(c checks.Check) bool { return c.Evidence == checks.EvidenceKept }

func done(c checks.Check) bool { return c.Concluded && kept(c) }

func (s *site) stored(orderNo string) checks.Check {
	s.t.Helper()
	c, err := s.store.Store.Get(s.t.Context(), orderNo)
	require.NoError(s.t, err)
	return c
}

// heard returns the states that OnConcluded heard of an order.
func (s *site) heard(orderNo string) (states []checks.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.concluded {
		if c.OrderNo == orderNo {
			states = append(states, c.State)
		}
	}
	return states
}

func (s *site) queries() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// queriesAreApart checks that the platform was asked no sooner than two seconds after the time before.
func (s *site) queriesAreApart() {
	s.t.Helper()
	asked := s.queries()
	for i := 1; i < len(asked); i++ {
		assert.GreaterOrEqual(s.t, asked[i].Sub(asked[i-1]), 2*time.Second)
	}
}

// faultyStore is a store that can be made to fail, before or after it did what it was asked for, and to hang. As a database
// it does nothing for a context that has ended.
type faultyStore struct {
	checks.Store
	mu     sync.Mutex
	before func(method string) error
	after  func(method string) error
	hangs  atomic.Pointer[hanging]
}

// hanging is a method that returns when it is released, whatever its context says.
type hanging struct {
	method  string
	release chan struct{}
}

func (f *faultyStore) fail(before, after func(method string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

var errAway = errors.New("the database is away")

// away fails every call of method; "": of all methods.
func away(method string) func(string) error {
	return func(called string) error {
		if method == "" || method == called {
			return errAway
		}
		return nil
	}
}

func (f *faultyStore) look(hook *func(method string) error, method string) error {
	f.mu.Lock()
	defer f.mu.Unlock() // hooks count calls
	if *hook == nil {
		return nil
	}
	return (*hook)(method)
}

func around[T any](ctx context.Context, f *faultyStore, method string, do func() (T, error)) (T, error) {
	var zero T
	if h := f.hangs.Load(); h != nil && h.method == method {
		<-h.release
	}
	if err := cmp.Or(ctx.Err(), f.look(&f.before, method)); err != nil {
		return zero, err
	}
	value, err := do()
	if hooked := f.look(&f.after, method); hooked != nil {
		return zero, hooked
	}
	return value, err
}

func (f *faultyStore) Create(ctx context.Context, n checks.NewCheck) (checks.Check, error) {
	return around(ctx, f, "Create", func() (checks.Check, error) { return f.Store.Create(ctx, n) })
}

func (f *faultyStore) Get(ctx context.Context, orderNo string) (checks.Check, error) {
	return around(ctx, f, "Get", func() (checks.Check, error) { return f.Store.Get(ctx, orderNo) })
}

func (f *faultyStore) Update(ctx context.Context, c checks.Check, owner string, due time.Duration) (checks.Check, error) {
	return around(ctx, f, "Update", func() (checks.Check, error) { return f.Store.Update(ctx, c, owner, due) })
}

func (f *faultyStore) Claim(ctx context.Context, owner string, lease time.Duration, limit int, undecided bool) (_ []checks.Check, now time.Time, _ error) {
	list, err := around(ctx, f, "Claim", func() (list []checks.Check, err error) {
		list, now, err = f.Store.Claim(ctx, owner, lease, limit, undecided)
		return list, err
	})
	return list, now, err
}

func (f *faultyStore) Renew(ctx context.Context, orderNo, owner string, lease time.Duration) error {
	_, err := around(ctx, f, "Renew", func() (any, error) { return nil, f.Store.Renew(ctx, orderNo, owner, lease) })
	return err
}

func (f *faultyStore) Release(ctx context.Context, orderNo, owner string, due time.Duration) error {
	_, err := around(ctx, f, "Release", func() (any, error) { return nil, f.Store.Release(ctx, orderNo, owner, due) })
	return err
}

func (f *faultyStore) Delete(ctx context.Context, orderNo string, version int64) error {
	_, err := around(ctx, f, "Delete", func() (any, error) { return nil, f.Store.Delete(ctx, orderNo, version) })
	return err
}

// memoryEvidence counts the photos and the videos that are kept of each order.
type memoryEvidence struct {
	mu   sync.Mutex
	kept map[string][2]int
}

func (m *memoryEvidence) of(orderNo string) [2]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[orderNo]
}

func (m *memoryEvidence) Save(ctx context.Context, orderNo string, fetch func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (bool, error) {
	kept, req := m.of(orderNo), webanklive.LiveMediaRequest{OrderNo: orderNo}
	if kept[0] == 0 {
		req.Photo = io.Discard
	}
	if kept[1] == 0 {
		req.Video = io.Discard
	}
	if req.Photo == nil && req.Video == nil {
		return true, nil
	}
	res, err := fetch(ctx, req)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept = m.kept[orderNo]
	if res.PhotoSize > 0 {
		kept[0]++
	}
	if res.VideoSize > 0 {
		kept[1]++
	}
	m.kept[orderNo] = kept
	return kept[0] > 0 && kept[1] > 0, nil
}

func (m *memoryEvidence) Remove(_ context.Context, orderNo string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, orderNo)
	return nil
}
