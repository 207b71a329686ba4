package webanklive

// What a program may watch of the client's work: the observer, the classes of errors as labels, and a logger that
// cannot end the process.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// An Observer is told of everything that a [Client] does, see [WithObserver], to make spans and metrics of it (module
// otelwebanklive has one). It must be safe for concurrent use, and it should not block: the call waits for it.
//
// Nothing that it is told holds a secret, a token, a ticket, a signature, a query, an order number or a user ID, and every
// text but the one of Outcome.Err is from a bounded set, so that it may become a label of a metric.
type Observer interface {
	// Start is called when an activity begins. The activity goes on with the values of the context that Start returns, so a
	// span in that context becomes the parent of what follows. It still ends with ctx, not with the returned context; a nil
	// context means ctx itself. The func is called once, from any goroutine, when the activity ends; it may be nil.
	//
	// An observer that panics is not told the end of that activity; the activity itself goes on.
	Start(ctx context.Context, a Activity) (context.Context, func(Outcome))
}

// ActivityKind says what kind of work an [Activity] is.
type ActivityKind string

const (
	// ActivityCall is one call of an exported method that returns an error. Name is the operation, as in Error.Op.
	ActivityCall ActivityKind = "call"

	// ActivityRequest is one HTTP request to the platform; a call that is repeated makes several. Name is the
	// operation: "get access token", "get SIGN ticket", "get NONCE ticket", "get live result", "stream live media". Host
	// and Path are those of the URL, without its query.
	ActivityRequest ActivityKind = "request"

	// ActivityMint is the making of a new credential, under the lock of the store. Its requests are activities inside it.
	// Name is "mint", Reason says what made it necessary.
	ActivityMint ActivityKind = "mint"

	// ActivityStore is one operation of the [CredentialStore]. Name is "Load" or "Update"; a mint is an activity inside an
	// Update. For a [CredentialSource] Name is "Credential" or "Invalidate".
	ActivityStore ActivityKind = "store"
)

// Activity is what an [Observer] is told at the beginning.
type Activity struct {
	Kind ActivityKind

	// Name is from a fixed, small set, which the constants of ActivityKind list.
	Name string

	// Host and Path say where a request goes; empty for every other kind.
	Host, Path string

	// Reason says why a mint is necessary, in one of five texts; empty for every other kind.
	Reason string
}

// Outcome is what an [Observer] is told at the end.
type Outcome struct {
	// Err is nil after success. It has the text of the error that the caller gets, without the platform's message, the
	// order number and the user ID. It matches with errors.Is what the caller's error matches, and is an *[Error] if that is.
	// An activity that a panic or runtime.Goexit ended has an error, too.
	Err error

	// Class is [ClassOf] Err.
	Class string

	// Code is the platform's code, "other" for one that [LookupCode] does not know, and empty when no reply has one.
	Code string

	// HTTPStatus is the status of the last reply, 0 when there was none.
	HTTPStatus int

	// Bytes is the size of a request's reply as it came, or of the value that a store returned; else 0.
	Bytes int64
}

