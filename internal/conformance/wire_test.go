//go:build go1.25

package conformance_test

// The way from a client to the platform: it counts, goes wrong where it is told to, and is as slow as a test needs.

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webanklive/webanklive/livetest"
)

// bubble runs test as a subtest on synctest's clock, which also fails it when it leaves a goroutine behind.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// A wire counts requests, bodies and bytes, and lets a fault happen at one endpoint.
type wire struct {
	platform http.RoundTripper

	mu      sync.Mutex
	at      livetest.Endpoint
	fault   fault
	sent    map[livetest.Endpoint]int
	open    int   // bodies
	longest int64 // bytes read of one body
	off     time.Duration
}

func newWire(p *livetest.Platform) *wire {
	return &wire{platform: p.Transport(), sent: map[livetest.Endpoint]int{}}
}

func (w *wire) fail(at livetest.Endpoint, f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.fault, w.off, w.longest = at, f, 0, 0
	clear(w.sent)
}

func (w *wire) mend() { w.fail("", fault{}) }

// mendOnceMet ends the fault when a request has met it.
func (w *wire) mendOnceMet() {
	w.mu.Lock()
	met := w.sent[w.at] > 0
	w.mu.Unlock()
	if met {
		w.mend()
	}
}

// now is the local time, which a fault may have moved.
func (w *wire) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.off)
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "idasc.livetest.invalid" {
		panic("a request to " + req.URL.Host)
	}
	at := endpointOf(req.URL.Query())
	w.mu.Lock()
	w.sent[at]++
	f, here := w.fault, w.at == at
	if here {
		w.off = f.clockJump
	}
	w.mu.Unlock()

	if here && f.err != nil {
		return nil, f.err
	}
	res, err := w.platform.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if here && f.change != nil {
		f.change(res)
	}
	w.mu.Lock()
	w.open++
	w.mu.Unlock()
	res.Body = &watchedBody{ReadCloser: res.Body, wire: w}
	return res, nil
}

// watchedBody tells its wire how much of it was read, and that it was closed.
type watchedBody struct {
	io.ReadCloser
	wire   *wire
	read   int64
	closed sync.Once
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	b.wire.longest = max(b.wire.longest, b.read)
	return n, err
}

func (b *watchedBody) Close() error {
	b.closed.Do(func() {
		b.wire.mu.Lock()
		defer b.wire.mu.Unlock()
		b.wire.open--
	})
	return b.ReadCloser.Close()
}

// paced waits before each read, until its request ends.
type paced struct {
	io.Reader
	ctx   context.Context
	every time.Duration
}

func (b paced) Read(p []byte) (int, error) {
	select {
	case <-time.After(b.every):
		return b.Reader.Read(p)
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

// repeated is text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// readCloser reads from one place and closes another.
type readCloser struct {
	io.Reader
	io.Closer
}

// endless makes a reply of 1 GB, which announces length bytes, or none if that is negative.
func endless(start, more string, length int64) func(*http.Response) {
	return func(res *http.Response) {
		body := io.LimitReader(io.MultiReader(strings.NewReader(start), &repeated{text: more}), 1<<30)
		res.ContentLength, res.Body = length, readCloser{body, res.Body}
	}
}

func header(name, value string) func(*http.Response) {
	return func(res *http.Response) { res.Header.Set(name, value) }
}

// dated makes the Date of a reply differ by so much from the platform's time.
func dated(p *livetest.Platform, by time.Duration) fault {
	return fault{change: func(res *http.Response) { res.Header.Set("Date", p.Now().Add(by).UTC().Format(http.TimeFormat)) }}
}
