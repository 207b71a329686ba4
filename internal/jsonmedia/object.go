// The walk over the object: which members are wanted, and what to do with each.

package jsonmedia

import (
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

const (
	maxDepth = 32
	maxSmall = 4 << 10 // bytes of a wanted small field

	byteOrderMark = "\ufeff"
)

type scanner struct {
	input
	out    []byte // decoded bytes on their way to a writer
	opts   *Options
	memory memory
	obj    *Object
	given  []string    // media fields that had a value, at either level
	fault  *MediaError // the first that did not stop the scan
	depth  int
	text   []byte // the last string, number or name
}

// body reads the whole input: a byte order mark perhaps, the object, white space.
func (s *scanner) body() error {
	for i := 0; i < len(byteOrderMark) && s.need(1); i++ {
		if s.buf[s.pos] != byteOrderMark[i] {
			if i > 0 {
				return s.syntax("not an object")
			}
			break
		}
		s.pos++
	}
	c, err := s.token()
	if err != nil {
		return err
	}
	if c != '{' {
		return s.syntax("not an object")
	}
	if err := s.level(&s.obj.Top, true); err != nil {
		return err
	}
	if _, err := s.token(); err == nil {
		return s.syntax("data after the object")
	} else if s.err != io.EOF { //nolint:errorlint // see ended
		return err
	}
	return nil
}

// level reads the members of the top level or of the nested object.
func (s *scanner) level(fields *Values, top bool) error {
	var room [16]string
	seen := room[:0] // null counts
	return s.object(true, func(name string) error {
		c, err := s.token()
		if err != nil {
			return err
		}
		if name == "" || name == s.opts.Nested && !top {
			return s.skip(c)
		}
		if sink, ok := s.opts.Media[name]; ok {
			return s.media(name, sink, c)
		}
		again := slices.Contains(seen, name)
		seen = append(seen, name)
		switch {
		case name != s.opts.Nested && again:
			fields.spoil(name)
			return s.skip(c)
		case name != s.opts.Nested:
			return s.field(fields, name, c)
		case again:
			return &SyntaxError{Offset: s.offset(), Field: name, Msg: "given twice"}
		case c == '{' && !s.opts.First:
			return s.level(&s.obj.Nested, false)
		case c == '[' && s.opts.First:
			return s.array(&s.obj.Nested)
		}
		at := s.offset()
		if err := s.skip(c); err != nil {
			return err
		}
		s.obj.NestedOdd = c != 'n' && (c != '"' || s.offset() > at+2)
		return nil
	})
}

// object reads the object that starts here. It calls member for each member with the reader at the value and with
// the name if it is one that Options lists, else "". Unless named, names are checked but not looked up.
func (s *scanner) object(named bool, member func(name string) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	c, err := s.token()
	if err != nil {
		return err
	}
	for first := true; !first || c != '}'; first = false {
		if c != '"' {
			return s.syntax("field name expected")
		}
		name, err := s.name(named)
		if err != nil {
			return err
		}
		if c, err = s.token(); err != nil {
			return err
		}
		if c != ':' {
			return s.syntax("colon expected")
		}
		s.pos++
		if err := member(name); err != nil {
			return err
		}
		more, err := s.more('}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if c, err = s.token(); err != nil {
			return err
		}
	}
	s.leave()
	return nil
}

// array reads and checks the array that starts here. The first element is looked into when first is not nil.
func (s *scanner) array(first *Values) error {
	if err := s.enter(); err != nil {
		return err
	}
	c, err := s.token()
	if err != nil {
		return err
	}
	for more := c != ']'; more; {
		if c, err = s.token(); err != nil {
			return err
		}
		if first != nil && c == '{' {
			err = s.level(first, false)
		} else {
			err = s.skip(c)
		}
		if err != nil {
			return err
		}
		first = nil
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	s.leave()
	return nil
}

// enter passes the opening bracket; the limit keeps hostile nesting off the stack.
func (s *scanner) enter() error {
	if s.depth == maxDepth {
		return s.syntax(fmt.Sprintf("nested deeper than %d", maxDepth))
	}
	s.depth++
	s.pos++
	return nil
}

// leave passes the closing bracket.
func (s *scanner) leave() {
	s.depth--
	s.pos++
}

// more passes a comma, or stops before the closing bracket.
func (s *scanner) more(closing byte) (bool, error) {
	c, err := s.token()
	switch {
	case err != nil:
		return false, err
	case c == ',':
		s.pos++
		return true, nil
	case c != closing:
		return false, s.syntax("comma or closing bracket expected")
	}
	return false, nil
}

// name reads the field name that starts here and returns it if Options lists it, else "".
func (s *scanner) name(wanted bool) (string, error) {
	limit := 0
	if wanted {
		limit = maxSmall
	}
	long, err := s.quoted(limit)
	if err != nil || long || !wanted {
		return "", err
	}
	text := s.text
	if !utf8.Valid(text) {
		text = []byte(s.value())
	}
	// string(text) in a comparison or a look-up allocates nothing.
	if string(text) == s.opts.Nested {
		return s.opts.Nested, nil
	}
	if _, ok := s.opts.Media[string(text)]; ok {
		return string(text), nil
	}
	for _, f := range s.opts.Fields {
		if string(text) == f {
			return f, nil
		}
	}
	return "", nil
}

// field stores the wanted value that starts with c.
func (s *scanner) field(fields *Values, name string, c byte) error {
	var odd bool
	var err error
	switch c {
	case '{', '[', 't', 'f':
		odd, err = true, s.skip(c)
	case 'n':
		return s.literal(c)
	case '"':
		odd, err = s.quoted(maxSmall)
	default:
		odd, err = s.number(maxSmall)
	}
	switch {
	case err != nil:
		return err
	case odd:
		fields.spoil(name)
	default:
		*fields = append(*fields, Value{Name: name, Text: s.value()})
	}
	return nil
}

// spoil marks the field called name as unreadable.
func (v *Values) spoil(name string) {
	*v = append(slices.DeleteFunc(*v, func(field Value) bool { return field.Name == name }), Value{Name: name, Odd: true})
}

// media reads the value of a media field, which starts with c.
func (s *scanner) media(name string, sink Sink, c byte) error {
	switch {
	case c == 'n' || sink.skipped() && c != '"':
		return s.skip(c)
	case sink.skipped():
		s.pos++
		return s.skipMedia()
	case c != '"':
		s.given = append(s.given, name)
		s.blame(&MediaError{Field: name, Offset: s.offset(), Err: ErrNotString})
		return s.skip(c)
	}
	at := s.offset()
	s.pos++
	if !s.need(1) {
		return s.cutMedia(name, 0, s.ended())
	}
	if s.buf[s.pos] == '"' { // empty counts as absent
		s.pos++
		return nil
	}
	if slices.Contains(s.given, name) {
		err := s.cutMedia(name, 0, s.skipMedia())
		if s.offset()-at > int64(s.opts.Min)+2 { // else it is too short to be one
			s.blame(&MediaError{Field: name, Offset: at, Err: ErrTwice})
		}
		return err
	}
	s.given = append(s.given, name)
	d := decoder{s: s, name: name, w: sink.w, dst: s.out}
	err := d.run()
	if d.absent {
		s.given = s.given[:len(s.given)-1]
	}
	return err
}

// skipMedia passes the rest of a media string, whatever it holds, up to its closing quote.
func (s *scanner) skipMedia() error {
	for {
		s.pos += plain(s.unread())
		if !s.need(1) {
			return s.ended()
		}
		switch s.buf[s.pos] {
		case '"':
			s.pos++
			return nil
		case '\\':
			if !s.need(2) {
				return s.ended()
			}
			s.pos += 2
		default:
			s.pos++
		}
	}
}

// blame notes a fault that spoils a media field but not the object. The first is the one reported.
func (s *scanner) blame(e *MediaError) {
	if s.fault == nil {
		s.fault = e
	}
}

// cutMedia turns the end of the input inside a media string into an error that names the field.
func (s *scanner) cutMedia(name string, size int64, err error) error {
	if err == nil {
		return nil
	}
	if cut, ok := err.(*SyntaxError); ok { //nolint:errorlint // from ended, bare
		err = cut.Err
	}
	return &MediaError{Field: name, Offset: s.base + int64(s.end), Size: size, Err: err}
}
