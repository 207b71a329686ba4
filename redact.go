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

// causeOf returns why an attempt failed with err: the reason for which this package cancelled ctx, if it did.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return notCallers(err)
}

// notCallers returns err, or only its text when err matches the end of a context. That the caller's own context ended is
// reported elsewhere, and another timeout must not be taken for it.
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

// contextError returns why ctx, which has ended, ended: its error, and with it the cause that the caller gave. Of a cause
// that has a class of its own only the text is kept. errgroup, for instance, gives the error of another call, perhaps that a
// person did not pass, and this call must not match that.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || cause == err { //nolint:errorlint // the same value
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

// harmless returns err, or an error with a cleaned text. A server can repeat in its status line what was sent to it, and the
// transport quotes that line.
func (c *Client) harmless(err error, hide []string) error {
	text := err.Error()
	clean := c.clean(text, 1024, hide)
	if clean == text {
		return err
	}
	return &cleaned{text: clean, err: err, secret: strings.Contains(clean, redacted) || c.scrub(text, hide) != text}
}

// cleaned is an error whose text had to be cleaned. It matches what the original matches. errors.As finds the original
// unless that has a secret in its text; the error of a caller's writer, for instance, may only have two lines.
type cleaned struct {
	text   string
	err    error
	secret bool
}

func (e *cleaned) Error() string        { return e.text }
func (e *cleaned) Is(target error) bool { return errors.Is(e.err, target) }
func (e *cleaned) As(target any) bool   { return !e.secret && errors.As(e.err, target) }

// Format keeps %+v and %#v from printing the original.
func (e *cleaned) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.text) }

// clean makes a foreign text fit for a log: no secret of ours, no control character, at most limit bytes.
func (c *Client) clean(text string, limit int, hide []string) string {
	text = c.scrub(text, hide)
	if len(text) <= limit && consistsOf(text, func(b byte) bool { return '!' <= b && b <= '~' }) {
		return text // true of nearly all texts
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

// scrub replaces every secret of this client in text, and those in hide, which are the bearer values of one call.
func (c *Client) scrub(text string, hide []string) string {
	for _, secret := range hide {
		if len(secret) > len(text) {
			continue // no form is shorter than the secret, and most texts are
		}
		for _, form := range forms(secret) {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return c.redact.text(text)
}

// contentOf names the media type and the encoding of a reply for an error. It leaves out all else that a server may have put
// into these headers.
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

	// rememberedSecrets bounds how many tokens and tickets a redactor keeps. A mint brings two every 20 minutes, so these
	// are those of ten hours; texts of the platform repeat only those of the last minutes.
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

// text returns text with *** for every secret that r knows. Most texts are shorter than a secret, and are not searched.
func (r *redactor) text(text string) string {
	for _, form := range *r.forms.Load() {
		if len(form) <= len(text) {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}

// cause returns err, an *Error whose cause is of a store or a source, with the text of the cause on one line and without the
// secrets that r knows.
func (r *redactor) cause(err error) error {
	ours, ok := err.(*Error) //nolint:errorlint // an error that wraps one is the caller's
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

// Format shows no secret, for every verb.
func (r *redactor) Format(f fmt.State, _ rune) { fmt.Fprint(f, "webanklive.redactor") }

// forms returns the ways in which secret may stand in a text: as it is; escaped as in a query or a path, with upper-case or
// lower-case hexadecimal digits; quoted; and as in HTML or JSON.
func forms(secret string) []string {
	if secret == "" {
		return nil
	}
	if consistsOf(secret, isLetterOrDigit) {
		return []string{secret} // true of nearly all secrets
	}
	quoted := strconv.Quote(secret)
	inJSON, _ := json.Marshal(secret) // cannot fail for a string
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
