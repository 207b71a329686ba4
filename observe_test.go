//go:build go1.25

package webanklive_test

// What an observer is told, what a broken one can do, and what a log line has of an error.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

type observerFunc func(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome))

func (f observerFunc) Start(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	return f(ctx, a)
}

func TestObserver_HearsOfEachCallOnceWithItsClass(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	var heard clienttest.Notes
	c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
	clienttest.Complete(t, p, c, clienttest.Order, livetest.Passing())
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "nobody"})
	require.ErrorIs(t, err, webanklive.ErrNotReady)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "no-good"})
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	_, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &bytes.Buffer{}})
	require.NoError(t, err)
	_, err = c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", "95"), "another")
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
	_, err = c.Credential(t.Context())
	require.NoError(t, err)

	var got []string
	for _, o := range heard.Of(webanklive.ActivityCall) {
		assert.Equal(t, 1, o.Ended)
		assert.Equal(t, webanklive.ClassOf(o.Err), o.Class)
		got = append(got, fmt.Sprint(o.Name, "|", o.Class, "|", o.Code))
	}
	assert.Equal(t, []string{
		"build live login URL||", "get live result||", "get live result|not_ready|66660011", "get live result|invalid_request|",
		"stream live media||", "verify callback|bad_callback|", "get credential||",
	}, got)
}

func TestObserver_TakesAnEmptyStoreForNoFailure(t *testing.T) {
	t.Parallel()
	var heard clienttest.Notes
	_, err := clienttest.NewMemoryClient(t, livetest.New(), webanklive.WithObserver(&heard)).Credential(t.Context())
	require.NoError(t, err)
	for _, o := range heard.Of(webanklive.ActivityStore) { // a Load that finds nothing, and an Update
		assert.NoError(t, o.Err, o.Name)
	}
	assert.Len(t, heard.Of(webanklive.ActivityStore), 2)
}

func TestObserver_SeesNoOrderNoUserAndNoMessage(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	var heard clienttest.Notes
	const user = "user4711"
	c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
	p.AddResult(clienttest.Order, livetest.Passing())
	full := &fs.PathError{Op: "write", Path: "/evidence/" + clienttest.Order + ".jpg", Err: errors.New("disk full")}
	_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: clienttest.WriterFunc(func([]byte) (int, error) { return 0, full })})
	require.ErrorContains(t, err, clienttest.Order, "what the caller gets is complete")
	p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"66660000","msg":"order ` + clienttest.Order + ` is odd","bizSeqNo":"` + clienttest.Order + `"}`}, 1)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorContains(t, err, clienttest.Order)
	p.Fail(livetest.NonceTicket, livetest.Fault{Body: `{"code":"66660000","msg":"user ` + user + ` is odd"}`}, 1)
	_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, user))
	require.ErrorContains(t, err, user)

	failed := 0
	for _, o := range heard.Of("") {
		if o.Err == nil {
			continue
		}
		failed++
		text := clienttest.EveryPrint(o.Err)
		assert.NotContains(t, text, clienttest.Order)
		assert.NotContains(t, text, user)
		var path *fs.PathError
		assert.NotErrorAs(t, o.Err, &path)
	}
	assert.GreaterOrEqual(t, failed, 3)
}

func TestObserver_ThatPanicsOrAnswersNothingCostsNothing(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]observerFunc{
		"panics at the start": func(context.Context, webanklive.Activity) (context.Context, func(webanklive.Outcome)) { panic("x") },
		"panics at the end": func(ctx context.Context, _ webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
			return ctx, func(webanklive.Outcome) { panic("x") }
		},
		"answers nothing": func(context.Context, webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
			return nil, nil
		},
		"forgets the context": func(context.Context, webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
			return context.Background(), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(start))
				clienttest.Complete(t, p, c, clienttest.Order, livetest.Passing())
				p.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, -1)
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
				require.ErrorIs(t, err, context.Canceled, "cancellation stays the caller's")
			})
		})
	}
}

func TestObserver_HearsOfACallThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	p.AddResult(clienttest.Order, livetest.Passing())
	for name, write := range map[string]clienttest.WriterFunc{
		"panic":  func([]byte) (int, error) { panic("x") },
		"Goexit": func([]byte) (int, error) { runtime.Goexit(); return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heard clienttest.Notes
			c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard))
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_, _ = c.StreamLiveMedia(context.Background(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: write})
			}()
			<-done
			for _, o := range heard.Of("") {
				require.Equal(t, 1, o.Ended, "%v", o.Activity)
			}
			calls := heard.Of(webanklive.ActivityCall)
			require.Len(t, calls, 1)
			require.ErrorContains(t, calls[0].Err, "panic or runtime.Goexit")
			assert.Equal(t, "other", calls[0].Class)
		})
	}
}

func TestClassOf_NamesEveryClass(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"": nil, "other": errors.New("x"), "canceled": context.Canceled, "deadline": context.DeadlineExceeded,
		"bad_callback": webanklive.ErrBadCallback, "unsigned_callback": webanklive.ErrUnsignedCallback, "media": webanklive.ErrMedia,
	} {
		assert.Equal(t, want, webanklive.ClassOf(err))
	}
	for _, info := range webanklive.Codes() {
		if info.Class != "passed" {
			assert.Equal(t, info.Class, webanklive.ClassOf(fmt.Errorf("wrapped: %w", &webanklive.Error{Code: info.Code})))
		}
	}
}

func TestErrorLogValue_NamesWhatAnOperatorAsksFor(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	p.SetMarker(clienttest.Marker)
	c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0))
	p.Fail(livetest.LiveResult, livetest.Fault{Status: 429, Body: `{"code":"999995","msg":"slow down","bizSeqNo":"B1"}`}, 1)
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Error("x", "err", err)
	assert.JSONEq(t, `{"level":"ERROR","msg":"x","err":{"op":"get live result","class":"throttled","code":"999995","message":"slow down",
		"biz_seq_no":"B1","http_status":429,"target":"GET `+strings.TrimPrefix(livetest.MemoryAPIURL, "https://")+`/api/server/getLiveResult"}}`, out.String())

	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{})
	out.Reset()
	slog.New(slog.NewTextHandler(&out, nil)).Error("x", "err", err)
	assert.Contains(t, out.String(), `err.op="get live result" err.class=invalid_request err.cause="OrderNo must`)
}

