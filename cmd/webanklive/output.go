package main

// Printing: answers and errors for people and as JSON, without characters that a terminal would obey.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// print shows an answer: human writes it for people, and v, a struct, is its JSON. With --json it waits for finish,
// which adds the error.
func (a *app) print(v any, human func(w io.Writer)) error {
	if a.json {
		a.answer = v
		return nil
	}
	var text bytes.Buffer
	human(&text)
	return a.write(text.Bytes())
}

// write writes text to standard output. It is no error that the reader of a pipe has ended.
func (a *app) write(text []byte) error {
	_, err := a.out.Write(text)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// finish prints the error, and with --json the answer with it, and returns the exit code.
func (a *app) finish(err error, args []string) int {
	exit := exitDone
	if err != nil {
		_, exit = classify(err)
	}
	a.json = a.json || slices.Contains(args, "--json") // the parser may have stopped at a mistake before it
	if a.json && !a.printed {
		failed := a.printJSON(err)
		if failed == nil {
			return exit
		}
		if err == nil {
			exit = exitUsage
		}
		err = errors.Join(err, failed)
	}
	var f *failure
	if err != nil && (!errors.As(err, &f) || !f.told) {
		a.note("webanklive: %s", oneLine(err))
	}
	return exit
}

// printJSON prints the answer and the error as one object on one line.
func (a *app) printJSON(err error) error {
	object := []byte("{}")
	if a.answer != nil {
		object = encodeJSON(a.answer)
	}
	if err != nil {
		object = object[:len(object)-1]
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(append(append(object, `"error":`...), encodeJSON(describe(err))...), '}')
	} else if a.answer == nil {
		return nil // help
	}
	a.printed = true
	return a.write(append(object, '\n'))
}

// encodeJSON does not escape the & of links, and escapes the characters that a terminal would obey or not show.
func encodeJSON(v any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // plain structs of this package
	}
	var escaped []byte
	for _, r := range strings.TrimSpace(text.String()) {
		if harmless(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}

// say prints for people; nothing else in this package does. It is fmt.Fprintf, but cleans every text among args, which may come
// from the platform, a server, a browser or a file, of characters that a terminal would obey or not show. Only the format and
// painted texts, which are this command's own, may hold line ends and colours.
func say(w io.Writer, format string, args ...any) {
	clean := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case painted:
			clean[i] = string(arg)
		case int, rune:
			clean[i] = arg
		default:
			clean[i] = printable(fmt.Sprint(arg))
		}
	}
	_, _ = fmt.Fprintf(w, format, clean...)
}

// note prints a line on standard error.
func (a *app) note(format string, args ...any) {
	say(a.errOut, format+"\n", args...)
}

// printable replaces characters that are not shown as they are: control characters, which terminals obey, and those that
// reorder text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Zs, r):
			return ' '
		case !harmless(r):
			return '�'
		}
		return r
	}, text)
}

func harmless(r rune) bool { return unicode.IsPrint(r) }

// lines is a writer for the logs of the SDK and of the HTTP server. It prints them line by line, with say.
type lines struct{ w io.Writer }

func (l lines) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		say(l.w, "%s\n", strings.TrimSuffix(line, "\n"))
	}
	return len(text), nil
}

// terminal returns the file of w if that is a terminal that can move its cursor.
func (a *app) terminal(w io.Writer) (*os.File, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || a.env("TERM") == "dumb" {
		return nil, false
	}
	return f, true
}

// The colours of a verdict.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	faint  = "\x1b[2m"
)

// painted is a text of this command, perhaps with colours, that say prints as it is.
type painted string

func (a *app) paint(colour, text string) painted {
	text = printable(text)
	if _, terminal := a.terminal(a.out); !terminal || !a.colourful() {
		return painted(text)
	}
	return painted(colour + text + "\x1b[0m")
}

// colourful reports whether a terminal may be sent colours.
func (a *app) colourful() bool {
	oldConsole := runtime.GOOS == "windows" && a.env("WT_SESSION") == "" // shows the escapes themselves
	return !a.noColor && a.env("NO_COLOR") == "" && !oldConsole
}
