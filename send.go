package webanklive

// The one function that sends: every request of this library goes through Client.send.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-querystring/query"
)

const (
	// smallReply is the limit for a reply without media.
	smallReply = 1 << 20

	codePassed       = "0"
	codeNonceTooSoon = "400504" // the user's last NONCE ticket is less than two seconds old
)

var (
	errTooLong  = errors.New("the reply is longer than the limit")
	errRedirect = errors.New("the platform redirects, which is refused because the query carries secrets")
)

// A call is one GET of the API: what is sent, and how its reply is read.
type call struct {
	op    string
	path  string
	query any      // a struct with url tags: the one description of what goes on the wire
	hide  []string // bearer values of this call, which no error may repeat
	media bool     // the reply may be megabytes
	mint  bool     // part of a mint, which is tried three times at most

	// verdict says that the reply's code is about a person, so that one nobody knows means "not passed" when the reply is
	// the platform's.
	verdict bool

	// read decodes one reply; it runs again when the request is repeated. What it found before an error counts.
	read func(body *replyBody) (envelope, error)
}

// An envelope is what every reply carries, its texts as the platform sent them.
type envelope struct {
	code, message, bizSeqNo string

	// granted are the token or tickets that the reply brings: its own message may repeat them.
	granted []string

	// flaw is why the code cannot be believed, if it cannot: it is no number, or it is 0 and the reply does not prove it.
	flaw error

	// named says that the reply names the order that was asked for or has a bizSeqNo: the platform's own word.
	named bool

	// written says that media reached the caller's writer: the request must not be repeated.
	written bool
}

// A mediaFault is what read returns when only the media of a reply are broken; its code may still be good.
type mediaFault struct {
	err    error
	cut    bool // the connection broke, so the same request may go better
	writer bool // it was the caller's writer that failed
}

func (f *mediaFault) Error() string { return f.err.Error() }
func (f *mediaFault) Unwrap() error { return f.err }

// send sends one call, repeats it as WithMaxRetries says, and returns nil exactly when the platform answered with a
// 2xx status and code 0. Every other return is an *Error.
func (c *Client) send(ctx context.Context, cl call) error {
	retries := c.retries
	if cl.mint {
		retries = min(retries, 2)
	}
	for try := 0; ; try++ {
		failed := c.sendOnce(ctx, cl)
		if failed == nil {
			return nil
		}
		if !failed.again || try >= retries {
			return failed
		}
		// Full jitter: a fleet that failed together must not come back together.
		if !pause(ctx, between(0, min(200*time.Millisecond<<try, 2*time.Second))) {
			if ctx.Err() != nil {
				failed = &Error{Op: cl.op, target: failed.target, Err: ctx.Err()}
			}
			return failed
		}
		quiet := *failed
		quiet.Message = "" // the platform's text may name the order
		c.log.LogAttrs(ctx, slog.LevelInfo, "webanklive: repeating a call", slog.Any("error", &quiet))
	}
}

// sendOnce makes one attempt. The end of the caller's context is reported as itself, without a class.
func (c *Client) sendOnce(ctx context.Context, cl call) *Error {
	total := callTimeout
	if cl.media {
		total = mediaTimeout
	}
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := c.watch.begin(total, cancel)
	defer c.watch.end(patience)

	e := &Error{Op: cl.op, class: ErrUnavailable, again: true}
	broken := c.exchange(attempt, patience, cl, e)
	switch {
	case broken == nil:
		return judge(cl, e)
	case ctx.Err() != nil:
		ended := contextEnded(ctx, cl.op)
		ended.target = e.target
		return ended
	}
	e.Err = c.harmless(broken, cl.hide)
	return e
}

// exchange sends the request and reads the reply into e. It returns what broke, nil when the reply can be judged by
// its code and status.
func (c *Client) exchange(ctx context.Context, patience *patience, cl call, e *Error) error {
	values, err := query.Values(cl.query)
	if err != nil {
		return err
	}
	c.redact.add(values["access_token"]...)
	target := below(c.api, cl.path)
	target.RawQuery = encode(values)
	e.target = "GET " + target.Host + target.EscapedPath()
	// Not NewRequest, which would parse the URL again.
	req := (&http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: http.Header{}}).WithContext(ctx)
	limit := min(c.maxBytes, smallReply)
	if cl.verdict {
		limit = c.maxBytes // it may bring media that nobody asked for
	}
	if cl.media {
		// Compression gains nothing on Base64 of compressed media, and unpacking costs ten times the decoding.
		req.Header.Set("Accept-Encoding", "identity")
	}

	sent := c.clock.local()
	resp, err := c.sender().Do(req)
	if err != nil {
		return causeOf(ctx, err)
	}
	patience.rest()
	defer func() { _ = resp.Body.Close() }()
	received := c.clock.local()

	e.HTTPStatus = resp.StatusCode
	body := &replyBody{ctx: ctx, r: resp.Body, left: limit, length: resp.ContentLength, patience: patience}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return errors.New("the platform speaks another protocol") // the body is the bare connection, whose reads no context ends
	}
	if resp.StatusCode/100 == 3 {
		e.again = false
		return errRedirect
	}
	if resp.ContentLength > limit {
		e.again = false
		return errTooLong // why read it
	}
	env, err := cl.read(body)
	body.drain()
	if err == nil && resp.StatusCode/100 == 2 && isCode(env.code) {
		c.clock.hear(resp.Header.Get("Date"), sent, received) // the platform's own, not a gateway's or a proxy's
	}
	if err == nil && env.flaw == nil && env.code == codePassed && resp.StatusCode/100 == 2 {
		e.Code = codePassed // all is well, and nobody reads the rest
		return nil
	}
	cl.hide = append(cl.hide[:len(cl.hide):len(cl.hide)], env.granted...)
	if e.Code = c.clean(env.code, 32, cl.hide); e.Code == codePassed && env.code != codePassed {
		e.Code = "" // only cleaning made it 0
	}
	e.Message = c.clean(env.message, 256, cl.hide)
	e.BizSeqNo = c.clean(env.bizSeqNo, 64, cl.hide)
	e.written, e.named = env.written, env.named
	e.again = !env.written && !errors.Is(err, errTooLong)

	flaw := env.flaw
	if e.Code == codePassed && resp.StatusCode/100 != 2 {
		flaw = nil // the status says it all
	}
	var fault *mediaFault
	switch broken := errors.As(err, &fault); {
	case broken && flaw != nil && !fault.writer:
		return fmt.Errorf("%w, and %v", flaw, err) // not ErrMedia, which says that the person passed
	case err == nil && flaw != nil:
		return flaw
	case broken && e.Code != "" && (e.Code != codePassed || resp.StatusCode/100 != 2):
		return nil // the verdict matters, not the media
	case broken && (e.Code == codePassed || fault.writer):
		e.class, e.again = nil, e.again && fault.cut
		return err
	case broken:
		return errors.New(err.Error()) // not ErrMedia, either
	case errors.Is(err, errNotJSON):
		return fmt.Errorf("%w (content type %s)", err, contentType(resp.Header))
	case err != nil:
		return err
	case e.Code == "":
		return errNoCode
	}
	return nil
}

