//go:build go1.25

package webanklive_test

// What the client logs by itself carries the context of the call that brought it about.

import (
	"context"
	"log/slog"
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
		p := livetest.New()
		log := &traceLog{lines: map[string][]string{}}
		store := &emptyable{CredentialStore: webanklive.NewMemoryStore()}
		c := clienttest.NewMemoryClient(t, p, webanklive.WithCredentialStore(store), webanklive.WithLogger(slog.New(log)))
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

		store.put(nil)
		time.Sleep(soon)
		heard(call("lost"), "putting it back")

		store.put([]byte("unreadable"))
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
		got, err := c.Credential(t.Context())
		require.NoError(t, err)
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

// emptyable is a store whose value somebody else can replace.
type emptyable struct {
	webanklive.CredentialStore
	mu      sync.Mutex
	instead func() []byte
}

// put makes the store hold value, nil for nothing, until it is updated.
func (s *emptyable) put(value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = func() []byte { return value }
}

func (s *emptyable) Load(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	instead := s.instead
	s.mu.Unlock()
	if instead == nil {
		return s.CredentialStore.Load(ctx, key)
	}
	if value := instead(); value != nil {
		return value, nil
	}
	return nil, webanklive.ErrNoCredential
}

func (s *emptyable) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	return s.CredentialStore.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
		s.mu.Lock()
		instead := s.instead
		s.mu.Unlock()
		if instead != nil {
			current = instead()
		}
		next, ttl, err := fn(ctx, current)
		if next != nil && err == nil {
			s.mu.Lock()
			s.instead = nil
			s.mu.Unlock()
		}
		return next, ttl, err
	})
}
