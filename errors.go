package webanklive

// The errors that a caller can get: the classes, the other sentinels, and the type Error.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The classes of an *[Error]: at most one of them matches with [errors.Is]. None does when the caller's context ended or
// its writer failed, and for the errors outside the classes below.
var (
	// ErrNotPassed says that this person did not pass. A new attempt needs a new order number. A code that no vendor page
	// names is in this class, too, when a reply with a 2xx status names the order or a bizSeqNo: an unknown code is never a
	// pass. In any other reply such a code is taken for a gateway's, and is of class [ErrUnavailable].
	ErrNotPassed = errors.New("not passed")

	// ErrNotReady says that the platform has no result for the order: not yet, or never started, abandoned, timed
	// out, or no longer kept by the platform. Ask again a few times right after a callback with code 0; otherwise treat
	// it as abandoned.
	ErrNotReady = errors.New("no result")

	// ErrCredential says that the platform refused the app ID, the secret, the access token, a ticket or a signature.
	// Another credential did not help or could not be got, or none was tried: once media were written, and within a minute
	// after another refused credential was replaced; the text says so. A mint that the platform refused is not tried again
	// for a minute; meanwhile its error is returned.
	ErrCredential = errors.New("credential refused")

	// ErrThrottled says that the platform asks to be called less often, or that a mint was refused because the last one was
	// less than a minute ago, see [Client.Refresh]. See [Retryable].
	ErrThrottled = errors.New("throttled")

	// ErrUnavailable says that the platform, the network or the credential store did not work, or that the reply made
	// no sense: it is no JSON object, its code is no number, or it says that a person passed without the proof that
	// [Client.GetLiveResult] requires. See [Retryable].
	ErrUnavailable = errors.New("unavailable")

	// ErrInvalidRequest says that an argument breaks a rule; the text names every field and rule that is broken.
	// Found before the network wherever possible. Repeating the call cannot help.
	ErrInvalidRequest = errors.New("invalid request")

	// ErrAccount says that the vendor has to be called: the contract expired, a quota is used up, a version is too
	// old, or a token or ticket was refused, with a 2xx status, by a code that no vendor page names.
	ErrAccount = errors.New("account problem")
)

// Errors outside the classes.
var (
	// ErrBadCallback says that a callback is not the platform's answer for the expected order. Every such error matches
	// one of the three below as well.
	ErrBadCallback = errors.New("bad callback")

	// ErrMalformedCallback says that a required parameter is missing, repeated or malformed: a person typed the address,
	// or a router or gateway on the way changed it.
	ErrMalformedCallback = fmt.Errorf("%w: malformed", ErrBadCallback)

	// ErrOtherOrder says that a callback has an order number other than the expected one: another tab, another session, or
	// a forgery.
	ErrOtherOrder = fmt.Errorf("%w: orderNo is not the expected one", ErrBadCallback)

	// ErrBadSignature says that a callback is well-formed, but not signed with the current or the previous SIGN ticket.
	ErrBadSignature = fmt.Errorf("%w: the signature does not match", ErrBadCallback)

	// ErrUnsignedCallback says that a callback reports a failure and carries no signature, as the vendor's page does
	// when it gives up early (3001, the browser cannot record video). It proves nothing; offer the person another
	// way to identify.
	ErrUnsignedCallback = errors.New("callback without signature")

	// ErrMedia says that the person passed, but photo or video arrived corrupt or incomplete. The call returns the result
	// together with this error; do not use the media.
	ErrMedia = errors.New("broken media")

	// ErrNoCredential is what a [CredentialStore] answers when it holds nothing under a key.
	ErrNoCredential = errors.New("no credential")
)

