package main

// What reaches the terminal, the pipe or the machine.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"

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

// write treats a reader that has seen enough as no error.
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
	a.json = a.json || slices.Contains(args, "--json") // a mistake in the flags before it stopped the parser
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
		fmt.Fprintf(a.errOut, "webanklive: %s\n", oneLine(err))
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

// encodeJSON leaves the & of links as it is.
func encodeJSON(v any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // plain structs of this package
	}
	return bytes.TrimSpace(text.Bytes())
}

// note tells a person something on the side.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.errOut, format+"\n", args...)
}

// terminal returns the file behind w if a person looks at it.
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

func (a *app) paint(colour, text string) string {
	if _, terminal := a.terminal(a.out); !terminal || !a.colourful() {
		return text
	}
	return colour + text + "\x1b[0m"
}

// colourful reports whether a terminal may be sent colours.
func (a *app) colourful() bool {
	oldConsole := runtime.GOOS == "windows" && a.env("WT_SESSION") == "" // shows the escapes themselves
	return !a.noColor && a.env("NO_COLOR") == "" && !oldConsole
}
