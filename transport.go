package webanklive

// One attempt of a call: a request whose query is added below the instrumentation, and a reply that is bounded in time and
// size.

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idleTimeout is how long the platform may be silent: until the headers, and in each read of a body.
	// http.Client.Timeout would cut a healthy slow download instead.
	idleTimeout = 10 * time.Second

	// callTimeout and mediaTimeout bound an attempt as a whole, so that one byte a second does not go on for ever.
	callTimeout  = 30 * time.Second
	mediaTimeout = 10 * time.Minute

	// drainTimeout and drainBytes bound what is still read of a reply after its answer is known, see drain.
	drainTimeout = 100 * time.Millisecond
	drainBytes   = 64 << 10

	// smallReply is the limit for a reply without media.
	smallReply = 1 << 20
)

var (
	errTooLong  = errors.New("the reply is longer than the limit")
	errRedirect = errors.New("the platform redirects, which is refused because the query carries secrets")
	errSilent   = fmt.Errorf("the platform was silent for %v", idleTimeout)
	errTooSlow  = errors.New("the reply took too long")
	errPanicked = errors.New("the HTTP client's transport panicked")
)

// sendOnce makes one attempt. The end of the caller's context is reported as itself, without a class.
func (c *Client) sendOnce(caller context.Context, cl call, target *url.URL) (failed *Error) {
	at := &attempt{target: target, hide: cl.hide}
	e := &Error{Op: cl.op, target: "GET " + target.Host + target.EscapedPath(), class: ErrUnavailable, again: true}
	ctx, end := c.observe(caller, Activity{Kind: ActivityRequest, Name: cl.op, Host: target.Host, Path: target.EscapedPath()}, cl.private...)
	outcome := Outcome{Err: errUnfinished}
	defer func() {
		outcome.HTTPStatus, outcome.Code, outcome.Bytes = e.HTTPStatus, e.Code, at.bytes
		end(outcome)
	}()

	failed = c.settle(caller, cl, e, c.exchange(ctx, cl, at, e))
	outcome.Err = nil
	if failed != nil {
		outcome.Err = failed
	}
	return failed
}

// settle returns the error of an attempt, nil for none. broken is what its exchange returned.
func (c *Client) settle(caller context.Context, cl call, e *Error, broken error) *Error {
	switch {
	case broken == nil:
		return judge(cl, e)
	case caller.Err() != nil:
		return c.ended(caller, cl, e.target)
	}
	e.Err = c.harmless(broken, cl.hide)
	return e
}

// ended returns the error of a call whose caller's context is over.
func (c *Client) ended(ctx context.Context, cl call, target string) *Error {
	return &Error{Op: cl.op, target: target, Err: c.harmless(contextError(ctx), cl.hide)}
}

// exchange sends the request and reads the reply into e. It returns what went wrong, nil when the reply can be judged by its
// code and status.
func (c *Client) exchange(ctx context.Context, cl call, at *attempt, e *Error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if timeout := c.httpClient.Timeout; timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the HTTP client's Timeout of %v is over", timeout))
		defer stop()
	}
	total := callTimeout
	limit := min(c.maxBytes, smallReply)
	if cl.verdict {
		limit = c.maxBytes // it may bring media that were not asked for
	}
	if cl.media {
		total = mediaTimeout
	}
	idle := newIdleTimer(total, cancel)
	defer idle.end()

	sent := c.clock.local()
	resp, err := c.roundTrip(ctx, at)
	if err != nil {
		err = causeOf(ctx, err)
		if c.ownTransport != nil && errors.Is(err, errSilent) {
			c.ownTransport.CloseIdleConnections() // they may be dead, too
		}
		return err
	}
	idle.rest()
	received := c.clock.local()
	defer closeBody(resp.Body)

	e.HTTPStatus = resp.StatusCode
	e.retryAfter = retryAfter(resp.Header, received)
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return errors.New("the platform speaks another protocol") // its body is the connection itself, whose reads ctx does not end
	case resp.StatusCode/100 == 3:
		e.again = false
		return errRedirect
	case resp.ContentLength > limit:
		e.again = false
		return errTooLong
	}
	wire := &wireReader{ctx: ctx, r: resp.Body, idle: idle, bytes: &at.bytes}
	body, err := plainBody(resp, wire, limit)
	if err != nil {
		return causeOf(ctx, err)
	}
	env, err := cl.read(body)
	if err == nil && resp.StatusCode/100 == 2 && isCode(env.code) {
		c.clock.hear(ctx, resp.Header.Get("Date"), sent, received) // a reply of the platform, not of a gateway or proxy
	}
	var fault *mediaFault
	if !errors.As(err, &fault) || !fault.writer {
		drain(wire, cancel)
	}
	return c.interpret(cl, resp, env, err, e)
}

