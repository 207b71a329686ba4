//go:build go1.25

package conformance_test

// What a request carries, and what a caller's own transport may break: an error of that call and of no other.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestRequest_NamesItselfAndAsksForNoCacheNoCookiesAndNoCompression(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult(clienttest.Order, livetest.Passing())
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	api, err := url.Parse(srv.APIURL)
	require.NoError(t, err)
	jar.SetCookies(api, []*http.Cookie{{Name: "session", Value: "x", Path: "/"}})
	asked := errors.New("asked")
	hc := &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return asked }, Timeout: time.Minute,
		Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			res, err := http.DefaultTransport.RoundTrip(req)
			if err == nil {
				res.Header.Set("Set-Cookie", "tracking=y; Path=/")
			}
			return res, err
		}),
	}
	c := clienttest.NewClient(t, srv, webanklive.WithHTTPClient(hc))
	require.NoError(t, launch(t.Context(), c, 1))
	require.NoError(t, askResult(t.Context(), c))
	_, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard})
	require.NoError(t, err)
	for e, n := range map[livetest.Endpoint]int{livetest.AccessToken: 1, livetest.SignTicket: 1, livetest.NonceTicket: 1, livetest.LiveResult: 2} {
		require.Len(t, srv.Requests(e), n)
		for _, r := range srv.Requests(e) {
			assert.Regexp(t, `^webanklive-go/\S+ \(Go `+strings.TrimPrefix(runtime.Version(), "go")+`\)$`, r.Header.Get("User-Agent"))
			assert.Equal(t, []string{"no-store", "no-cache"}, r.Header.Values("Cache-Control"))
			assert.Equal(t, "no-cache", r.Header.Get("Pragma"))
			assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
			assert.Empty(t, r.Header.Get("Cookie"))
		}
	}
	srv.Fail(livetest.LiveResult, livetest.Fault{Redirect: "https://evil.example/"}, 1)
	err = askResult(t.Context(), c)
	require.ErrorContains(t, err, "redirects")
	require.NotErrorIs(t, err, asked, "the caller's own redirect policy is not consulted")

	assert.Equal(t, jar, hc.Jar)
	assert.Len(t, jar.Cookies(api), 1, "no cookie is kept")
	assert.Equal(t, asked, hc.CheckRedirect(nil, nil))
	assert.Equal(t, time.Minute, hc.Timeout)
}

func TestWithHTTPClient_ItsTimeoutAppliesAndIsNotTheCallers(t *testing.T) {
	t.Parallel()
	for _, fault := range []livetest.Fault{{Hang: true}, {Hang: true, Bytes: 9}} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			c := newWarm(t, p, webanklive.WithHTTPClient(&http.Client{Transport: p.Transport(), Timeout: 3 * time.Second}), webanklive.WithMaxRetries(0))
			p.Fail(livetest.LiveResult, fault, 1)
			began := time.Now()
			err := askResult(t.Context(), c)
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's own context did not end")
			assert.Equal(t, 3*time.Second, time.Since(began))
		})
	}
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		err := askResult(t.Context(), clienttest.NewMemoryClient(t, livetest.New(), webanklive.WithMaxRetries(0),
			over(func(*http.Request) (*http.Response, error) { return nil, cause })))
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NotErrorIs(t, err, cause)
		require.ErrorContains(t, err, cause.Error())
	}
}

// brokenBody breaks the rules of io.Reader and io.Closer.
type brokenBody struct {
	io.Reader
	count func(p []byte, n int) int
	close error
}

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	return b.count(p, n), err
}

func (b brokenBody) Close() error { return b.close }

