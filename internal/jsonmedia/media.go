// The decoder of one media string. The fast path takes whole groups of four characters, also out of windows with
// escapes; everything unusual goes one character at a time until the next group begins. No byte is looked at more
// than a few times, whatever the string holds.

package jsonmedia

import (
	"bytes"
	"io"
	"strings"
	"unicode"
)

const (
	headSize  = 64
	maxPrefix = 256 // characters before the comma of a data URL
	maxEscape = 12  // bytes of a surrogate pair
)

type decoder struct {
	s    *scanner
	name string
	w    io.Writer // nil: to memory

	dst  []byte // a writer's bytes of this window, or the whole field in memory
	n    int    // bytes of dst filled
	size int64  // bytes that the writer took
	head []byte

	early []byte // for a writer, as long as there are fewer than Options.Min

	group  uint32 // characters of the unfinished group
	have   int    // how many
	pads   int    // '=' seen
	blank  bool   // a blank or tab was seen behind the first character, so that nothing else may follow
	at     int64  // offset of the last character
	closed bool   // the closing quote is passed
	absent bool   // it was shorter than Options.Min
	tried  int64  // end of the last window that escaped tried
}

// run decodes the string whose first character is next.
func (d *decoder) run() error {
	s := d.s
	if d.w == nil {
		if bytes.IndexByte(s.unread(), '"') < 0 {
			s.fill() // the closing quote, if a full window shows it, tells the size
		}
		d.dst = s.memory.start(s.unread(), s.offset())
	}
	err := d.prefix()
	for err == nil && !d.closed {
		if err = d.regular(); err != nil {
			break
		}
		var c rune
		if c, err = d.char(); err == nil {
			err = d.put(c)
		}
	}
	return d.finish(err)
}

// regular decodes up to the next character of the window that is not of the alphabet, if one may still follow.
func (d *decoder) regular() error {
	s := d.s
	for d.pads == 0 && !d.blank {
		if d.have == 0 {
			groups := DecodeGroups(d.dst[d.n:], s.unread())
			s.pos += 4 * groups
			d.n += 3 * groups
			if bytes.IndexByte(s.buf[s.pos:min(s.end, s.pos+4)], '\\') >= 0 {
				d.escaped()
			}
		}
		// The group that something interrupts, up to there or from there.
		for _, c := range s.buf[s.pos:min(s.end, s.pos+4-d.have)] {
			if sextet(c) == notBase64 {
				return nil
			}
			d.add(c)
			s.pos++
		}
		if d.have < 4 {
			return nil
		}
		if err := d.emit(3); err != nil {
			return err
		}
	}
	return nil
}

// escaped decodes what is left of a window that has escapes, if nothing else is odd about it: it copies the window
// without them and decodes the copy at full speed. Where escapes are dense that is twice as fast as stopping at each,
// because every stop is a branch the processor could not foresee. If it does not work out, nothing has happened.
func (d *decoder) escaped() {
	s := d.s
	if d.tried == s.base+int64(s.end) {
		return // once for each window, or odd ones would be copied again and again
	}
	d.tried = s.base + int64(s.end)

	raw := s.unread()
	if end := bytes.IndexByte(raw, '"'); end >= 0 {
		raw = raw[:max(end-24, 0)] // leaves the padding, which is odd
	}
	// The copy lies where a writer's bytes go, and is decoded in place: they never catch up with it.
	text := s.out
	if d.w != nil {
		text = s.out[d.n:]
	}
	n, used := unescape(text, raw[:min(len(raw), len(text))])
	groups := DecodeGroups(d.dst[d.n:], text[:n])
	rest := text[4*groups : n]
	if len(rest) >= 4 {
		return
	}
	for _, c := range rest {
		if sextet(c) == notBase64 {
			return
		}
	}
	for _, c := range rest {
		d.add(c)
	}
	s.pos += used
	d.n += 3 * groups
}

// unescape copies raw to dst, which is at least as long, without line breaks that are escaped and with other escapes
// resolved. It stops at an escape that is cut or cannot be Base64. It returns how much it wrote and read.
func unescape(dst, raw []byte) (n, used int) {
	for used < len(raw) {
		if raw[used] != '\\' { // one escape often follows another
			run := bytes.IndexByte(raw[used:], '\\')
			if run < 0 {
				run = len(raw) - used
			}
			n += copy(dst[n:], raw[used:used+run])
			used += run
		}
		if len(raw)-used < 2 {
			break
		}
		switch raw[used+1] {
		case '/':
			dst[n] = '/'
			n++
			used += 2
		case 'n', 'r':
			used += 2
		case 'u':
			if len(raw)-used < 6 {
				return n, used
			}
			c := hex4(raw[used+2:])
			if c < 0 || c >= notASCII || c == ' ' || c == '\t' {
				return n, used
			}
			if !lineBreak(c) {
				dst[n] = byte(c)
				n++
			}
			used += 6
		default:
			return n, used
		}
	}
	return n, used
}

// prefix passes a leading "data:…;base64,". Letters that turn out not to be one are decoded.
func (d *decoder) prefix() error {
	const scheme = "data:"
	var text []byte
	for {
		c, err := d.char()
		if err != nil {
			return err
		}
		if c == newline || c == space && (len(text) == 0 || len(text) >= len(scheme)) {
			continue
		}
		if n := len(text); n < len(scheme) && unicode.ToLower(c) != rune(scheme[n]) {
			for _, b := range text {
				if err := d.put(rune(b)); err != nil {
					return err
				}
			}
			return d.put(c)
		}
		if c <= ' ' || c > '~' || len(text) == maxPrefix {
			return ErrCorrupt
		}
		if c == ',' {
			break
		}
		text = append(text, byte(c))
	}
	if !strings.HasSuffix(strings.ToLower(string(text)), ";base64") {
		return ErrCorrupt
	}
	return nil
}

