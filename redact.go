package webanklive

// What may enter an error, a log or a span: the texts of the platform, the network and the caller's transport without any
// secret that this process holds or held.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// causeOf prefers our own reason for cancelling an attempt.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return notCallers(err)
}

// notCallers returns err, or only its text when it looks like the end of the caller's context, which is reported
// elsewhere: a timeout of somebody else's must not be taken for it.
func notCallers(err error) error {
	err = withoutURL(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(err.Error())
	}
	return err
}

// withoutURL drops every *url.Error, which prints the query.
func withoutURL(err error) error {
	var withURL *url.Error
	for errors.As(err, &withURL) {
		err = withURL.Err
	}
	return err
}

// contextError returns why ctx, which is over, ended: its error, and with it the cause that the caller gave. The cause
// is kept as a text only where it would say something else than that the context ended: errgroup gives the error of
// another call, perhaps that somebody did not pass.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || cause == err { //nolint:errorlint // the same one
		return err
	}
	both := fmt.Errorf("%w: %w", err, cause)
	var ours *Error
	if errors.As(cause, &ours) || ClassOf(cause) != "other" {
		both = fmt.Errorf("%w: %v", err, cause) //nolint:errorlint // a cause must not lend its class
	}
	if text := both.Error(); oneLine(text) != text {
		return &cleaned{text: oneLine(text), err: both}
	}
	return both
}

// harmless returns err, or an error with a cleaned text: a server can put what we sent into a status line, and the
// transport quotes it.
func (c *Client) harmless(err error, hide []string) error {
	text := err.Error()
	clean := c.clean(text, 1024, hide)
	if clean == text {
		return err
	}
	return &cleaned{text: clean, err: err, secret: strings.Contains(clean, redacted) || c.scrub(text, hide) != text}
}

// cleaned is an error whose text had to be cleaned. It matches what the original matches, and hands that out to errors.As
// unless its text has a secret: an error of the caller's writer may just have two lines.
type cleaned struct {
	text   string
	err    error
	secret bool
}

func (e *cleaned) Error() string        { return e.text }
func (e *cleaned) Is(target error) bool { return errors.Is(e.err, target) }
func (e *cleaned) As(target any) bool   { return !e.secret && errors.As(e.err, target) }

// Format keeps %+v and %#v from looking inside.
func (e *cleaned) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.text) }

// clean makes a foreign text fit for a log: no secret of ours, no control character, at most limit bytes.
func (c *Client) clean(text string, limit int, hide []string) string {
	text = c.scrub(text, hide)
	if len(text) <= limit && consistsOf(text, func(b byte) bool { return '!' <= b && b <= '~' }) {
		return text // as nearly all are
	}
	if printable := oneLine(text); printable != text {
		text = c.scrub(printable, hide) // what was dropped may have stood in the middle of a secret
	}
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") // the cut may go through a character
	}
	return strings.TrimSpace(text)
}

// oneLine returns text with a blank for each white space and without what cannot be printed.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// scrub takes every secret of this client and those of hide, the bearer values of one call, out of text.
func (c *Client) scrub(text string, hide []string) string {
	for _, secret := range hide {
		if len(secret) > len(text) {
			continue // no form is shorter, and most texts, a header's for instance, are
		}
		for _, form := range forms(secret) {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return c.redact.text(text)
}

// contentOf names media type and encoding of a reply for an error, and nothing else that a server may have put into the
// headers.
func contentOf(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(kind) > 64 {
		kind = "unknown"
	}
	text := kind
	if encoding := h.Get("Content-Encoding"); encoding != "" && len(encoding) <= 16 && consistsOf(encoding, isLetterOrDigit) {
		text += ", content encoding " + encoding
	}
	return text
}

const (
	redacted = "***"

	// rememberedSecrets bounds how many tokens and tickets a redactor keeps: those of a day and more, when a mint brings
	// two of them every 20 minutes and only the platform's own texts of the last minutes can repeat them.
	rememberedSecrets = 64
)

// A redactor knows the secrets of one client: the app secret for ever, and the newest tokens and tickets, also those that
// were replaced, because the platform may still quote them. It is safe for concurrent use.
type redactor struct {
	appSecret string

	mu     sync.Mutex
	newest []string                 // oldest first
	forms  atomic.Pointer[[]string] // what to look for, longest first: one secret may be part of another
}

func newRedactor(appSecret string) *redactor {
	r := &redactor{appSecret: appSecret}
	r.prepare()
	return r
}

// add remembers secrets, forgetting the oldest ones when there are too many. An empty one is ignored.
func (r *redactor) add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for _, secret := range secrets {
		if secret != "" && !slices.Contains(r.newest, secret) {
			r.newest, changed = append(r.newest, secret), true
		}
	}
	if !changed {
		return
	}
	if more := len(r.newest) - rememberedSecrets; more > 0 {
		r.newest = slices.Delete(r.newest, 0, more)
	}
	r.prepare()
}

func (r *redactor) prepare() {
	all := forms(r.appSecret)
	for _, secret := range r.newest {
		all = append(all, forms(secret)...)
	}
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	r.forms.Store(&all)
}

// text returns text with *** for every secret that r knows. Most texts are shorter than a secret, and need no look.
func (r *redactor) text(text string) string {
	for _, form := range *r.forms.Load() {
		if len(form) <= len(text) {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}

// cause returns err, an *Error whose cause is somebody else's, with the text of the cause on one line and without the
// secrets that r knows.
func (r *redactor) cause(err error) error {
	ours, ok := err.(*Error) //nolint:errorlint // what wraps one is the caller's
	if !ok || ours.Err == nil {
		return err
	}
	text := ours.Err.Error()
	line := oneLine(text)
	clean := r.text(line)
	if clean == text {
		return err
	}
	quiet := *ours
	quiet.Err = &cleaned{text: clean, err: ours.Err, secret: clean != line || r.text(text) != text}
	return &quiet
}

// Format shows nothing that r knows, for every verb.
func (r *redactor) Format(f fmt.State, _ rune) { fmt.Fprint(f, "webanklive.redactor") }

// forms returns secret as it may stand in a text: as it is, as a query or a path has it, in capital or small hexadecimal
// digits, quoted, and in HTML or JSON.
func forms(secret string) []string {
	if secret == "" {
		return nil
	}
	if consistsOf(secret, isLetterOrDigit) {
		return []string{secret} // as nearly all are
	}
	quoted := strconv.Quote(secret)
	inJSON, _ := json.Marshal(secret) // of a string it cannot fail
	all := []string{
		secret, url.QueryEscape(secret), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"), url.PathEscape(secret),
		lowerHex(url.QueryEscape(secret)), lowerHex(url.PathEscape(secret)),
		quoted[1 : len(quoted)-1], string(inJSON[1 : len(inJSON)-1]), html.EscapeString(secret),
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// lowerHex returns an escaped text with %2f instead of %2F.
func lowerHex(escaped string) string {
	return percent.ReplaceAllStringFunc(escaped, strings.ToLower)
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)
