// How a reply is written: the forms that the vendor documents, that integrators recorded, and that are not ruled out.

package livetest

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Style selects the form of the replies; its fields combine. The zero value is the documented form: flat, strings, plain
// Base64.
type Style struct {
	Nested  bool // getLiveResult puts its fields under "result", beside a "success" that is always false
	Numbers bool // code and expire_in are numbers; token and ticket replies carry bizSeqNo and success, as recorded in 2024
	// AltNames writes order_no and appId where the documented form has orderNo and app_id, and the other way round.
	AltNames   bool
	Unknown    bool // unknown fields before and after, nested ones with familiar names among them
	Blanks     bool // getLiveResult writes null or "" for photo, video and liveRate instead of leaving them out
	MediaFirst bool // photo and video come before the code
	Chunked    bool // no Content-Length
	Mark       bool // a UTF-8 byte order mark before the JSON, which many decoders refuse

	Escaped    bool // \/ and \u002b and \u003d inside the Base64
	Wrapped    bool // a line break after 76 characters of Base64, as the JSON escape \r\n
	RawWrapped bool // the same as raw CR LF bytes, which is not valid JSON
	DataPrefix bool // data:image/jpeg;base64, before the Base64
	Unpadded   bool // no = at the end of the Base64
}

// NamedStyle is a Style for a table of tests.
type NamedStyle struct {
	Name string
	Style
}

// Styles returns every single deviation but Mark, and the combinations worth a test. Only those with RawWrapped are not
// valid JSON.
func Styles() []NamedStyle {
	return []NamedStyle{
		{"documented", Style{}},
		{"nested", Style{Nested: true}},
		{"numbers", Style{Numbers: true}},
		{"other names", Style{AltNames: true}},
		{"unknown fields", Style{Unknown: true}},
		{"blanks", Style{Blanks: true}},
		{"media first", Style{MediaFirst: true}},
		{"chunked", Style{Chunked: true}},
		{"escaped", Style{Escaped: true}},
		{"wrapped", Style{Wrapped: true}},
		{"raw line breaks", Style{RawWrapped: true}},
		{"data prefix", Style{DataPrefix: true}},
		{"unpadded", Style{Unpadded: true}},
		{"nested, media first", Style{Nested: true, MediaFirst: true}},
		{"nested, other names, unknown fields", Style{Nested: true, AltNames: true, Unknown: true}},
		{"escaped data prefix, wrapped, unpadded", Style{Escaped: true, DataPrefix: true, Wrapped: true, Unpadded: true}},
		{"everything that is valid JSON", Style{
			Nested: true, Numbers: true, AltNames: true, Unknown: true, Blanks: true, MediaFirst: true, Chunked: true,
			Escaped: true, Wrapped: true, DataPrefix: true, Unpadded: true,
		}},
	}
}

// The shapes of a reply. An object keeps its order; media is written as a Base64 string without building that string.
type (
	object []field
	field  struct {
		name  string
		value any
	}
	list  []object
	media []byte
)

func (s Style) number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); s.Numbers && err == nil && strconv.FormatInt(n, 10) == text {
		return json.Number(text)
	}
	return text
}

// names returns what the order number and the app ID are called.
func (s Style) names() (orderNo, appID string) {
	if s.AltNames {
		return "order_no", "appId"
	}
	return "orderNo", "app_id"
}

// withMedia joins a reply's other fields and the one that holds the media, or the media themselves.
func (s Style) withMedia(rest, media object) object {
	if s.MediaFirst {
		return slices.Concat(media, rest)
	}
	return slices.Concat(rest, media)
}

// decorate adds the fields that no page mentions. Their familiar names sit one level too deep to mean anything.
func (s Style) decorate(o object) object {
	if !s.Unknown {
		return o
	}
	decoy := object{
		{"code", "-1"}, {"photo", "ZGVjb3k="}, {"video", nil}, {"access_token", "decoy"}, {"orderNo", 7},
		{"list", []any{"a \"quoted\" \\ text", []any{1, -2.5e3, true, nil}, map[string]any{}}},
	}
	decorated := object{{"traceInfo", decoy}, {"serverNode", nil}}
	decorated = append(decorated, o...)
	return append(decorated, field{"tags", []any{"\u4f60\u597d", map[string]any{"video": "ZGVjb3k="}}}, field{"cost", 12.5})
}

// write writes o as JSON.
func (s Style) write(w io.Writer, o object) error {
	b := bufio.NewWriter(w)
	if s.Mark {
		b.WriteString("\ufeff")
	}
	s.object(b, o)
	return b.Flush()
}

func (s Style) object(b *bufio.Writer, o object) {
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(f.name))
		b.WriteByte(':')
		switch v := f.value.(type) {
		case object:
			s.object(b, v)
		case list: // the vendor's lists have one element
			b.WriteByte('[')
			for _, o := range v {
				s.object(b, o)
			}
			b.WriteByte(']')
		case media:
			s.media(b, v)
		default:
			text, _ := json.Marshal(v) // strings, numbers and lists of them cannot fail
			b.Write(text)
		}
	}
	b.WriteByte('}')
}

// media writes m as a string. Every form must decode to the same bytes.
func (s Style) media(b *bufio.Writer, m media) {
	const line = 57 // bytes that make 76 characters
	escape := func(text []byte) []byte { return text }
	if s.Escaped {
		r := strings.NewReplacer("/", `\/`, "+", `\u002b`, "=", `\u003d`)
		escape = func(text []byte) []byte { return []byte(r.Replace(string(text))) }
	}
	encoding, step, end := base64.StdEncoding, 512*line, ""
	if s.Unpadded {
		encoding = base64.RawStdEncoding
	}
	if s.Wrapped {
		step, end = line, `\r\n`
	}
	if s.RawWrapped {
		step, end = line, "\r\n"
	}

	b.WriteByte('"')
	if s.DataPrefix {
		kind, _, _ := strings.Cut(http.DetectContentType(m), ";")
		b.Write(escape([]byte("data:" + kind + ";base64,")))
	}
	text := make([]byte, 0, encoding.EncodedLen(step))
	for len(m) > 0 {
		n := min(step, len(m))
		text = encoding.AppendEncode(text[:0], m[:n])
		m = m[n:]
		if _, err := b.Write(escape(text)); err != nil {
			return // the client left: do not encode the rest of a long video
		}
		if len(m) > 0 {
			b.WriteString(end)
		}
	}
	b.WriteByte('"')
}