func TestObserver_HearsOtherForACodeThatNobodyKnows(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	var heard clienttest.Notes
	c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
	p.Fail(livetest.NonceTicket, livetest.Fault{Code: "123456789"}, 1)
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
	require.ErrorContains(t, err, "123456789")
	assert.Equal(t, "other", heard.Of(webanklive.ActivityCall)[0].Code)
}

func TestLogger_ThatPanicsCostsNothing(t *testing.T) {
	t.Parallel()
	c := clienttest.NewMemoryClient(t, livetest.New(), webanklive.WithLogger(slog.New(panickingHandler{})))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
}

type panickingHandler struct{}

func (panickingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (panickingHandler) Handle(context.Context, slog.Record) error { panic("x") }

func (h panickingHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h panickingHandler) WithGroup(string) slog.Handler { return h }

// The token endpoint may quote a token that is no longer the newest, or the one that it grants in this very reply.
func TestErrors_RepeatNoSecretThatTheProcessHeldOrThatTheReplyGrants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		var tokens []string
		var replace func(body []byte) []byte
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0), webanklive.WithHTTPClient(&http.Client{Transport: clienttest.RoundTrip(
			func(req *http.Request) (*http.Response, error) {
				if token := req.URL.Query().Get("access_token"); token != "" {
					tokens = append(tokens, token)
				}
				return p.Transport().RoundTrip(req)
			})}))
		first, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Revoke()
		replace = func([]byte) []byte {
			return fmt.Appendf(nil, `{"code":"66660000","msg":"%s, %s and GRANTED-1 are in use","access_token":"GRANTED-1","tickets":[{"value":"GRANTED-1"}]}`,
				first.AccessToken, tokens[0])
		}
		for _, e := range []livetest.Endpoint{livetest.NonceTicket, livetest.AccessToken} {
			p.Fail(e, livetest.Fault{Replace: replace}, 1)
			_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
			require.ErrorContains(t, err, "are in use")
			assert.NotContains(t, err.Error(), first.AccessToken)
			assert.NotContains(t, err.Error(), "GRANTED-1")
		}
	})
}

func TestObserver_HearsOfEachAttemptInsideOfItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Passing())
		var heard clienttest.Notes
		c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Reset: true}, 1)
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		var got []string
		for _, o := range heard.Of(webanklive.ActivityRequest) {
			assert.Equal(t, 1, o.Ended)
			assert.Equal(t, strings.TrimPrefix(livetest.MemoryAPIURL, "https://"), o.Host+strings.TrimSuffix(o.Path, o.Path[strings.Index(o.Path, "/api/"):]))
			if o.HTTPStatus == 200 {
				assert.Positive(t, o.Bytes)
			}
			if o.Name == "get live result" {
				require.NotNil(t, o.Parent)
				assert.Equal(t, webanklive.ActivityCall, o.Parent.Kind)
				assert.Equal(t, "get live result", o.Parent.Name)
			}
			got = append(got, fmt.Sprint(o.Name, " ", o.Path[strings.Index(o.Path, "/api/"):], " ", o.HTTPStatus, " ", o.Class, " ", o.Code))
		}
		assert.Equal(t, []string{
			"get access token /api/oauth2/access_token 200  0", "get SIGN ticket /api/oauth2/api_ticket 200  0",
			"get live result /api/server/getLiveResult 502 unavailable ", "get live result /api/server/getLiveResult 0 unavailable ",
			"get live result /api/server/getLiveResult 200  0",
		}, got)
	})
}

func TestLogger_LinesHaveTheCallersContextTheSerialNumberAndNoOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Passing())
		var log clienttest.LockedBuffer
		c := clienttest.NewMemoryClient(t, p, webanklive.WithLogger(slog.New(traced{slog.NewJSONHandler(&log, nil)})))
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"999995","msg":"` + clienttest.Order + `","bizSeqNo":"B4711"}`}, 1)
		_, err = c.GetLiveResult(context.WithValue(t.Context(), traceKey{}, "trace-1"), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		var line string
		for l := range strings.Lines(log.String()) {
			if strings.Contains(l, "repeating") {
				line = l
			}
		}
		assert.Contains(t, line, `"trace":"trace-1"`)
		assert.Contains(t, line, `"biz_seq_no":"B4711"`)
		assert.NotContains(t, log.String(), clienttest.Order)
	})
}

type traceKey struct{}

// traced adds to each line what the context has, as handlers for OpenTelemetry do.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(traceKey{}).(string); ok {
		r.AddAttrs(slog.String("trace", id))
	}
	return h.Handler.Handle(ctx, r)
}