// Error is a failed operation. Match its class with [errors.Is]; read the fields for logs and for the vendor's
// support. No field holds a secret, a token, a ticket, a signature or a query, so it may be printed in full.
type Error struct {
	// Op names the operation, "get live result" for instance.
	Op string

	// Code is the platform's response code, empty when no reply could be read.
	Code string

	// Message is the platform's text: at most 256 bytes, one line, scrubbed of this client's own secrets.
	Message string

	// BizSeqNo is the platform's serial number of the call (业务流水号), which its support asks for.
	BizSeqNo string

	// HTTPStatus is 0 when there was no reply.
	HTTPStatus int

	// Err is the cause, nil when the code says it all.
	Err error

	class   error  // one of the sentinels; nil: the class of Code
	target  string // "GET host/path"
	again   bool   // the same request may succeed if it is sent again
	written bool   // media reached the caller's writer
	named   bool   // the reply is the platform's own: it names the order or a bizSeqNo

	retryAfter time.Duration // what the reply asks to wait before a repeat
}

// Error returns one line:
//
//	webanklive: get live result: code 66660011: 无此查询结果 (GET idasc.webank.com/api/server/getLiveResult, HTTP 200)
func (e *Error) Error() string {
	parts := []string{"webanklive"}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Code != "" {
		parts = append(parts, "code "+e.Code)
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	} else if e.Code == "" && e.Message == "" && e.class != nil {
		parts = append(parts, e.class.Error())
	}
	text := strings.Join(parts, ": ")
	switch {
	case e.target != "" && e.HTTPStatus != 0:
		text += fmt.Sprintf(" (%s, HTTP %d)", e.target, e.HTTPStatus)
	case e.target != "":
		text += " (" + e.target + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue is a group for slog: op, class (of [ClassOf]), code, message, biz_seq_no, http_status, target ("GET host/path")
// and cause, the text of Err; those that are empty are left out. Like the text it holds no secret.
func (e *Error) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, a := range []slog.Attr{
		slog.String("op", e.Op), slog.String("class", ClassOf(e)), slog.String("code", e.Code), slog.String("message", e.Message),
		slog.String("biz_seq_no", e.BizSeqNo), slog.Int("http_status", e.HTTPStatus), slog.String("target", e.target),
	} {
		if !a.Value.Equal(slog.StringValue("")) && !a.Value.Equal(slog.IntValue(0)) {
			attrs = append(attrs, a)
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Is reports whether target is the class of e. An Error that a test builds by hand from a Code has the class of
// that code.
func (e *Error) Is(target error) bool {
	class := e.classed()
	return class != nil && class == target
}

func (e *Error) classed() error {
	if e.class == nil && e.Code != "" {
		return classOfCode(e.Code)
	}
	return e.class
}

// Retryable reports whether the same call may succeed later: err is of class [ErrUnavailable] or [ErrThrottled].
// It is false for everything else, the end of a context included.
func Retryable(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)
}

// errNoClient is the error of every call of the zero Client.
var errNoClient = &Error{Op: opCredential, class: ErrInvalidRequest, Err: errors.New("the Client was not made by NewClient")}

// contextEnded is the error of a caller whose ctx ended: it has no class, and matches ctx's error.
func contextEnded(ctx context.Context, op string) *Error {
	return &Error{Op: op, Err: contextError(ctx)}
}

// unavailable is an error of getting a credential.
func unavailable(format string, args ...any) *Error {
	return &Error{Op: opCredential, class: ErrUnavailable, Err: fmt.Errorf(format, args...)}
}

// problems collects every broken rule of one call, so that a caller can mend them all at once.
type problems []error

// require adds the rule for field when it does not hold. The value is not quoted: it may be a secret in the wrong place.
func (p *problems) require(holds bool, field, rule string) {
	if !holds {
		*p = append(*p, fmt.Errorf("%s %s", field, rule))
	}
}

// err returns nil when no rule is broken.
func (p problems) err(op string) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Op: op, class: ErrInvalidRequest, Err: p}
}

// Error joins the problems on one line, unlike errors.Join, whose line breaks tear log lines apart.
func (p problems) Error() string {
	texts := make([]string, len(p))
	for i, err := range p {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets errors.Is and errors.As see every problem.
func (p problems) Unwrap() []error { return p }
