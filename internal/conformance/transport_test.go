//go:build go1.25

package conformance_test

// What instrumentation may see of a request, and how an attempt behaves on a network that lies.

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// dump is a careless instrumentation: it writes down everything that it can get hold of.
type dump struct {
	next http.RoundTripper
	out  *clienttest.LockedBuffer
}

func (d dump) RoundTrip(req *http.Request) (*http.Response, error) {
	fmt.Fprintf(d.out, "%v %+v %#v %v %v %+v\n", req.URL, req, req.URL, req.RequestURI, req.Header, req.Context())
	if sent, err := httputil.DumpRequestOut(req, true); err == nil {
		_, _ = d.out.Write(sent)
	}
	res, err := d.next.RoundTrip(req)
	fmt.Fprintf(d.out, "%v %+v\n", err, err)
	if res == nil {
		return res, err
	}
	fmt.Fprintf(d.out, "%+v %v %v %#v\n", res, res.Header, res.Request.URL, res.Request)
	if got, dumpErr := httputil.DumpResponse(res, true); dumpErr == nil {
		_, _ = d.out.Write(got)
	} else {
		fmt.Fprint(d.out, dumpErr)
	}
	if to, locErr := res.Location(); locErr == nil {
		fmt.Fprint(d.out, "location: ", to)
	}
	return res, err
}

// hooks is an httptrace that writes down what each hook is told.
func hooks(out *clienttest.LockedBuffer) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:          func(hostPort string) { fmt.Fprintln(out, "get conn", hostPort) },
		GotConn:          func(info httptrace.GotConnInfo) { fmt.Fprintln(out, "got conn", info.Reused) },
		WroteHeaderField: func(key string, value []string) { fmt.Fprintln(out, "wrote", key, value) },
		WroteRequest:     func(info httptrace.WroteRequestInfo) { fmt.Fprintln(out, "wrote request", info.Err) },
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			fmt.Fprintln(out, "interim", code, header)
			return nil
		},
	}
}

// tattling answers through the platform, and repeats what it was asked in every header, and sometimes in a redirect.
func tattling(p *livetest.Platform, heard *atomic.Int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, clienttest.Marker) {
			heard.Add(1)
		}
		w.Header().Set("Link", "</x?"+r.URL.RawQuery+">; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("X-Original-URI", r.URL.RequestURI())
		w.Header().Set("Location", "/again?"+r.URL.RawQuery)
		res, err := p.Transport().RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})
}

func TestWithInstrumentation_SeesMethodHostPathAndStatusAndNeverAQuery(t *testing.T) {
	t.Parallel()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			p := livetest.New()
			p.SetMarker(clienttest.Marker)
			p.AddResult(clienttest.Order, livetest.Passing())
			var heard atomic.Int32
			srv := httptest.NewUnstartedServer(tattling(p, &heard))
			srv.EnableHTTP2 = proto == "HTTP/2.0"
			srv.StartTLS()
			t.Cleanup(srv.Close)

			var seen, log clienttest.LockedBuffer
			c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithBaseURLs(srv.URL+"/idasc", srv.URL+"/ida"),
				webanklive.WithHTTPClient(srv.Client()), webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))),
				webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return dump{next, &seen} }))
			require.NoError(t, err)
			ctx := httptrace.WithClientTrace(t.Context(), hooks(&seen))
			_, err = c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, "user4711"))
			require.NoError(t, err)
			res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
			require.NoError(t, err)
			assert.Equal(t, livetest.SamplePhoto(), res.Photo)
			p.Fail(livetest.LiveResult, livetest.Fault{Redirect: "https://evil.example/?x=" + clienttest.Marker}, 1)
			_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			require.ErrorContains(t, err, "redirects")
			p.Fail(livetest.LiveResult, livetest.Fault{Reset: true}, 1)
			_, _ = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})

			require.GreaterOrEqual(t, heard.Load(), int32(3), "the marker was sent")
			text := seen.String()
			for _, want := range []string{"GET", "/idasc/api/oauth2/access_token", "/idasc/api/server/getLiveResult", "200", "302", proto,
				"User-Agent", "got conn", "get conn", "wrote request"} {
				assert.Contains(t, text, want)
			}
			assertNoSecret(t, p, text)
			assertNoSecret(t, p, log.String())
			for _, never := range []string{"secret=", "app_id=", "order_no=", "user4711", clienttest.Order, "Location", "location:", "wrote :path", "interim",
				"newSignature", "access_token\":"} {
				assert.NotContains(t, text, never)
			}
		})
	}
}

