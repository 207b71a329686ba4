// The platform without a socket: a round tripper that runs the handler in a goroutine and its body through a pipe.

package livetest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// The base URLs to use with Transport. They resolve nowhere, so a client that lost its transport fails at once.
const (
	MemoryAPIURL = "https://idasc.livetest.invalid/idasc"
	MemoryH5URL  = "https://ida.livetest.invalid/ida"
)

// errReset is what a client sees of a reset connection.
var errReset error = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

// Transport returns a round tripper that reaches the platform in memory, whatever the host of the URL. It honours the
// request's context at every moment and shows faults as a socket would: a reset as an error, a cut body as
// io.ErrUnexpectedEOF. It keeps no state; any number of clients may share it. The body of a response must be closed or
// read to its end, or its handler waits for ever.
func (p *Platform) Transport() http.RoundTripper { return memoryTransport{p} }

type memoryTransport struct{ p *Platform }

func (t memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	pr, pw := io.Pipe()
	w := &memoryWriter{header: http.Header{}, ready: make(chan struct{}), pipe: pw, noBody: req.Method == http.MethodHead}
	// A reader that waits in the pipe must wake up when the caller's context ends, with that context's error.
	unwatch := context.AfterFunc(req.Context(), func() { _ = pw.CloseWithError(req.Context().Err()) })
	go t.serve(w, arriving(req.WithContext(ctx)), func() { closeBody(req) })

	select {
	case <-w.ready:
	case <-req.Context().Done():
		cancel()
		return nil, req.Context().Err()
	}
	if w.status == 0 {
		unwatch()
		cancel()
		return nil, cmp.Or(req.Context().Err(), w.failure)
	}
	return &http.Response{
		Status:        statusTitle(w.status),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.sent,
		ContentLength: contentLength(w.sent),
		Body: &memoryBody{pr, req.Context(), func() {
			unwatch()
			cancel()
		}},
		Request: req,
	}, nil
}

// arriving returns req as a server sees it.
func arriving(req *http.Request) *http.Request {
	r := req.Clone(req.Context())
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:1234"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.URL.Scheme, r.URL.Host, r.URL.User, r.URL.Fragment = "", "", nil, ""
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// serve runs the handler and ends the reply as its end demands.
func (t memoryTransport) serve(w *memoryWriter, r *http.Request, release func()) {
	defer release()
	defer func() {
		switch cause := recover(); cause {
		case nil:
			w.end()
		case http.ErrAbortHandler:
			w.breakWith(io.ErrUnexpectedEOF)
		default:
			panic(cause)
		}
	}()
	t.p.ServeHTTP(w, r)
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func contentLength(h http.Header) int64 {
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		return n
	}
	return -1
}

// memoryWriter is the handler's end of a reply. Only the handler's goroutine calls it; the fields below ready are read by
// the client once ready is closed.
type memoryWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	noBody bool
	once   sync.Once

	ready   chan struct{} // closed when the header is out, or never will be
	status  int           // 0: the reply broke before the header
	sent    http.Header
	failure error
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, maps.Clone(w.header)
		close(w.ready)
	})
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.noBody || len(b) == 0 {
		return len(b), nil
	}
	return w.pipe.Write(b)
}

func (w *memoryWriter) Flush() { w.WriteHeader(http.StatusOK) }

func (w *memoryWriter) end() {
	w.WriteHeader(http.StatusOK)
	_ = w.pipe.Close()
}

// breakWith ends the reply with an error; the first end counts.
func (w *memoryWriter) breakWith(err error) {
	w.once.Do(func() {
		w.failure = err
		close(w.ready)
	})
	_ = w.pipe.CloseWithError(err)
}

// memoryBody is the client's end of a reply.
type memoryBody struct {
	*io.PipeReader
	caller context.Context
	leave  func()
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if err := b.caller.Err(); err != nil { // the pipe may hear of it later
		b.leave()
		return 0, err
	}
	n, err := b.PipeReader.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.ErrClosedPipe):
		err = http.ErrBodyReadAfterClose
	case !errors.Is(err, io.EOF): // a handler that saw the caller leave may have broken the pipe first
		err = cmp.Or(b.caller.Err(), err)
	}
	b.leave()
	return n, err
}

func (b *memoryBody) Close() error {
	b.leave()
	return b.PipeReader.Close()
}
