//go:build go1.25

package conformance_test

// Instrumentation sees a request's method, host, path and status and never its query or the body of its reply, and it can
// neither change what a call does nor cost more than that call.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

// A middleman is instrumentation as a function of one request.
type middleman = func(next http.RoundTripper, req *http.Request) (*http.Response, error)

func instrumented(m middleman) webanklive.Option {
	return webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
		return clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) { return m(next, req) })
	})
}

// dump is careless instrumentation: it writes down everything that it can get hold of.
func dump(out io.Writer) middleman {
	return func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
		fmt.Fprintf(out, "%v %+v %#v %v %v %+v\n", req.URL, req, req.URL, req.RequestURI, req.Header, req.Context())
		if sent, err := httputil.DumpRequestOut(req, true); err == nil {
			_, _ = out.Write(sent)
		}
		res, err := next.RoundTrip(req)
		fmt.Fprintf(out, "%v %+v\n", err, err)
		if res == nil {
			return res, err
		}
		fmt.Fprintf(out, "%+v %v %v %#v\n", res, res.Header, res.Request.URL, res.Request)
		got, dumpErr := httputil.DumpResponse(res, true)
		fmt.Fprintf(out, "%s %v\n", got, dumpErr)
		if to, locErr := res.Location(); locErr == nil {
			fmt.Fprint(out, "location: ", to)
		}
		return res, err
	}
}

// hooks is an httptrace that writes down what each hook is told.
func hooks(out io.Writer) *httptrace.ClientTrace {
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
			p := newPlatform()
			p.SetMarker(clienttest.Marker)
			var heard atomic.Int32
			srv := httptest.NewUnstartedServer(tattling(p, &heard))
			srv.EnableHTTP2 = proto == "HTTP/2.0"
			srv.StartTLS()
			t.Cleanup(srv.Close)

			var seen, log logtest.Log
			c := clienttest.NewMemoryClient(t, p, webanklive.WithBaseURLs(srv.URL+"/idasc", srv.URL+"/ida"),
				webanklive.WithHTTPClient(srv.Client()), logging(&log), instrumented(dump(&seen)))
			ctx := httptrace.WithClientTrace(t.Context(), hooks(&seen))
			_, err := c.BuildLiveLoginURL(ctx, clienttest.Launch(clienttest.Order, "user4711"))
			require.NoError(t, err)
			res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
			require.NoError(t, err)
			assert.Equal(t, livetest.SamplePhoto(), res.Photo)
			p.Fail(livetest.LiveResult, livetest.Fault{Redirect: "https://evil.example/?x=" + clienttest.Marker}, 1)
			require.ErrorContains(t, askResult(ctx, c), "redirects")
			p.Fail(livetest.LiveResult, livetest.Fault{Reset: true}, 1)
			_ = askResult(ctx, c)

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

func TestWithInstrumentation_ComposesWithATransportSetLaterAndSeesEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		hc := &http.Client{}
		var seen []string
		c := clienttest.NewMemoryClient(t, p, webanklive.WithHTTPClient(hc), instrumented(func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("Traceparent", "00-1")
			res, err := next.RoundTrip(req)
			seen = append(seen, fmt.Sprint(strings.TrimPrefix(req.URL.Path, "/idasc/api/"), " ", res.StatusCode))
			return res, err
		}))
		hc.Transport = p.Transport() // as of a mock that is activated after NewClient
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 503}, 1)
		require.NoError(t, askResult(t.Context(), c))
		assert.Equal(t, []string{"oauth2/access_token 200", "oauth2/api_ticket 200",
			"server/getLiveResult 502", "server/getLiveResult 503", "server/getLiveResult 200"}, seen)
		for _, req := range p.Requests(livetest.LiveResult) {
			assert.Equal(t, "00-1", req.Header.Get("Traceparent"), "what instrumentation adds is sent")
		}
	})
}

func TestWithInstrumentation_ThatMeddlesChangesNothingOfACall(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]middleman{
		"other URL and method": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Method, req.URL.Host, req.URL.Path, req.URL.RawQuery, req.Host = "POST", "evil.example", "/", "x=1", "evil.example"
			return next.RoundTrip(req)
		},
		"reads, closes and replaces the body": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err == nil {
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				res.Body = io.NopCloser(bytes.NewReader(body))
			}
			return res, err
		},
		"asks twice": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err != nil || !strings.HasSuffix(req.URL.Path, "getLiveResult") {
				return res, err
			}
			_ = res.Body.Close()
			return next.RoundTrip(req)
		},
		"panics at the end": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err == nil {
				res.Body = panickyBody{}
			}
			return res, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := livetest.New()
			w := newWire(p)
			c := clienttest.NewMemoryClient(t, p, instrumented(meddle), over(func(req *http.Request) (*http.Response, error) {
				assert.Equal(t, req.URL.Host, req.Host, "the Host header")
				return w.RoundTrip(req)
			}))
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
	for text, broken := range map[string]middleman{
		"panicked":                     func(http.RoundTripper, *http.Request) (*http.Response, error) { panic("x") },
		"neither a reply nor an error": func(http.RoundTripper, *http.Request) (*http.Response, error) { return nil, nil },
		"replaced the request's context": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			return next.RoundTrip(req.WithContext(context.Background()))
		},
		"circuit is open": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			_, _ = next.RoundTrip(req)
			return nil, errors.New("circuit is open")
		},
		"not a JSON object": func(http.RoundTripper, *http.Request) (*http.Response, error) {
			return httpmock.NewStringResponse(200, "its own"), nil
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			p := livetest.New()
			w := newWire(p)
			_, err := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), over(w.RoundTrip), instrumented(broken)).Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, text)
			assert.Zero(t, w.open, "bodies that were not closed")
		})
	}
	for _, opt := range []webanklive.Option{
		webanklive.WithInstrumentation(func(http.RoundTripper) http.RoundTripper { return nil }), webanklive.WithInstrumentation(nil),
		webanklive.WithObserver(nil),
	} {
		_, err := webanklive.NewClient("app", "secret", opt)
		require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	}
}

func TestWithInstrumentation_DoesNotWriteToTheSharedRepliesOfAMock(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	shared := http.Header{"Location": {"/elsewhere"}, "X-Shared": {"1"}}
	want := shared.Clone()
	c := clienttest.NewMemoryClient(t, p, over(func(req *http.Request) (*http.Response, error) {
		res, err := p.Transport().RoundTrip(req)
		if err == nil {
			res.Header = shared
		}
		return res, err
	}), webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return next }))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				assert.NoError(t, askResult(context.Background(), c))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, want, shared)
}