func TestWithInstrumentation_ComposesWithAMockActivatedLaterAndSeesEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hc := &http.Client{Timeout: time.Minute}
		var seen []string
		c, err := webanklive.NewClient("app", "secret-4711", webanklive.WithHTTPClient(hc),
			webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
				return clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					req = req.Clone(req.Context())
					req.Header.Set("Traceparent", "00-1")
					res, err := next.RoundTrip(req)
					seen = append(seen, fmt.Sprint(req.URL.Path, " ", res.StatusCode))
					return res, err
				})
			}))
		require.NoError(t, err)
		mock := httpmock.NewMockTransport()
		hc.Transport = mock
		traced := func(body string, statuses ...int) httpmock.Responder {
			return func(req *http.Request) (*http.Response, error) {
				assert.Equal(t, "00-1", req.Header.Get("Traceparent"), "what instrumentation adds is sent")
				assert.NotEmpty(t, req.URL.RawQuery)
				status := 200
				if len(statuses) > 0 {
					status, statuses = statuses[0], statuses[1:]
				}
				return httpmock.NewStringResponse(status, body), nil
			}
		}
		mock.RegisterResponder("GET", `=~/access_token`, traced(`{"code":"0","access_token":"T","expire_in":7200}`))
		mock.RegisterResponder("GET", `=~/api_ticket`, traced(`{"code":"0","tickets":[{"value":"S","expire_in":3600}]}`))
		mock.RegisterResponder("GET", `=~/getLiveResult`, traced(`{"code":"0","orderNo":"`+clienttest.Order+`"}`, 502, 503, 200))
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		assert.Equal(t, []string{"/api/oauth2/access_token 200", "/api/oauth2/api_ticket 200",
			"/api/server/getLiveResult 502", "/api/server/getLiveResult 503", "/api/server/getLiveResult 200"}, seen)
	})
}

func TestWithInstrumentation_ThatMeddlesChangesNothingOfACall(t *testing.T) {
	t.Parallel()
	type wrap = func(next http.RoundTripper) clienttest.RoundTrip
	for name, meddle := range map[string]wrap{
		"other URL and method": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.Method, req.URL.Host, req.URL.Path, req.URL.RawQuery, req.Host = "POST", "evil.example", "/", "x=1", "evil.example"
				return next.RoundTrip(req)
			}
		},
		"reads, closes and replaces the body": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				if err == nil {
					body, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					res.Body = io.NopCloser(bytes.NewReader(body))
				}
				return res, err
			}
		},
		"asks twice": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				if res, err := next.RoundTrip(req); strings.HasSuffix(req.URL.Path, "getLiveResult") && err == nil {
					_ = res.Body.Close()
				} else {
					return res, err
				}
				return next.RoundTrip(req)
			}
		},
		"panics at the end": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				if err == nil {
					res.Body = panickyBody{}
				}
				return res, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := livetest.New()
			w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
			sent := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				assert.Equal(t, req.URL.Host, req.Host, "the Host header")
				return w.RoundTrip(req)
			})
			c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: sent}),
				webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return meddle(next) }))
			clienttest.Complete(t, p, c, clienttest.Order, livetest.Passing())
			res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
			require.NoError(t, err)
			assert.Equal(t, livetest.SampleVideo(), res.Video)
			assert.Zero(t, w.open, "bodies that were not closed")
		})
	}
}

type panickyBody struct{}

func (panickyBody) Read([]byte) (int, error) { panic("read") }

func (panickyBody) Close() error { panic("close") }

func TestWithInstrumentation_ThatBreaksCostsOneCall(t *testing.T) {
	t.Parallel()
	for text, broken := range map[string]func(next http.RoundTripper) clienttest.RoundTrip{
		"panicked": func(http.RoundTripper) clienttest.RoundTrip {
			return func(*http.Request) (*http.Response, error) { panic("x") }
		},
		"neither a reply nor an error": func(http.RoundTripper) clienttest.RoundTrip {
			return func(*http.Request) (*http.Response, error) { return nil, nil }
		},
		"replaced the request's context": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				return next.RoundTrip(req.WithContext(context.Background()))
			}
		},
		"circuit is open": func(next http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				_, _ = next.RoundTrip(req)
				return nil, errors.New("circuit is open")
			}
		},
		"not a JSON object": func(http.RoundTripper) clienttest.RoundTrip {
			return func(req *http.Request) (*http.Response, error) {
				return httpmock.NewStringResponse(200, "its own"), nil
			}
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			p := livetest.New()
			w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
			c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{Transport: w}),
				webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return broken(next) }))
			_, err := c.Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, text)
			assert.Zero(t, w.open, "bodies that were not closed")
		})
	}
	_, err := webanklive.NewClient("app", "secret", webanklive.WithInstrumentation(func(http.RoundTripper) http.RoundTripper { return nil }))
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	_, err = webanklive.NewClient("app", "secret", webanklive.WithInstrumentation(nil), webanklive.WithObserver(nil))
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
}

func TestTransport_SharedRepliesOfAMockAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	shared := http.Header{"Location": {"/elsewhere"}, "X-Shared": {"1"}}
	c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
		res, err := p.Transport().RoundTrip(req)
		if err == nil {
			res.Header = shared
		}
		return res, err
	})}), webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return next }))
	p.AddResult(clienttest.Order, livetest.Passing())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, http.Header{"Location": {"/elsewhere"}, "X-Shared": {"1"}}, shared)
}

func TestTransport_NamesItselfAndAsksForNoCache(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
	require.NoError(t, err)
	for _, e := range []livetest.Endpoint{livetest.AccessToken, livetest.SignTicket, livetest.NonceTicket} {
		h := srv.Requests(e)[0].Header
		assert.Regexp(t, `^webanklive-go/\S+ \(Go `+strings.TrimPrefix(runtime.Version(), "go")+`\)$`, h.Get("User-Agent"))
		assert.Equal(t, []string{"no-store", "no-cache"}, h.Values("Cache-Control"))
		assert.Equal(t, "no-cache", h.Get("Pragma"))
		assert.Equal(t, "identity", h.Get("Accept-Encoding"))
	}
}

// A cache between the client and the platform would bring a token that was replaced, and one NONCE ticket to two launches.
func TestTransport_IsNotAnsweredByACache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		var mu sync.Mutex
		cache := map[string][]byte{}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			control := strings.Join(req.Header.Values("Cache-Control"), ", ")
			key := req.URL.String()
			if kept, ok := cache[key]; ok && !strings.Contains(control, "no-cache") {
				return httpmock.NewBytesResponse(200, kept), nil
			}
			res, err := p.Transport().RoundTrip(req)
			if err == nil && !strings.Contains(control, "no-store") {
				body, _ := io.ReadAll(res.Body)
				cache[key], res.Body = body, io.NopCloser(bytes.NewReader(body))
			}
			return res, err
		})}))
		for i := range 3 {
			link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("order", i), "user"))
			require.NoError(t, err)
			_, err = p.Visit(t.Context(), link, livetest.Passing())
			require.NoError(t, err)
			time.Sleep(3 * time.Second)
		}
		assert.Empty(t, cache)
	})
}

func TestTransport_OnlyThePlatformsRepliesSetTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: w}), webanklive.WithMaxRetries(0))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		w.fail(livetest.LiveResult, fault{change: func(res *http.Response) {
			res.StatusCode, res.Body = 502, io.NopCloser(strings.NewReader("<html>"))
			res.Header.Set("Date", time.Now().Add(5*time.Hour).UTC().Format(http.TimeFormat))
		}})
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.ErrorIs(t, err, webanklive.ErrUnavailable)
		_, err = c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", "95"), clienttest.Order)
		require.NoError(t, err)
		synctest.Wait()
		assert.Len(t, p.Mints(), 1, "the Date of a proxy's page does not expire the credential")
	})
}

func TestTransport_AWritersErrorComesAtOnceAndIsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		full := &fs.PathError{Op: "write", Path: "/x", Err: errors.New("full")}
		for _, failure := range []error{full, errors.Join(full, errors.New("close"))} {
			c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
				Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
					if !req.URL.Query().Has("order_no") {
						return p.Transport().RoundTrip(req)
					}
					begins := strings.NewReader(`{"code":"0","video":"` + strings.Repeat("QUJD", 20_000)) // more than a window, less than is drained
					return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: req,
						Body: io.NopCloser(io.MultiReader(begins, &trickle{req.Context(), strings.SplitAfter(strings.Repeat("A", 99), "A")}))}, nil
				})}))
			_, err := c.Credential(t.Context())
			require.NoError(t, err)
			began := time.Now()
			_, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{
				OrderNo: clienttest.Order, Video: clienttest.WriterFunc(func([]byte) (int, error) { return 0, failure })})
			assert.Zero(t, time.Since(began), "nothing is drained for a caller who has failed")
			require.ErrorIs(t, err, failure)
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			assert.NotContains(t, err.Error(), "\n")
		}
	})
}

func TestTransport_AnErrorsBodyThatDripsHoldsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
			Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				if !req.URL.Query().Has("order_no") {
					return p.Transport().RoundTrip(req)
				}
				return &http.Response{StatusCode: 403, ContentLength: -1, Header: http.Header{}, Request: req,
					Body: io.NopCloser(io.MultiReader(&io.LimitedReader{R: &repeated{text: " "}, N: 1<<20 + 1}, &trickle{req.Context(), []string{"a", "b", "c", "d"}}))}, nil
			})}), webanklive.WithMaxResponseBytes(1<<20))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		began := time.Now()
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
		require.ErrorContains(t, err, "longer than the limit")
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
	})
}

func TestTransport_TheTotalOfAnAttemptIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{
			Transport: clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				if !req.URL.Query().Has("order_no") {
					return p.Transport().RoundTrip(req)
				}
				slow := readerFunc(func(b []byte) (int, error) {
					select {
					case <-time.After(9900 * time.Millisecond):
						b[0] = ' '
						return 1, nil
					case <-req.Context().Done():
						return 0, req.Context().Err()
					}
				})
				return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{}, Request: req, Body: io.NopCloser(slow)}, nil
			})}))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		began := time.Now()
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.ErrorContains(t, err, "took too long")
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}

// A timer that all attempts of a client shared was lost with the synctest bubble that set it.
func TestTransport_TimeoutsSurviveASynctestBubble(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	var hangs bool
	c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), clienttest.WithClock(clienttest.RoundTrip(
		func(req *http.Request) (*http.Response, error) {
			if hangs {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return p.Transport().RoundTrip(req)
		}), func() time.Time { return time.Unix(1_800_000_000, 0) }))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	ask := func(ctx context.Context) error {
		_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		return err
	}
	synctest.Test(t, func(t *testing.T) { require.ErrorIs(t, ask(t.Context()), webanklive.ErrNotReady) })
	hangs = true
	synctest.Test(t, func(t *testing.T) { require.ErrorContains(t, ask(t.Context()), "silent for 10s") })
}

type drained struct{}

func (drained) Error() string { return "node\ndrained" }

func TestTransport_TheCauseOfACancelledContextIsKept(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	for _, tc := range []struct {
		cause error
		kept  bool
	}{
		{drained{}, true},
		{fmt.Errorf("errgroup: %w", &webanklive.Error{Op: "get live result", Code: "-5013"}), false},
		{webanklive.ErrNotPassed, false},
	} {
		c := clienttest.NewMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(tc.cause)
		_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.ErrorIs(t, err, context.Canceled)
		clienttest.RequireClass(t, err, nil)
		assert.Equal(t, "canceled", webanklive.ClassOf(err))
		assert.Equal(t, tc.kept, errors.As(err, new(drained)))
		if tc.kept {
			require.ErrorContains(t, err, "context canceled: node drained")
		}
	}
}

func TestTransport_ThatEndsItsGoroutineLeavesTheClientUsable(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	p.AddResult(clienttest.Order, livetest.Passing())
	var ends atomic.Bool
	var heard clienttest.Notes
	c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard), webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(
		func(req *http.Request) (*http.Response, error) {
			if ends.Swap(false) {
				runtime.Goexit()
			}
			return p.Transport().RoundTrip(req)
		})}))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	ends.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	}()
	<-done
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	requests := heard.Of(webanklive.ActivityRequest)
	require.ErrorContains(t, requests[len(requests)-2].Err, "Goexit")
}

func TestTransport_GzipOfEmptyPartsIsBounded(t *testing.T) {
	t.Parallel()
	var empty bytes.Buffer
	_ = gzip.NewWriter(&empty).Close()
	p := livetest.New()
	w := &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
	c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(&http.Client{Transport: w}), webanklive.WithMaxResponseBytes(1<<20))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	w.fail(livetest.LiveResult, fault{change: func(res *http.Response) {
		res.Header.Set("Content-Encoding", "gzip")
		res.ContentLength, res.Body = -1, readCloser{&repeated{text: empty.String()}, res.Body}
	}})
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorContains(t, err, "longer than the limit")
	assert.LessOrEqual(t, w.longest, int64(1<<20+1+64<<10))
}

// A server may announce whatever it likes, and a caller may lift the limit.
func TestTransport_AnAnnouncedSizeIsNotAllocated(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	video := strings.Repeat("QUJD", 200_000)
	c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxResponseBytes(1<<62), webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(
		func(req *http.Request) (*http.Response, error) {
			if !req.URL.Query().Has("order_no") {
				return p.Transport().RoundTrip(req)
			}
			res := httpmock.NewStringResponse(200, `{"code":"0","orderNo":"`+clienttest.Order+`","video":"`+video+`"}`)
			res.ContentLength = 1 << 60
			return res, nil
		})}))
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileVideo})
	require.NoError(t, err)
	assert.Len(t, res.Video, 600_000)
	assert.LessOrEqual(t, cap(res.Video), 64<<20)
}
