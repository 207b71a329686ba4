//go:build go1.25

package conformance_test

// How long a call may take, how much it may read, and what it tells the other side.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"strings"
	"sync"
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

// trickle is a body that brings a chunk every 7 seconds until its request is cancelled.
type trickle struct {
	ctx    context.Context
	chunks []string
}

func (b *trickle) Read(p []byte) (int, error) {
	if len(b.chunks) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(7 * time.Second):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	n := copy(p, b.chunks[0])
	if b.chunks[0] = b.chunks[0][n:]; b.chunks[0] == "" {
		b.chunks = b.chunks[1:]
	}
	return n, nil
}

func (b *trickle) Close() error { return nil }

// newTrickler returns a client whose results arrive in chunks, one every 7 seconds.
func newTrickler(t *testing.T, chunks ...string) *webanklive.Client {
	t.Helper()
	p := livetest.New()
	return clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
		Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			if !req.URL.Query().Has("order_no") {
				return p.Transport().RoundTrip(req)
			}
			return &http.Response{
				StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: req,
				Body: &trickle{req.Context(), chunks},
			}, nil
		}),
	}))
}

func TestIdleTimeout_IsMeasuredBetweenTwoReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newTrickler(t, `{"co`, `de":"`, `0","orderNo":"`+clienttest.Order+`"}`)
		began := time.Now()
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		assert.Equal(t, 21*time.Second, time.Since(began))
	})
}

func TestIdleTimeout_EndsASilenceAfterTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
			Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				if !req.URL.Query().Has("order_no") {
					return p.Transport().RoundTrip(req)
				}
				brings, hangs := &trickle{req.Context(), []string{"{"}}, readerFunc(func([]byte) (int, error) {
					<-req.Context().Done()
					return 0, req.Context().Err()
				})
				return &http.Response{
					StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: req,
					Body: io.NopCloser(io.MultiReader(brings, hangs)),
				}, nil
			}),
		}))
		began := time.Now()
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.ErrorContains(t, err, "silent for 10s")
		assert.Equal(t, 17*time.Second, time.Since(began), "of which the platform was silent for ten")
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAttempt_AReplyThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	for file, limit := range map[webanklive.GetFile]time.Duration{
		webanklive.GetFileNone: 30 * time.Second, webanklive.GetFileAll: 10 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newTrickler(t, strings.Split(strings.Repeat(" |", 1000), "|")[:999]...)
			began := time.Now()
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: file})
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, "the reply took too long")
			assert.NotErrorIs(t, err, context.Canceled)
			assert.Equal(t, limit, time.Since(began))
		})
	}
}

func TestContext_AnotherTimeoutIsNotTheCallers(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
			Transport: clienttest.RoundTrip(func(*http.Request) (*http.Response, error) { return nil, cause }),
		}))
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NotErrorIs(t, err, cause)
		require.ErrorContains(t, err, cause.Error())
	}
}

func TestContext_ThatEndsBetweenTwoAttemptsIsReportedAsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(10))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			require.ErrorIs(t, err, context.Canceled)
			clienttest.RequireClass(t, err, nil)
		}
	})
}

func TestContext_ThatHasEndedCostsNoTicket(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, "user"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Credential(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, srv.Calls(livetest.NonceTicket))
}

func TestReply_ShortOnesAreBoundedTightly(t *testing.T) {
	t.Parallel()
	for _, e := range []livetest.Endpoint{livetest.AccessToken, livetest.NonceTicket} {
		p := livetest.New()
		p.Fail(e, livetest.Fault{Replace: func(body []byte) []byte {
			return append(body, strings.Repeat(" ", 1<<20)...)
		}}, 1)
		_, err := clienttest.NewMemoryClient(t, p).BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.ErrorContains(t, err, "longer than the limit")
		assert.Equal(t, 1, p.Calls(e))
	}
}

func TestMint_IsTriedThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(10))
		p.Fail(livetest.AccessToken, livetest.Fault{Status: 502}, -1)
		_, err := c.Credential(t.Context())
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Equal(t, 3, p.Calls(livetest.AccessToken))

		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		p.Fail(livetest.SignTicket, livetest.Fault{Status: 502}, -1)
		time.Sleep(5 * time.Second)
		_, err = c.Credential(t.Context())
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Equal(t, 3, p.Calls(livetest.SignTicket))
	})
}

func TestRequest_CarriesNoCookiesAndMediaComeUncompressed(t *testing.T) {
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
	for _, file := range []webanklive.GetFile{webanklive.GetFileNone, webanklive.GetFileAll} {
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: file})
		require.NoError(t, err)
	}
	for _, r := range srv.Requests(livetest.LiveResult) {
		assert.Empty(t, r.Header.Get("Cookie"))
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
	}
	srv.Fail(livetest.LiveResult, livetest.Fault{Redirect: "https://evil.example/"}, 1)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorContains(t, err, "redirects")
	require.NotErrorIs(t, err, asked, "the caller's own redirect policy is not consulted")

	assert.Equal(t, jar, hc.Jar)
	assert.Len(t, jar.Cookies(api), 1, "no cookie is kept")
	assert.Equal(t, asked, hc.CheckRedirect(nil, nil))
	assert.Equal(t, time.Minute, hc.Timeout)
}