// An attempt is what the code above the instrumentation and the code below it know of one request.
type attempt struct {
	target *url.URL // with the query
	hide   []string // the query and the bearer values of the call
	bytes  int64    // read of the reply

	mu      sync.Mutex
	replies []*hiddenReply
}

type attemptKey struct{}

// roundTrip sends the request of at. The headers are the same for every call, and hold no secret.
func (c *Client) roundTrip(ctx context.Context, at *attempt) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil { // mints run in goroutines of their own, where a panic would end the process
			resp, err = nil, errPanicked
		}
	}()
	public := *at.target
	public.RawQuery = ""
	req := &http.Request{
		Method: http.MethodGet, URL: &public, Host: public.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			// Compression gains nothing on Base64 of compressed media, and unpacking costs ten times the decoding.
			"Accept-Encoding": {"identity"},
			// A reply from a cache has a token that was replaced, or the ticket of another launch.
			"Cache-Control": {"no-store", "no-cache"},
			"Pragma":        {"no-cache"},
			"User-Agent":    {userAgent()},
		},
	}
	if c.instrumented == nil {
		return c.sendQuery(req.WithContext(ctx), at)
	}
	resp, err = c.instrumented.RoundTrip(req.WithContext(context.WithValue(ctx, attemptKey{}, at)))
	return at.finish(resp, err)
}

// sendQuery adds the query to req and gives it to the transport that the http.Client has at this moment.
func (c *Client) sendQuery(req *http.Request, at *attempt) (*http.Response, error) {
	full := (&http.Request{
		Method: http.MethodGet, URL: at.target, Host: at.target.Host, Header: req.Header,
		Proto: req.Proto, ProtoMajor: req.ProtoMajor, ProtoMinor: req.ProtoMinor,
	}).WithContext(withoutHeaderHooks(req.Context()))
	next := c.httpClient.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(full) // its Location is never read: a hostile server can put our query there
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &plain) && string(plain.RecordHeader[:]) == "HTTP/":
		return nil, http.ErrSchemeMismatch // as http.Client does
	case err != nil:
		return nil, withoutURL(err)
	case resp == nil:
		return nil, errors.New("the HTTP client's transport returned neither a reply nor an error")
	}
	copied := *resp // a mock may return the same reply to several calls
	if copied.Body == nil {
		copied.Body = http.NoBody
	}
	return &copied, nil
}

// An idleTimer ends an attempt with errSilent after idleTimeout of waiting for the platform, and with errTooSlow after a
// total. The time that the caller's writer takes is no waiting. One timer is set for an attempt, and set again only when it
// fires, because setting it for each read costs more than the read.
type idleTimer struct {
	began  time.Time
	total  time.Duration
	cancel context.CancelCauseFunc
	since  atomic.Int64 // nanoseconds after began at which the wait began; resting or ended when there is no wait
	timer  *time.Timer
}

const (
	resting = -1
	ended   = -2
)

// newIdleTimer returns a timer for an attempt that begins to wait now.
func newIdleTimer(total time.Duration, cancel context.CancelCauseFunc) *idleTimer {
	t := &idleTimer{began: time.Now(), total: total, cancel: cancel}
	ready := make(chan struct{})
	t.timer = time.AfterFunc(min(idleTimeout, total), func() { <-ready; t.fire() })
	close(ready)
	return t
}

