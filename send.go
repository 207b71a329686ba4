package webanklive

// What a call is, and how its reply is judged: an error of a class, or none.

import (
	"errors"
	"fmt"
	"net/http"
)

const (
	codePassed       = "0"
	codeNonceTooSoon = "400504" // the user's last NONCE ticket is less than two seconds old
)

// A call is one GET of the API: what is sent, and how its reply is read.
type call struct {
	op      string
	path    string
	query   any      // a struct with url tags: the one description of what goes on the wire
	hide    []string // bearer values of this call, which no error may repeat
	private []string // order number and user ID, which no log line and no observer may see
	media   bool     // the reply may be megabytes
	mint    bool     // part of a mint, which is tried three times at most

	// verdict says that the reply's code is about a person, so that a code that the catalogue does not have means "not
	// passed" when the reply is the platform's.
	verdict bool

	// read decodes one reply; it runs again when the request is repeated. With an error it returns what it read before that.
	read func(body *replyBody) (envelope, error)
}

// An envelope is what every reply carries, its texts as the platform sent them.
type envelope struct {
	code, message, bizSeqNo string

	// granted are the token or tickets that the reply brings. They are secrets that its message may repeat.
	granted []string

	// flaw is why the code cannot be believed: it is no number, or it is 0 and the rest of the reply does not prove it. It is
	// nil for a code that can.
	flaw error

	// named says that the reply names the order that was asked for or has a bizSeqNo, as only the platform's own replies do.
	named bool

	// written says that media reached the caller's writer: the request must not be repeated.
	written bool
}

// A mediaFault is what read returns when only the media of a reply are broken; its code may still be good.
type mediaFault struct {
	err    error
	cut    bool // the connection broke, so the same request may succeed if it is sent again
	writer bool // it was the caller's writer that failed
}

func (f *mediaFault) Error() string { return f.err.Error() }
func (f *mediaFault) Unwrap() error { return f.err }

// interpret fills e with what the reply says; env and err are what the call's read returned. It returns what is wrong with
// the reply, nil when it can be judged by its code and status.
func (c *Client) interpret(cl call, resp *http.Response, env envelope, err error, e *Error) error {
	if err == nil && env.flaw == nil && env.code == codePassed && resp.StatusCode/100 == 2 {
		e.Code = codePassed // the rest of e is not read
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
		flaw = nil // the status is reason enough
	}
	var fault *mediaFault
	switch broken := errors.As(err, &fault); {
	case broken && flaw != nil && !fault.writer:
		return fmt.Errorf("%w, and %v", flaw, err) //nolint:errorlint // not ErrMedia, which says that the person passed
	case err == nil && flaw != nil:
		return flaw
	case broken && e.Code != "" && (e.Code != codePassed || resp.StatusCode/100 != 2):
		return nil // a reply that says "failed" is judged by its code, not by its media
	case broken && (e.Code == codePassed || fault.writer):
		e.class, e.again = nil, e.again && fault.cut
		return err
	case broken:
		return errors.New(err.Error()) // not ErrMedia here, either
	case errors.Is(err, errNotJSON):
		return fmt.Errorf("%w (content type %s)", err, contentOf(resp.Header))
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
		e.class = ErrUnavailable // the code may be a gateway's
	case !cl.verdict && (errors.Is(e.class, ErrNotPassed) || errors.Is(e.class, ErrNotReady)):
		// A token or a ticket was refused, with a code about persons or one that no page names: no person was judged.
		e.class = ErrAccount
	}
	e.again = e.again && Retryable(e) && e.Code != codeNonceTooSoon
	return e
}
