// The values: strings, numbers, literals, checked as strictly as encoding/json does and kept only as far as wanted.

package jsonmedia

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// token passes white space and returns the byte that follows, not passing it.
func (s *scanner) token() (byte, error) {
	for s.need(1) {
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return c, nil
		}
	}
	return 0, s.ended()
}

func (s *scanner) syntax(msg string) error {
	return &SyntaxError{Offset: s.offset(), Msg: msg}
}

// skip checks and passes the value that starts with c.
func (s *scanner) skip(c byte) error {
	var err error
	switch c {
	case '{':
		err = s.object(false, func(string) error {
			c, err := s.token()
			if err != nil {
				return err
			}
			return s.skip(c)
		})
	case '[':
		err = s.array(nil)
	case '"':
		_, err = s.quoted(0)
	case 't', 'f', 'n':
		err = s.literal(c)
	default:
		_, err = s.number(0)
	}
	return err
}

// value is the text that quoted, number or literal left. Each byte that is not UTF-8 becomes U+FFFD, as in
// encoding/json.
func (s *scanner) value() string {
	if utf8.Valid(s.text) {
		return string(s.text)
	}
	return string([]rune(string(s.text)))
}

// keep appends b to text and reports whether that would make it longer than limit.
func (s *scanner) keep(limit int, b ...byte) bool {
	if len(s.text)+len(b) > limit {
		return true
	}
	s.text = append(s.text, b...)
	return false
}

// quoted reads the string that starts here. It leaves the unescaped text in s.text, unless it is longer than limit,
// which it reports.
func (s *scanner) quoted(limit int) (long bool, err error) {
	s.pos++
	s.text = s.text[:0]
	for {
		run := s.unread()
		run = run[:plain(run)]
		long = long || s.keep(limit, run...)
		s.pos += len(run)
		if !s.need(1) {
			return false, s.ended()
		}
		switch c := s.buf[s.pos]; {
		case c == '"':
			s.pos++
			return long, nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return false, err
			}
			if r == badEscape {
				return false, s.syntax("invalid escape in a string")
			}
			var b [utf8.UTFMax]byte
			long = long || s.keep(limit, b[:utf8.EncodeRune(b[:], r)]...)
		case c < ' ':
			return false, s.syntax("raw control character in a string")
		}
	}
}

const badEscape rune = -1

// escape reads the escape sequence that starts here, a surrogate pair as one. It returns badEscape, and passes
// nothing, if there is no such sequence.
func (s *scanner) escape() (rune, error) {
	if !s.need(2) {
		return 0, s.ended()
	}
	c := s.buf[s.pos+1]
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case '"', '\\', '/':
	case 'u':
		return s.escapeU()
	default:
		return badEscape, nil
	}
	s.pos += 2
	return rune(c), nil
}

func (s *scanner) escapeU() (rune, error) {
	// Digit by digit, so that a wrong one is told from the end of the input whatever the windows.
	for i := 2; i < 6; i++ {
		if !s.need(i + 1) {
			return 0, s.ended()
		}
		if hex(s.buf[s.pos+i]) < 0 {
			return badEscape, nil
		}
	}
	r := hex4(s.buf[s.pos+2:])
	s.pos += 6
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if s.need(6) && s.buf[s.pos] == '\\' && s.buf[s.pos+1] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s.buf[s.pos+2:])); pair != utf8.RuneError {
			s.pos += 6
			return pair, nil
		}
	}
	return utf8.RuneError, nil // half a pair
}

// hex4 reads four hexadecimal digits; it returns badEscape if they are not.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		v := hex(c)
		if v < 0 {
			return badEscape
		}
		r = r<<4 | v
	}
	return r
}

func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// literal reads true, false or null by its first letter.
func (s *scanner) literal(first byte) error {
	word := "null"
	switch first {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	for i := range len(word) {
		if !s.need(1) {
			return s.ended()
		}
		if s.buf[s.pos] != word[i] {
			return s.syntax("value expected")
		}
		s.pos++
	}
	s.text = append(s.text[:0], word...)
	return nil
}

// number reads the number that should start here. It leaves it in s.text as written, unless it is longer than
// limit, which it reports.
func (s *scanner) number(limit int) (long bool, err error) {
	s.text = s.text[:0]
	// next passes one byte if it is among set.
	next := func(set string) bool {
		if !s.need(1) {
			return false
		}
		c := s.buf[s.pos]
		for i := range len(set) {
			if c == set[i] {
				long = long || s.keep(limit, c)
				s.pos++
				return true
			}
		}
		return false
	}
	// digits passes at least one digit.
	digits := func() bool {
		found := false
		for next("0123456789") {
			found = true
		}
		return found
	}
	negative := next("-")
	ok := next("0") || digits()
	if !ok && !negative && s.need(1) {
		return false, s.syntax("value expected")
	}
	if ok && next(".") {
		ok = digits()
	}
	if ok && next("eE") {
		next("+-")
		ok = digits()
	}
	if !ok {
		if !s.need(1) {
			return false, s.ended()
		}
		return false, s.syntax("invalid number")
	}
	return long, nil
}

// plain returns how many bytes at the start of b are neither a quote, nor a backslash, nor a control character.
// Strings that are passed over may be as large as media, so it looks at eight bytes at a time: in each word for a byte less
// than 0x20, and for a zero byte after xor with the character sought.
func plain(b []byte) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^'"'*ones, x^'\\'*ones
		if ((x-0x20*ones)&^x|(quote-ones)&^quote|(slash-ones)&^slash)&highs != 0 {
			break
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}
