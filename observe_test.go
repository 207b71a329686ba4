//go:build go1.25

package webanklive_test

// What observers and loggers are told, and what broken ones can do.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	var heard clienttest.Notes
	c, p := clienttest.NewInMemory(t, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
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
	clienttest.Credential(t, c)

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
	c, _ := clienttest.NewInMemory(t, webanklive.WithObserver(&heard))
	clienttest.Credential(t, c)
	for _, o := range heard.Of(webanklive.ActivityStore) { // a Load that finds nothing, and an Update
		assert.NoError(t, o.Err, o.Name)
	}
	assert.Len(t, heard.Of(webanklive.ActivityStore), 2)
}

func TestObserver_SeesNoOrderNoUserAndNoMessage(t *testing.T) {
	t.Parallel()
	var heard clienttest.Notes
	const user = "user4711"
	c, p := clienttest.NewInMemory(t, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
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
				c, p := clienttest.NewInMemory(t, webanklive.WithObserver(start))
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

func TestObserver_ThatEndsItsGoroutineKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for name, observer := range map[string]observerFunc{
		"at the start": func(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
			if a.Kind == webanklive.ActivityStore {
				runtime.Goexit()
			}
			return ctx, nil
		},
		"at the end": func(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
			if a.Kind != webanklive.ActivityStore {
				return ctx, nil
			}
			return ctx, func(webanklive.Outcome) { runtime.Goexit() }
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := clienttest.NewInMemory(t, webanklive.WithObserver(observer))
			began := time.Now()
			_, err := c.Credential(t.Context())
			assert.Zero(t, time.Since(began), "%s: %v", name, err)
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

func TestObserver_HearsOtherForACodeThatNobodyKnows(t *testing.T) {
	t.Parallel()
	var heard clienttest.Notes
	c, p := clienttest.NewInMemory(t, webanklive.WithObserver(&heard), webanklive.WithMaxRetries(0))
	p.Fail(livetest.NonceTicket, livetest.Fault{Code: "123456789"}, 1)
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
	require.ErrorContains(t, err, "123456789")
	assert.Equal(t, "other", heard.Of(webanklive.ActivityCall)[0].Code)
}

func TestLogger_ThatPanicsCostsNothing(t *testing.T) {
	t.Parallel()
	broken := slog.NewTextHandler(clienttest.WriterFunc(func([]byte) (int, error) { panic("x") }), nil)
	c, _ := clienttest.NewInMemory(t, webanklive.WithLogger(slog.New(broken)))
	clienttest.Credential(t, c)
}

func TestObserver_HearsOfEachAttemptInsideOfItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.AddResult(clienttest.Order, livetest.Passing())
		var heard clienttest.Notes
		c := clienttest.NewMemoryClient(t, p, webanklive.WithObserver(&heard))
		clienttest.Credential(t, c)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Reset: true}, 1)
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
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

type traceIDKey struct{}

// traceLog remembers the trace id of each line, as a handler of a tracing library adds it.
type traceLog struct {
	mu    sync.Mutex
	lines map[string][]string // trace ids by message
	ended bool                // a context was over
}

func (l *traceLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *traceLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *traceLog) WithGroup(string) slog.Handler            { return l }

func (l *traceLog) Handle(ctx context.Context, line slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, _ := ctx.Value(traceIDKey{}).(string)
	l.lines[line.Message] = append(l.lines[line.Message], id)
	l.ended = l.ended || ctx.Err() != nil
	return nil
}

func TestLogger_GetsTheContextOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const soon = 2 * time.Minute
		log := &traceLog{lines: map[string][]string{}}
		store := clienttest.NewFickleStore()
		c, p := clienttest.NewInMemory(t, webanklive.WithCredentialStore(store), webanklive.WithLogger(slog.New(log)))
		p.AddResult(clienttest.Order, livetest.Passing())
		// call makes a call with a trace id of its own and returns it.
		call := func(id string) string {
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceIDKey{}, id))
			_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			require.NoError(t, err, id)
			cancel()
			synctest.Wait()
			return id
		}
		heard := func(id, message string) {
			t.Helper()
			log.mu.Lock()
			defer log.mu.Unlock()
			for said, ids := range log.lines {
				if strings.Contains(said, message) {
					assert.Contains(t, ids, id, said)
					return
				}
			}
			assert.Fail(t, "no such line", "%q in %v", message, log.lines)
		}

		heard(call("first"), "minted a credential")

		store.CredentialStore = webanklive.NewMemoryStore()
		time.Sleep(soon)
		heard(call("lost"), "putting it back")

		store.CredentialStore = webanklive.NewMemoryStore()
		key := p.AppID() + "@" + strings.TrimPrefix(livetest.MemoryAPIURL, "https://")
		_, err := store.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			return []byte("unreadable"), 0, nil
		})
		require.NoError(t, err)
		time.Sleep(soon)
		heard(call("unreadable"), "is of no use")

		p.Revoke()
		heard(call("refused"), "the platform refused the credential")

		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
		heard(call("repeated"), "repeating a call")

		p.Fail(livetest.AccessToken, livetest.Fault{Status: 503}, -1)
		time.Sleep(25 * time.Minute)
		id := call("failed")
		time.Sleep(30 * time.Second)
		heard(id, "could not be refreshed")

		p.Fail(livetest.AccessToken, livetest.Fault{}, 0)
		time.Sleep(time.Minute)
		id = call("recovered")
		time.Sleep(30 * time.Second)
		heard(id, "kept up to date again")

		p.Advance(2 * time.Minute)
		heard(call("clock"), "clock differs")

		time.Sleep(soon)
		got := clienttest.Credential(t, c)
		over, cancel := context.WithCancel(context.WithValue(t.Context(), traceIDKey{}, "invalidated"))
		cancel()
		c.Invalidate(over, got)
		heard("invalidated", "the platform refused the credential")

		for message, ids := range log.lines {
			if !strings.Contains(message, "another platform than the vendor's") { // which NewClient says
				assert.NotContains(t, ids, "", message)
			}
		}
		assert.False(t, log.ended, "a handler that sends lines away would drop them")
	})
}
