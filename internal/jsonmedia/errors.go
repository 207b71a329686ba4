// The errors of Scan. Their texts are built from offsets, descriptions and names that the caller listed, never from
// the body: it may hold personal data.

package jsonmedia

import (
	"errors"
	"fmt"
)

// What can be wrong with a media field; the Err of a *MediaError.
var (
	ErrCorrupt     = errors.New("corrupt Base64")
	ErrURLAlphabet = errors.New("URL-safe Base64 alphabet where the standard one is expected")
	ErrNotString   = errors.New("not a string")
	ErrTwice       = errors.New("given twice")
	ErrTooLarge    = errors.New("larger than the limit")
)

// SyntaxError says that the body is not the JSON object expected.
type SyntaxError struct {
	Offset int64  // bytes of the body before the fault
	Field  string // the wanted field at fault, if it is one
	Msg    string
	Err    error // io.ErrUnexpectedEOF when the body ended too early, else nil
}

func (e *SyntaxError) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("JSON field %q at offset %d: %s", e.Field, e.Offset, e.Msg)
	}
	return fmt.Sprintf("JSON at offset %d: %s", e.Offset, e.Msg)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// MediaError says that one media field cannot be used.
type MediaError struct {
	Field  string // as listed in Options.Media
	Offset int64  // bytes of the body before the fault
	Size   int64  // bytes decoded before the fault; for a writer, the bytes that it took
	Err    error
}

func (e *MediaError) Error() string {
	return fmt.Sprintf("media field %q at offset %d, after %d decoded bytes: %v", e.Field, e.Offset, e.Size, e.Err)
}

func (e *MediaError) Unwrap() error { return e.Err }

// ReadError says that the body could not be read any further.
type ReadError struct {
	Offset int64 // bytes read before the failure
	Err    error // the reader's
}

func (e *ReadError) Error() string { return fmt.Sprintf("read at offset %d: %v", e.Offset, e.Err) }

func (e *ReadError) Unwrap() error { return e.Err }

// WriteError says that the writer of a media field failed. It is the Err of a *MediaError.
type WriteError struct {
	Err error // the writer's, or io.ErrShortWrite
}

func (e *WriteError) Error() string { return fmt.Sprintf("write: %v", e.Err) }

func (e *WriteError) Unwrap() error { return e.Err }