func (t *idleTimer) fire() {
	left, why := t.left()
	if left <= 0 {
		t.cancel(why)
		return
	}
	t.timer.Reset(left)
	if t.since.Load() == ended {
		t.timer.Stop()
	}
}

// left returns how long the attempt may still wait, and the error with which it ends after that.
func (t *idleTimer) left() (time.Duration, error) {
	since, elapsed := t.since.Load(), time.Since(t.began)
	if since < 0 {
		if rest := t.total - elapsed; rest > 0 {
			return min(rest, idleTimeout), nil
		}
		return idleTimeout, nil // wait itself checks the total
	}
	silence, total := time.Duration(since)+idleTimeout-elapsed, t.total-elapsed
	if total <= silence {
		return total, errTooSlow
	}
	return silence, errSilent
}

// wait begins to wait for the platform, and rest ends it.
func (t *idleTimer) wait() {
	elapsed := time.Since(t.began)
	t.since.Store(int64(elapsed))
	if elapsed >= t.total {
		t.cancel(errTooSlow)
	}
}

func (t *idleTimer) rest() { t.since.Store(resting) }

func (t *idleTimer) end() {
	t.since.Store(ended)
	t.timer.Stop()
}

// A wireReader reads the body of a reply, each read bounded in time. The body may come from the caller's transport.
type wireReader struct {
	ctx   context.Context //nolint:containedctx // of the attempt, to tell why a read failed
	r     io.Reader
	idle  *idleTimer
	bytes *int64
}

func (w *wireReader) Read(p []byte) (n int, err error) {
	if err := context.Cause(w.ctx); err != nil {
		return 0, err // the body of a caller's transport may not look at its context
	}
	defer func() {
		if recover() != nil { // as in roundTrip
			n, err = 0, errors.New("the reply's body panicked")
		}
	}()
	w.idle.wait()
	n, err = w.r.Read(p)
	w.idle.rest()
	if n < 0 || n > len(p) { // io.ReadAll would panic
		n, err = 0, errors.New("the body returned an impossible count")
	}
	*w.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = causeOf(w.ctx, err)
	}
	return n, err
}

// replyBody is the body of a reply, bounded in size.
type replyBody struct {
	r      io.Reader
	left   int64 // bytes that may still come
	length int64 // of what is read, -1 when unknown
}

// Read fails with errTooLong at the first byte past the limit, instead of pretending that the reply ended there.
func (b *replyBody) Read(p []byte) (n int, err error) {
	if int64(len(p))-1 > b.left {
		p = p[:b.left+1]
	}
	n, err = b.r.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), errTooLong
	}
	b.left -= int64(n)
	return n, err
}

// plainBody returns the body of a reply, unpacked if it is gzip. Gzip was not asked for, but some proxies compress every
// reply. A transport may have unpacked it already and left the header. The packed and the unpacked size are both bounded.
func plainBody(resp *http.Response, wire io.Reader, limit int64) (*replyBody, error) {
	body := &replyBody{r: wire, left: limit, length: resp.ContentLength}
	encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	if encoding != "gzip" && encoding != "x-gzip" {
		return body, nil
	}
	buffered := bufio.NewReader(body)
	if first, _ := buffered.Peek(1); len(first) == 1 && strings.Contains("{ \t\r\n\xef", string(first)) {
		return &replyBody{r: buffered, left: limit, length: -1}, nil
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("unpack the reply: %w", err)
	}
	return &replyBody{r: unpacked, left: limit, length: -1}, nil
}

// drain reads the rest of a short body, because a connection is only used again when the body was read to its end. It takes
// little time, because the answer is known already.
func drain(wire io.Reader, cancel context.CancelCauseFunc) {
	timer := time.AfterFunc(drainTimeout, func() { cancel(nil) })
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, io.LimitReader(wire, drainBytes))
}

// below returns the URL of path below base. path is one of the protocol's and needs no escaping.
func below(base *url.URL, path string) *url.URL {
	u := *base
	u.Path += path
	if u.RawPath != "" {
		u.RawPath += path
	}
	return &u
}

// encode writes a query with blanks as %20: some servers read the + of url.Values as a plus sign.
func encode(values url.Values) string {
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}