func TestWithHTTPClient_ItsTimeoutApplies(t *testing.T) {
	t.Parallel()
	for _, fault := range []livetest.Fault{{Hang: true}, {Hang: true, Bytes: 9}} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			hc := &http.Client{Transport: p.Transport(), Timeout: 3 * time.Second}
			c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(hc), webanklive.WithMaxRetries(0))
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			p.Fail(livetest.LiveResult, fault, 1)
			began := time.Now()
			_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's own context did not end")
			assert.Equal(t, 3*time.Second, time.Since(began))
		})
	}
}

// Not parallel: memory is measured in the whole process.
//
//nolint:paralleltest
func TestWithMaxResponseBytes_AGigabyteCostsNoMoreMemoryThanTheLimit(t *testing.T) {
	for _, tc := range []struct {
		at    livetest.Endpoint
		start string
		more  string
		limit uint64 // of all that the call allocates
		use   func(c *webanklive.Client) error
	}{
		{livetest.NonceTicket, `{"code":"0"`, " ", 8 << 20, func(c *webanklive.Client) error {
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
			return err
		}},
		{livetest.LiveResult, `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"`, "QUJD", 1 << 20, func(c *webanklive.Client) error {
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			return err
		}},
		{livetest.LiveResult, `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"`, "QUJD", 3 * gigabyteLimit, func(c *webanklive.Client) error {
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFilePhoto})
			return err
		}},
		{livetest.LiveResult, `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"`, "QUJD", 1 << 20, func(c *webanklive.Client) error {
			_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard})
			return err
		}},
	} {
		for _, announced := range []int64{-1, 1 << 30} {
			p := livetest.New()
			p.AddResult(clienttest.Order, livetest.Passing())
			w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
			c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: w}), webanklive.WithMaxResponseBytes(gigabyteLimit))
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			w.fail(tc.at, fault{change: endless(tc.start, tc.more, announced)})

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = tc.use(c)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, "longer than the limit")
			assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, tc.limit)
			if announced > 0 {
				assert.Zero(t, w.longest, "nothing is read of a reply that announces too much")
			}
			assert.LessOrEqual(t, w.longest, int64(gigabyteLimit+64<<10+1))
			assert.Equal(t, 1, w.sent[tc.at])
		}
	}
}

const gigabyteLimit = 16 << 20

func TestStreamLiveMedia_ASlowWriterIsNotTakenForASilentPlatform(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Person{Code: "0", Video: bytes.Repeat([]byte("video"), 50_000)}) // several windows
		c := clienttest.NewMemoryClient(t, p)
		slow := clienttest.WriterFunc(func(p []byte) (int, error) {
			time.Sleep(11 * time.Second) // longer than the platform may be silent
			return len(p), nil
		})
		res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Video: slow})
		require.NoError(t, err)
		assert.Equal(t, int64(250_000), res.VideoSize)
	})
}

func TestStreamLiveMedia_ASlowWriterDoesNotOutlastTheTenMinutesOfARequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Person{Code: "0", Video: bytes.Repeat([]byte("video"), 200_000)})
		c := clienttest.NewMemoryClient(t, p)
		slow := clienttest.WriterFunc(func(p []byte) (int, error) {
			time.Sleep(time.Minute)
			return len(p), nil
		})
		began := time.Now()
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Video: slow})
		require.ErrorIs(t, err, webanklive.ErrMedia)
		require.ErrorContains(t, err, "the reply took too long")
		assert.Equal(t, 10*time.Minute, time.Since(began))
	})
}

func TestWithHTTPClient_ATransportThatEndsItsGoroutineEndsThatCallAlone(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"NONCE", "SIGN"} { // on the caller's goroutine, and on one of the client's
		p := livetest.New()
		var ends atomic.Bool
		ends.Store(true)
		c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{
			Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				if req.URL.Query().Get("type") == at && ends.Swap(false) {
					runtime.Goexit() // as require does in a mock
				}
				return p.Transport().RoundTrip(req)
			}),
		}))
		var link string
		err := errors.New("it did not return")
		var call sync.WaitGroup
		call.Go(func() { link, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user")) })
		call.Wait()
		if at == "SIGN" {
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, "ended its goroutine")
			c = clienttest.NewMemoryClient(t, p)
		}
		assert.Empty(t, link)
		_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
		require.NoError(t, err)
	}
}

// hangingStore hangs in Load until its context ends.
type hangingStore struct {
	webanklive.CredentialStore
	hangs atomic.Bool
}

func (s *hangingStore) Load(ctx context.Context, key string) ([]byte, error) {
	if s.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.CredentialStore.Load(ctx, key)
}

func TestCredentialStore_ThatHangsCostsACallHalfOfItsTimeAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Passing())
		store := &hangingStore{CredentialStore: webanklive.NewMemoryStore()}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		store.hangs.Store(true)
		for range 20 { // for longer than the store may go unread
			time.Sleep(20 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			cancel()
			require.NoError(t, err)
		}
		time.Sleep(time.Minute) // the last read goes on without its caller
	})
}

func TestConnections_OfAReplyThatMakesNoSenseAreUsedAgain(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	var dials atomic.Int32
	c := clienttest.NewClient(t, srv, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}))
	srv.Fail(livetest.LiveResult, livetest.Fault{Status: 502, Body: strings.Repeat("<br>", 15_000)}, -1)
	for range 5 {
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
	}
	assert.Equal(t, int32(1), dials.Load())
}
