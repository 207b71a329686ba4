package webanklive

// What the platform, the network and the caller's transport say, made fit for an error that anybody may read.

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
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
// elsewhere: a timeout of somebody else's must not be taken for it. It drops every *url.Error, which prints the query.
func notCallers(err error) error {
	var withURL *url.Error
	for errors.As(err, &withURL) {
		err = withURL.Err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.New(err.Error())
	}
	return err
}

// harmless returns err, or only its scrubbed text when the text repeats a secret: a server can put what we sent into
// a status line, and the transport quotes it.
func (c *Client) harmless(err error, hide []string) error {
	text := err.Error()
	if clean := c.clean(text, 1024, hide); clean != text {
		return &cleaned{clean, err}
	}
	return err
}

// cleaned is an error whose text had to be cleaned. It matches what the original matches, and does not hand that out.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string        { return e.text }
func (e *cleaned) Is(target error) bool { return errors.Is(e.err, target) }

// Format keeps %+v and %#v from looking inside.
func (e *cleaned) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.text) }

// clean makes a foreign text fit for a log: no secret of ours, no control character, at most limit bytes.
func (c *Client) clean(text string, limit int, hide []string) string {
	text = c.scrub(text, hide)
	if len(text) <= limit && consistsOf(text, func(b byte) bool { return '!' <= b && b <= '~' }) {
		return text // as nearly all are
	}
	printable := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if printable != text {
		text = c.scrub(printable, hide) // what was dropped may have stood in the middle of a secret
	}
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") // the cut may go through a character
	}
	return strings.TrimSpace(text)
}

func (c *Client) scrub(text string, hide []string) string {
	text = scrub(text, *c.secret)
	for _, secret := range hide {
		text = scrub(text, secret)
	}
	return text
}

// scrub replaces secret, as it is and as a query has it. Most texts are shorter than a secret, and need no look.
func scrub(text, secret string) string {
	if secret == "" || len(text) < len(secret) {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, secret, "***"), url.QueryEscape(secret), "***")
}

// contentType names the media type for an error, and nothing else that a server may have put into the header.
func contentType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(kind) > 64 {
		return "unknown"
	}
	return kind
}