// ClassOf returns one word for err, to be a metric's label: "" for nil; the name of the class that an [Error] matches, as
// in CodeInfo.Class ("not_passed", "not_ready", "credential", "throttled", "unavailable", "invalid_request", "account");
// "bad_callback", "unsigned_callback" or "media"; "canceled" or "deadline" for the end of a context; else "other".
func ClassOf(err error) string {
	if err == nil {
		return ""
	}
	for _, known := range errorClasses {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "other"
}

var errorClasses = []struct {
	err  error
	name string
}{
	{context.Canceled, "canceled"}, {context.DeadlineExceeded, "deadline"},
	{ErrUnsignedCallback, "unsigned_callback"}, {ErrBadCallback, "bad_callback"}, {ErrMedia, "media"},
	{ErrNotPassed, "not_passed"}, {ErrNotReady, "not_ready"}, {ErrCredential, "credential"}, {ErrThrottled, "throttled"},
	{ErrUnavailable, "unavailable"}, {ErrInvalidRequest, "invalid_request"}, {ErrAccount, "account"},
}

// errUnfinished is the error of an activity that returned neither a value nor an error.
var errUnfinished = errors.New("ended by a panic or runtime.Goexit")

// observe starts an activity, and returns the context that it goes on with and the func that ends it. Neither is nil, also
// without an observer. The texts in private are kept out of Outcome.Err.
func (c *Client) observe(ctx context.Context, a Activity, private ...string) (context.Context, func(Outcome)) {
	if c.observer == nil {
		return ctx, func(Outcome) {}
	}
	going, ended := askObserver(ctx, c.observer, a)
	if ended == nil {
		return going, func(Outcome) {}
	}
	return going, func(o Outcome) {
		defer func() { _ = recover() }()
		ended(c.complete(o, private))
	}
}

// observeCall starts the activity of an exported method. It is used as
//
//	defer c.observeCall(&ctx, &err, op, req.OrderNo)()
//
// where err is a named result. It is set to errUnfinished here, and still is when a panic or runtime.Goexit ends the method.
func (c *Client) observeCall(ctx *context.Context, err *error, op string, private ...string) func() {
	if c.observer == nil {
		return func() {}
	}
	going, end := c.observe(*ctx, Activity{Kind: ActivityCall, Name: op}, private...)
	*ctx, *err = going, errUnfinished
	return func() { end(Outcome{Err: *err}) }
}

// askObserver calls Start. When that panics, the activity goes on unobserved.
func askObserver(ctx context.Context, observer Observer, a Activity) (going context.Context, ended func(Outcome)) {
	defer func() {
		if recover() != nil {
			going, ended = ctx, nil
		}
	}()
	returned, ended := observer.Start(ctx, a)
	if returned == nil {
		return ctx, ended
	}
	return observedContext{ctx, returned}, ended
}

// An observedContext ends with the caller's context, whatever context an observer returned, and has the values of both.
type observedContext struct {
	context.Context
	values context.Context //nolint:containedctx // it is a context itself
}

func (c observedContext) Value(key any) any {
	if value := c.values.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

// complete derives the other fields of o from its error, and removes from the error what an observer may not see.
func (c *Client) complete(o Outcome, private []string) Outcome {
	var e *Error
	if errors.As(o.Err, &e) {
		o.Code = cmp.Or(o.Code, e.Code)
		o.HTTPStatus = cmp.Or(o.HTTPStatus, e.HTTPStatus)
		private = append(private[:len(private):len(private)], e.Message) // which may name the order
	}
	if _, known := LookupCode(o.Code); !known && o.Code != "" {
		o.Code = "other"
	}
	o.Class = ClassOf(o.Err)

	o.Err = c.publicError(o.Err, private)
	return o
}

// publicError returns err as observers and logs may show it: without the texts in private and the platform's message.
func (c *Client) publicError(err error, private []string) error {
	public := func(text string) string {
		for _, p := range private {
			if p != "" {
				text = strings.ReplaceAll(text, p, "***")
			}
		}
		return c.redact.text(text)
	}
	ours, ok := err.(*Error) //nolint:errorlint // an error that wraps one says more than the wrapped one
	switch {
	case err == nil:
		return nil
	case !ok:
		return &publicError{public(err.Error()), err}
	}
	quiet := *ours
	quiet.Message, quiet.BizSeqNo = "", public(ours.BizSeqNo)
	if ours.Err != nil {
		quiet.Err = &publicError{public(ours.Err.Error()), ours.Err}
	}
	return &quiet
}

// A publicError has the text of an error without what is private, and matches what the error matches. It does not unwrap to
// the error, which may hold more: a *fs.PathError of the caller's writer may have the order number in its path.
type publicError struct {
	text string
	err  error
}

func (e *publicError) Error() string              { return e.text }
func (e *publicError) Is(target error) bool       { return errors.Is(e.err, target) }
func (e *publicError) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.text) }

// safeHandler protects what logs from the caller's slog.Handler. One that panics does not end the process, and one that
// hangs or ends its goroutine delays the logging call by a second at most, because other calls may wait for that. The handler
// gets the values of the caller's context, a trace id for instance, but not its end: after it, a handler that sends lines over
// a network would drop them.
type safeHandler struct{ next slog.Handler }

// Enabled lets everything pass: Handle asks the handler.
func (h safeHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h safeHandler) Handle(ctx context.Context, r slog.Record) error {
	ctx = context.WithoutCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		if h.next.Enabled(ctx, r.Level) {
			_ = h.next.Handle(ctx, r)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return nil
}

func (h safeHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return safeHandler{h.next.WithAttrs(attrs)}
}
func (h safeHandler) WithGroup(name string) slog.Handler { return safeHandler{h.next.WithGroup(name)} }