const (
	endOfString rune = -2 // the closing quote; an escaped one is '"'
	space       rune = -3 // a blank or tab
	newline     rune = -4 // line breaks, however many
	notASCII    rune = 0x80
)

// char returns the next character of the string, unescaped.
func (d *decoder) char() (rune, error) {
	s := d.s
	if s.pos == s.end || s.buf[s.pos] == '\\' && s.end-s.pos < maxEscape && s.err == nil {
		// The window is used up: hand over what it held before it is filled again.
		if err := d.flush(); err != nil {
			return 0, err
		}
		if !s.need(maxEscape) && s.pos == s.end {
			return 0, s.ended()
		}
	}
	d.at = s.offset()
	c := rune(s.buf[s.pos])
	switch c {
	case '"':
		d.closed = true
		s.pos++
		return endOfString, nil
	case '\\':
		var err error
		if c, err = s.escape(); err != nil || c == badEscape {
			return c, err
		}
	default:
		s.pos++
	}
	switch {
	case c == ' ' || c == '\t':
		return space, nil
	case !lineBreak(c):
		return min(c, notASCII), nil
	}
	for s.pos < s.end && lineBreak(rune(s.buf[s.pos])) {
		s.pos++
	}
	return newline, nil
}

func lineBreak(c rune) bool { return c == '\n' || c == '\r' }

// put adds a character to the unfinished group.
func (d *decoder) put(c rune) error {
	switch {
	case c == newline:
		return nil
	case c == space:
		d.blank = d.size > 0 || d.n > 0 || len(d.early) > 0 || d.have > 0 // else it leads
		return nil
	case c == endOfString:
		return d.last()
	case d.blank:
		return ErrCorrupt
	case c == '=' && d.have >= 2 && d.have+d.pads < 4:
		d.pads++
		return nil
	case c == '-' || c == '_':
		return ErrURLAlphabet
	case c < 0 || c >= notASCII || d.pads > 0 || sextet(byte(c)) == notBase64:
		return ErrCorrupt
	}
	d.add(byte(c))
	if d.have < 4 {
		return nil
	}
	return d.emit(3)
}

// add adds a character of the alphabet to the unfinished group.
func (d *decoder) add(c byte) {
	d.group = d.group<<6 | uint32(sextet(c))
	d.have++
}

// last decodes the group that the string ended in. Its padding may be missing.
func (d *decoder) last() error {
	switch d.have {
	case 0:
		return nil
	case 1:
		return ErrCorrupt
	}
	d.group <<= 6 * (4 - d.have)
	return d.emit(d.have - 1)
}

// emit stores the first count bytes of the group.
func (d *decoder) emit(count int) error {
	if len(d.dst)-d.n < count {
		if err := d.room(count); err != nil {
			return err
		}
	}
	b := [3]byte{byte(d.group >> 16), byte(d.group >> 8), byte(d.group)}
	d.n += copy(d.dst[d.n:], b[:count])
	d.group, d.have = 0, 0
	return nil
}

// room makes room for count more bytes.
func (d *decoder) room(count int) error {
	if d.w != nil {
		return d.flush()
	}
	grown := d.s.memory.grow(d.dst[:d.n], d.s.offset())
	if len(grown)-d.n < count {
		return ErrTooLarge
	}
	d.dst = grown
	return nil
}

// flush writes what the window held, if it goes to a writer.
func (d *decoder) flush() error {
	if d.w == nil || d.n == 0 {
		return nil
	}
	b := d.dst[:d.n]
	d.n = 0
	if short := d.size == 0 && len(d.early)+len(b) < d.s.opts.Min; short || len(d.early) > 0 {
		b = append(d.early, b...)
		if d.early = nil; short {
			d.early = b
			return nil
		}
	}
	n, err := d.w.Write(b)
	if n < 0 || n > len(b) {
		n, err = 0, errWriteCount
	}
	if n < len(b) && err == nil {
		err = io.ErrShortWrite
	}
	d.taken(b[:n])
	if err != nil {
		return &WriteError{Err: err}
	}
	return nil
}

// taken counts decoded bytes that reached their place.
func (d *decoder) taken(b []byte) {
	d.size += int64(len(b))
	d.head = append(d.head, b[:min(len(b), headSize-len(d.head))]...)
}

// finish settles the field, whose string ended with err, and returns the error that stops the scan, if any.
func (d *decoder) finish(err error) error {
	s := d.s
	var data []byte
	if d.w == nil {
		if d.absent = err == nil && d.n < s.opts.Min; d.absent {
			d.n = 0
		}
		d.taken(d.dst[:d.n])
		data = s.memory.done(d.dst, d.n)
	} else if unwritten := d.flush(); unwritten != nil {
		err = unwritten
	} else {
		d.absent = err == nil && d.size < int64(s.opts.Min)
	}
	if err != nil {
		data = nil
	}
	if d.size > 0 {
		if s.obj.Media == nil {
			s.obj.Media = map[string]Media{}
		}
		s.obj.Media[d.name] = Media{Data: data, Size: d.size, Head: d.head}
	}
	switch err.(type) { //nolint:errorlint // these come bare
	case nil:
		return nil
	case *WriteError:
		return &MediaError{Field: d.name, Offset: s.offset(), Size: d.size, Err: err}
	case *SyntaxError, *ReadError:
		return s.cutMedia(d.name, d.size, err)
	}
	s.blame(&MediaError{Field: d.name, Offset: d.at, Size: d.size, Err: err})
	if d.closed {
		return nil
	}
	return s.cutMedia(d.name, d.size, s.skipMedia())
}
