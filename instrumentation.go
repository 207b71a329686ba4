package webanklive

// What instrumentation may see of an attempt: everything but the query of its request and the body of its reply.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// queryTransport is what instrumentation wraps: the innermost step, which alone knows the query. The reply that it returns to
// the instrumentation has neither the query nor a body, because a body holds a token or tickets.
type queryTransport struct{ client *Client }

func (t queryTransport) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	at, ok := req.Context().Value(attemptKey{}).(*attempt)
	if !ok {
		return nil, errors.New("the instrumentation replaced the request's context")
	}
	defer func() {
		if recover() != nil {
			resp, err = nil, errPanicked
		}
	}()
	resp, err = t.client.sendQuery(req, at)
	if err != nil {
		return nil, t.client.harmless(err, at.hide)
	}
	reply := &hiddenReply{resp: resp}
	at.mu.Lock()
	defer at.mu.Unlock()
	at.replies = append(at.replies, reply)

	public := &http.Response{
		Status: t.client.clean(resp.Status, 128, at.hide), StatusCode: resp.StatusCode,
		Proto: resp.Proto, ProtoMajor: resp.ProtoMajor, ProtoMinor: resp.ProtoMinor,
		Header: http.Header{}, Body: reply, ContentLength: -1, TLS: resp.TLS, Request: req,
	}
	for name, values := range resp.Header {
		if name == "Location" {
			continue
		}
		for _, value := range values {
			public.Header[name] = append(public.Header[name], t.client.scrub(value, at.hide))
		}
	}
	return public, nil
}

// A hiddenReply is the body of a reply as instrumentation sees it: it is empty, and closing it leaves the real body open.
type hiddenReply struct {
	resp   *http.Response
	closed atomic.Bool
}

func (r *hiddenReply) Read([]byte) (int, error) { return 0, io.EOF }

func (r *hiddenReply) Close() error {
	r.closed.Store(true)
	return nil
}

// finish returns the real reply behind the one that instrumentation returned. If the instrumentation sent several requests,
// that is the last reply that it did not close; if it sent none, the reply that it made itself.
func (at *attempt) finish(public *http.Response, err error) (*http.Response, error) {
	at.mu.Lock()
	defer at.mu.Unlock()
	var chosen *hiddenReply
	for _, r := range at.replies {
		if chosen == nil || chosen.closed.Load() || !r.closed.Load() {
			chosen = r
		}
	}
	for _, r := range at.replies {
		if r != chosen || err != nil {
			closeBody(r.resp.Body)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case public == nil:
		return nil, errors.New("the instrumentation returned neither a reply nor an error")
	case chosen == nil:
		if public.Body == nil {
			public.Body = http.NoBody
		}
		return public, nil
	}
	// The body of instrumentation is closed, too, after the real one: closing it ends a span.
	chosen.resp.Body = closers{chosen.resp.Body, public.Body}
	return chosen.resp, nil
}

// closers reads from one body and closes two.
type closers struct {
	io.ReadCloser
	outer io.ReadCloser
}

func (c closers) Close() error {
	closeBody(c.ReadCloser)
	closeBody(c.outer)
	return nil
}

// closeBody closes a body that a caller's transport may have made, and that may panic.
func closeBody(body io.Closer) {
	defer func() { _ = recover() }()
	if body != nil {
		_ = body.Close()
	}
}

// withoutHeaderHooks keeps the caller's httptrace from seeing header fields: over HTTP/2, one of them is the path with its
// query. The other hooks stay.
func withoutHeaderHooks(ctx context.Context) context.Context {
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil || trace.WroteHeaderField == nil && trace.Got1xxResponse == nil {
		return ctx
	}
	quiet := *trace
	quiet.WroteHeaderField, quiet.Got1xxResponse = nil, nil
	return tracedContext{ctx, &quiet}
}

// A tracedContext is a context with another httptrace.
type tracedContext struct {
	context.Context
	trace *httptrace.ClientTrace
}

func (c tracedContext) Value(key any) any {
	value := c.Context.Value(key)
	if _, ok := value.(*httptrace.ClientTrace); ok {
		return c.trace
	}
	return value
}