// A caller's own http.Client may be instrumented, cached, mocked, and broken. Tokens and tickets are fetched in goroutines
// of the client's own, where a panic that nobody recovers ends the process.
func TestWithHTTPClient_ATransportThatBreaksItsContractIsAnError(t *testing.T) {
	t.Parallel()
	type answer = func(req *http.Request, res *http.Response) (*http.Response, error)
	honest := func(_ []byte, n int) int { return n }
	with := func(change func(res *http.Response)) answer {
		return func(_ *http.Request, res *http.Response) (*http.Response, error) {
			change(res)
			return res, nil
		}
	}
	body := func(count func(p []byte, n int) int, close error) answer {
		return with(func(res *http.Response) { res.Body = brokenBody{res.Body, count, close} })
	}
	for name, tc := range map[string]struct {
		answer answer
		works  bool
	}{
		"neither response nor error": {answer: func(*http.Request, *http.Response) (*http.Response, error) { return nil, nil }},
		"response and error":         {answer: func(_ *http.Request, res *http.Response) (*http.Response, error) { return res, errors.New("both") }},
		"response without anything":  {answer: func(*http.Request, *http.Response) (*http.Response, error) { return &http.Response{}, nil }},
		"no header and no body": {answer: func(req *http.Request, _ *http.Response) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Request: req}, nil
		}},
		"length without a body": {answer: func(req *http.Request, _ *http.Response) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Request: req, ContentLength: 5}, nil
		}},
		"absurd length":                  {answer: with(func(res *http.Response) { res.ContentLength = -1 << 62 }), works: true},
		"absurd status":                  {answer: with(func(res *http.Response) { res.StatusCode = -200 })},
		"no request in the response":     {answer: with(func(res *http.Response) { res.Request = nil }), works: true},
		"close fails":                    {answer: body(honest, errors.New("close")), works: true},
		"more bytes than were asked for": {answer: body(func(p []byte, _ int) int { return len(p) + 1 }, nil)},
		"less than nothing":              {answer: body(func([]byte, int) int { return -1 }, nil)},
		"body that panics":               {answer: body(func([]byte, int) int { panic(clienttest.Marker) }, nil)},
		"panics":                         {answer: func(*http.Request, *http.Response) (*http.Response, error) { panic(clienttest.Marker) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			launched := func(c *webanklive.Client) error { return launch(t.Context(), c, 1) }
			for _, call := range []struct {
				at  livetest.Endpoint
				use func(c *webanklive.Client) error
			}{
				{livetest.AccessToken, launched}, {livetest.SignTicket, launched}, {livetest.NonceTicket, launched},
				{livetest.LiveResult, func(c *webanklive.Client) error { return askResult(t.Context(), c) }},
				{livetest.LiveResult, func(c *webanklive.Client) error {
					_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
					return err
				}},
			} {
				p := newPlatform()
				broken := true
				c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), answering(p, call.at, func(req *http.Request) (*http.Response, error) {
					res, err := p.Transport().RoundTrip(req)
					if err != nil || !broken {
						return res, err
					}
					return tc.answer(req, res)
				}))
				var err error
				assert.NotPanics(t, func() { err = call.use(c) }, call.at)
				if tc.works {
					require.NoError(t, err, call.at)
					continue
				}
				clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
				assert.NotContains(t, err.Error(), clienttest.Marker)
				if broken = false; call.at == livetest.LiveResult { // a failed mint is remembered for seconds
					require.NoError(t, call.use(c), "the next call")
				}
			}
		})
	}
}

// A mock that fails a test with require ends the goroutine that asked it. Here that is the caller's; for those of the
// client's own see TestCredential_CodeOfTheCallersThatBreaksEndsOneCallWithAnError.
func TestWithHTTPClient_ATransportThatEndsItsGoroutineEndsThatCallAlone(t *testing.T) {
	t.Parallel()
	for at, use := range map[livetest.Endpoint]func(c *webanklive.Client, n int) error{
		livetest.NonceTicket: func(c *webanklive.Client, n int) error { return launch(context.Background(), c, n) },
		livetest.LiveResult:  func(c *webanklive.Client, _ int) error { return askResult(context.Background(), c) },
	} {
		p := newPlatform()
		ends := true
		var heard clienttest.Notes
		c := newWarm(t, p, webanklive.WithObserver(&heard), answering(p, at, func(req *http.Request) (*http.Response, error) {
			if ends {
				ends = false
				runtime.Goexit()
			}
			return p.Transport().RoundTrip(req)
		}))
		returned, done := false, make(chan struct{})
		go func() {
			defer close(done)
			_ = use(c, 1)
			returned = true
		}()
		<-done
		assert.False(t, returned, at)
		require.NoError(t, use(c, 2), at)
		requests := heard.Of(webanklive.ActivityRequest)
		require.ErrorContains(t, requests[len(requests)-2].Err, "Goexit")
	}
}

// A timer that all attempts of a client shared was lost with the synctest bubble that set it.
func TestTransport_TimeoutsSurviveASynctestBubble(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	var hangs bool
	c := newWarm(t, p, webanklive.WithMaxRetries(0), clienttest.WithClock(clienttest.RoundTrip(
		func(req *http.Request) (*http.Response, error) {
			if hangs {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return p.Transport().RoundTrip(req)
		}), func() time.Time { return time.Unix(1_800_000_000, 0) }))
	synctest.Test(t, func(t *testing.T) { require.ErrorIs(t, askResult(t.Context(), c), webanklive.ErrNotReady) })
	hangs = true
	synctest.Test(t, func(t *testing.T) { require.ErrorContains(t, askResult(t.Context(), c), "silent for 10s") })
}

func TestConnections_OfAReplyThatMakesNoSenseAreUsedAgain(t *testing.T) {
	t.Parallel()
	var dials atomic.Int32
	c, srv := clienttest.NewServed(t, webanklive.WithMaxRetries(0), clienttest.WithTransport(&http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}))
	srv.Fail(livetest.LiveResult, livetest.Fault{Status: 502, Body: strings.Repeat("<br>", 15_000)}, -1)
	for range 5 {
		clienttest.RequireClass(t, askResult(t.Context(), c), webanklive.ErrUnavailable)
	}
	assert.Equal(t, int32(1), dials.Load())
}
