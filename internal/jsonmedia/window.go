// The window through which the body is read: fixed in size, pooled, filled from the reader as far as it goes.

package jsonmedia

import (
	"errors"
	"io"
	"sync"
)

const (
	windowSize = 32 << 10

	// What a window decodes to needs three quarters of its size, but its escapes are taken out in the same place,
	// which needs all of it. The slack is for the group carried over from the window before.
	slack = 16
)

// window is the only thing that is pooled, because its size is fixed: buffers that grow would keep the size of the
// largest reply ever seen.
type window struct {
	in   [windowSize]byte
	out  [windowSize + slack]byte
	text [128]byte
}

var windows = sync.Pool{New: func() any { return new(window) }}

// input is the unread part of the body: buf[pos:end] and whatever r still has.
type input struct {
	r        io.Reader
	buf      []byte
	pos, end int
	base     int64 // offset of buf[0] in the body
	err      error // what ended r; reported when the bytes before it are used up
}

func (in *input) offset() int64 { return in.base + int64(in.pos) }

// unread is the part of the window not looked at yet.
func (in *input) unread() []byte { return in.buf[in.pos:in.end] }

// need makes at least n bytes available at pos and reports whether there are as many. n is small.
func (in *input) need(n int) bool {
	if in.end-in.pos < n {
		in.fill()
	}
	return in.end-in.pos >= n
}

var (
	errReadCount  = errors.New("reader returned an impossible count")
	errWriteCount = errors.New("writer returned an impossible count")
)

// fill moves the unread bytes to the front and reads until the window is full or r has ended. A full window, not
// just what one Read brings, makes few and large Writes, and lets a field of moderate size be seen whole.
func (in *input) fill() {
	copy(in.buf, in.unread())
	in.base += int64(in.pos)
	in.end -= in.pos
	in.pos = 0
	for idle := 0; in.end < len(in.buf) && in.err == nil; idle++ {
		n, err := in.r.Read(in.buf[in.end:])
		switch {
		case n < 0 || n > len(in.buf)-in.end:
			in.err = errReadCount
			return
		case n > 0:
			in.end += n
			idle = 0
		case err == nil && idle == 100:
			err = io.ErrNoProgress
		}
		in.err = err
	}
}

// ended is the error for bytes that are needed but will not come.
func (in *input) ended() error {
	at := in.base + int64(in.end)
	if in.err == io.EOF { //nolint:errorlint // the reader's own end, as io.Reader defines it
		return &SyntaxError{Offset: at, Msg: "unexpected end", Err: io.ErrUnexpectedEOF}
	}
	return &ReadError{Offset: at, Err: in.err}
}
