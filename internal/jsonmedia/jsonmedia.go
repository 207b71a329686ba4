// Package jsonmedia reads one JSON object from a stream, hands its small fields over as values and decodes its
// Base64 fields on the way, into writers or into memory of the right size.
//
// It exists because a reply that carries a video as Base64 inside JSON costs encoding/json five times its size in
// memory and ten times the work. Memory here is one fixed window plus, for fields asked for in memory, the decoded
// bytes themselves.
//
// What is accepted is JSON as encoding/json accepts it, with these differences:
//
//   - field names match exactly, upper and lower case included;
//   - nothing is nested deeper than 32, only white space follows the object, and a UTF-8 byte order mark may precede it;
//   - a wanted field that is neither a string, a number nor null, that is longer than 4 KiB, or that is given twice is
//     marked as unreadable ([Value.Odd]); whether that matters is for the reader of the reply to say;
//   - inside a media string CR and LF are ignored, raw or escaped, as is white space around the text and a leading
//     "data:…;base64,"; the padding may be missing. A blank or tab inside is a + that was lost on the way: an error.
package jsonmedia

import "io"

// Options says what to take out of the object. The names in Fields and Media and the name Nested must be distinct
// and not empty. Options are only read, so one value may serve many calls at once when its Media map does.
type Options struct {
	// Fields names the small scalar fields to hand over, from the top level and from Nested.
	// Every other field is checked and skipped, whatever its size, and never stored.
	Fields []string

	// Media names the Base64 fields, at the top level or inside Nested, and says where each goes.
	Media map[string]Sink

	// Nested names the one object that is looked into besides the top level. Null and an empty string count as
	// absent; any other value is not looked into and reported by Object.NestedOdd. Given twice it is an error.
	Nested string

	// First says that Nested is an array, and that the object looked into is its first element.
	First bool

	// Length is the length of the body where it is known (Content-Length), else 0 or less.
	// It only helps to take the right amount of memory; a wrong one does no harm.
	Length int64

	// Limit is the largest decoded size that a field may have in memory; 0 or less for none. The length of the
	// body is the reader's to bound: its error passes through.
	Limit int64

	// Min is the smallest decoded size of a media field that is one; a field that decodes to fewer bytes counts as
	// absent, and nothing of it reaches its writer.
	Min int
}

// A Sink is where a media field goes. The zero Sink skips the field.
type Sink struct {
	w      io.Writer
	memory bool
}

// ToMemory collects the decoded bytes in [Media.Data].
func ToMemory() Sink { return Sink{memory: true} }

// ToWriter streams the decoded bytes into w: one Write for each window of input, never an empty one. Bytes may be
// written before an error in the rest of the body is known. ToWriter(nil) is Skip.
func ToWriter(w io.Writer) Sink { return Sink{w: w} }

// Skip passes over a field that was not asked for, without decoding or judging it. It differs from leaving the field out of
// Media: raw line breaks are accepted in it.
func Skip() Sink { return Sink{} }

func (k Sink) skipped() bool { return k.w == nil && !k.memory }

// Object is what Scan found. Fields that are absent or null have no entry.
type Object struct {
	Top, Nested Values

	// NestedOdd says that the value of Options.Nested could not be looked into.
	NestedOdd bool

	// Media has an entry for each media field of which at least one byte was decoded.
	Media map[string]Media
}

// Values are the small fields of one level, each name once. They are few: a list is faster than a map.
type Values []Value

// Value is one small field: a string unescaped, or a number as written. It is odd, and has no text, when the field is of
// another type, longer than 4 KiB, or given twice.
type Value struct {
	Name, Text string
	Odd        bool
}

// Lookup returns the field called name, the zero Value if there is none.
func (v Values) Lookup(name string) Value {
	for _, field := range v {
		if field.Name == name {
			return field
		}
	}
	return Value{}
}

// Get returns the text of the field called name, "" if there is none.
func (v Values) Get(name string) string { return v.Lookup(name).Text }

// Media is one decoded field.
type Media struct {
	// Data holds the decoded bytes of a field that went to memory; nil when the field failed. The caller owns it.
	// Two large fields may share one allocation, but never overlap.
	Data []byte

	// Size counts the decoded bytes: those of Data, or those that the writer took, also when the field failed.
	Size int64

	// Head is a copy of the first decoded bytes, at most 64, by which a content type can be told: see Kind.
	Head []byte
}

// Scan reads exactly one JSON object from r, up to the end of r, so that a connection behind it can be used again.
//
// The Object is never nil and holds what was read before an error. The error is one of these:
//
//   - *SyntaxError: the body is not the one JSON object it should be. Nothing after Offset was read.
//     A body that ends too early matches io.ErrUnexpectedEOF.
//   - *ReadError: r failed; wraps its error.
//   - *MediaError: a media field cannot be used. When its cause is one of ErrCorrupt, ErrURLAlphabet, ErrNotString,
//     ErrTwice and ErrTooLarge, the rest of the object was read nevertheless and is in order; if more than one
//     field is at fault, it is the first. These stop at once: when the body ended inside the field it matches
//     io.ErrUnexpectedEOF, when r failed there it wraps *ReadError, when the writer failed *WriteError.
//
// No error text holds anything of the body; fields are named only when Options names them.
// Scan may be called from many goroutines at once.
func Scan(r io.Reader, o Options) (*Object, error) {
	w := windows.Get().(*window)
	defer windows.Put(w)
	return scan(r, o, w.in[:], w.out[:], w.text[:0])
}

// scan reads through the window in, of any size that holds an escape sequence, and decodes into out, which is larger
// by slack. Tests use windows so small that everything is cut by their ends. Small texts are built in text.
func scan(r io.Reader, o Options, in, out, text []byte) (*Object, error) {
	s := scanner{
		input:  input{r: r, buf: in},
		out:    out,
		text:   text,
		opts:   &o,
		memory: memory{length: o.Length, limit: o.Limit},
		obj:    &Object{Top: make(Values, 0, len(o.Fields))},
	}
	err := s.body()
	if err == nil && s.fault != nil {
		err = s.fault
	}
	return s.obj, err
}
