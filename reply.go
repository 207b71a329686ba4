package webanklive

// Reading replies. Results, tokens and tickets go through one scanner and one set of rules. A byte order mark may come first.
// A text may be written as a number, and null is absent. Fields that the vendor adds are ignored (响应参数请勿做强校验). A field
// that cannot be read counts as empty, and is an error only where something is decided by it.

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/webanklive/webanklive/internal/jsonmedia"
)

var (
	errNotJSON = errors.New("the reply is not a JSON object")
	errNoCode  = errors.New("the reply has no code")
	errBadCode = errors.New("the reply's code is not a number of at most 16 digits")
)

// The fields of token and ticket replies. A ticket reply has a list of one ticket (tickets 只有一个).
var (
	tokenScan  = jsonmedia.Options{Fields: []string{"code", "msg", "bizSeqNo", "access_token", "expire_in"}}
	ticketScan = jsonmedia.Options{Fields: []string{"code", "msg", "bizSeqNo", "value", "expire_in"}, Nested: "tickets", First: true}
)

// readGrant reads a token or ticket reply. The token or ticket is at the nested level if opts names one, else at the top; the
// code is at the top.
func readGrant(body io.Reader, opts jsonmedia.Options) (granted jsonmedia.Values, env envelope, err error) {
	obj, err := jsonmedia.Scan(body, opts)
	granted = obj.Top
	if opts.Nested != "" {
		granted = obj.Nested
	}
	env = readEnvelope(obj.Top)
	for _, name := range []string{"access_token", "value"} {
		if text := strings.TrimSpace(granted.Get(name)); text != "" {
			env.granted = append(env.granted, text)
		}
	}
	return granted, env, scanError(err)
}

// readEnvelope reads what every reply carries, each text from the first of levels that has it.
func readEnvelope(levels ...jsonmedia.Values) envelope {
	env := envelope{message: textOf(levels, "msg"), bizSeqNo: textOf(levels, "bizSeqNo")}
	env.code, env.flaw = codeOf(levels)
	return env
}

// textOf returns the first text that is not blank.
func textOf(levels []jsonmedia.Values, names ...string) string {
	for _, level := range levels {
		for _, name := range names {
			if text := strings.TrimSpace(level.Get(name)); text != "" {
				return text
			}
		}
	}
	return ""
}

// codeOf returns the code of a reply that may have one at each level: a failure at either level is a failure, and 0 counts
// only when no level has something else in its place.
func codeOf(levels []jsonmedia.Values) (code string, flaw error) {
	for _, level := range levels {
		field := level.Lookup("code")
		text := strings.TrimSpace(field.Text)
		switch {
		case text == "" && !field.Odd: // absent
		case isCode(text) && text != codePassed:
			return text, nil
		case isCode(text) && flaw == nil:
			code = text
		case flaw == nil:
			code, flaw = text, errBadCode
		}
	}
	return code, flaw
}

// scanError turns an error of the scanner into one of this package.
func scanError(err error) error {
	if err == nil {
		return nil
	}
	var (
		syntax *jsonmedia.SyntaxError
		read   *jsonmedia.ReadError
		write  *jsonmedia.WriteError
		broken *jsonmedia.MediaError
	)
	switch {
	case errors.As(err, &broken) && errors.As(err, &write):
		return &mediaFault{err: fmt.Errorf("write %s: %w", broken.Field, write.Err), writer: true}
	case errors.As(err, &broken):
		cut := errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &read)
		return &mediaFault{err: fmt.Errorf("%w: %w", ErrMedia, err), cut: cut}
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return err
}