// judge gives e, a reply that was read whole, its class; it returns nil for a 2xx status with code 0.
func judge(cl call, e *Error) *Error {
	ok := e.HTTPStatus/100 == 2
	if e.Code == codePassed {
		if ok {
			return nil
		}
		e.Err = errors.New("code 0 with an HTTP error status")
		return e
	}
	_, known := LookupCode(e.Code)
	e.class = classOfCode(e.Code)
	switch {
	case !known && (!ok || cl.verdict && !e.named):
		e.class = ErrUnavailable // a gateway's own word
	case !cl.verdict && (errors.Is(e.class, ErrNotPassed) || errors.Is(e.class, ErrNotReady)):
		// A token or a ticket was refused with a code about persons, or one that no page names: nobody's verdict.
		e.class = ErrAccount
	}
	e.again = e.again && Retryable(e) && e.Code != codeNonceTooSoon
	return e
}

// sender is the caller's client as it is now, but one that follows no redirect, keeps no cookie and never quotes a
// Location that it cannot parse.
func (c *Client) sender() *http.Client {
	hc := *c.httpClient
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	hc.Jar = nil
	hc.Transport = noLocation{hc.Transport}
	return &hc
}

// noLocation hides the Location header from http.Client, whose error about a malformed one repeats it, and a hostile
// server can put our query there.
type noLocation struct{ next http.RoundTripper }

func (t noLocation) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		// Mints run in goroutines of their own, where a panic would end the caller's process.
		if recover() != nil {
			resp, err = nil, errors.New("the HTTP client's transport panicked")
		}
	}()
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err = next.RoundTrip(req)
	if resp != nil {
		resp.Header.Del("Location")
	}
	return resp, err
}

// replyBody is the body of a reply: bounded in size, and each read bounded in time.
type replyBody struct {
	ctx      context.Context // of the attempt, to tell why a read failed
	r        io.Reader
	left     int64 // bytes that may still come
	length   int64 // Content-Length, -1 when unknown
	patience *patience
}

// Read fails with errTooLong at the first byte past the limit, instead of pretending that the reply ended there.
func (b *replyBody) Read(p []byte) (n int, err error) {
	if int64(len(p))-1 > b.left {
		p = p[:b.left+1]
	}
	if err := context.Cause(b.ctx); err != nil {
		return 0, err // a body of somebody else's transport may not know
	}
	defer func() {
		if recover() != nil { // as in RoundTrip
			n, err = 0, errors.New("the reply's body panicked")
		}
	}()
	b.patience.wait()
	n, err = b.r.Read(p)
	b.patience.rest()
	if n < 0 || n > len(p) { // io.ReadAll would panic
		n, err = 0, errors.New("the body returned an impossible count")
	}
	if int64(n) > b.left {
		n, err = int(b.left), errTooLong
	}
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
		err = causeOf(b.ctx, err)
	}
	return n, err
}

// drain reads what is left of a short body: a connection is only used again when its body was read to the end.
func (b *replyBody) drain() {
	b.left = 64<<10 - 1 // Read asks for one more
	_, _ = io.Copy(io.Discard, b)
}

// below returns the URL of path, one of the protocol's, below base.
func below(base *url.URL, path string) *url.URL {
	u := *base
	u.Path += path
	if u.RawPath != "" {
		u.RawPath += path
	}
	return &u
}

// encode writes a query with blanks as %20: the + of url.Values is read as a plus sign by some.
func encode(values url.Values) string {
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}

// pause waits for d. It returns false, at once when that is known, if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between returns a random duration from lowest to highest.
func between(lowest, highest time.Duration) time.Duration {
	return lowest + rand.N(highest-lowest+1) //nolint:gosec // spreads load, keeps no secret
}
