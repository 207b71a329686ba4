// The oracle: what Scan accepts, said again in terms of encoding/json and encoding/base64, slowly and for a body
// that is at hand as a whole.

package jsonmedia

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

type verdict int

const (
	fine     verdict = iota
	badMedia         // a media field is at fault, the object is not
	badBody
)

type oracle struct {
	rest        []byte
	top, nested map[string]string
	media       map[string]string
	given       map[string]bool
	faults      int
}

// consult reads body as Options{Fields: testFields, Media: testMedia, Nested: "result"} says. The answer is complete
// only if the verdict is not badBody.
func consult(body []byte) (*oracle, verdict) {
	o := &oracle{top: map[string]string{}, nested: map[string]string{}, media: map[string]string{}, given: map[string]bool{}}
	o.rest = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !o.object(o.top, true) || o.next() != 0 || len(o.rest) > 0 {
		return o, badBody
	}
	if o.faults > 0 {
		return o, badMedia
	}
	return o, fine
}

// next passes white space and returns the byte after it, 0 at the end.
func (o *oracle) next() byte {
	o.rest = bytes.TrimLeft(o.rest, " \t\r\n")
	if len(o.rest) == 0 {
		return 0
	}
	return o.rest[0]
}

func (o *oracle) pass(c byte) bool {
	if o.next() != c || len(o.rest) == 0 {
		return false
	}
	o.rest = o.rest[1:]
	return true
}

func (o *oracle) object(fields map[string]string, top bool) bool {
	if !o.pass('{') {
		return false
	}
	if o.pass('}') {
		return true
	}
	seen := map[string]bool{}
	for {
		var name string
		if o.next() != '"' || json.Unmarshal(o.value(), &name) != nil || !o.pass(':') {
			return false
		}
		if !o.member(name, fields, seen, top) {
			return false
		}
		if o.pass('}') {
			return true
		}
		if !o.pass(',') {
			return false
		}
	}
}

func (o *oracle) member(name string, fields map[string]string, seen map[string]bool, top bool) bool {
	isResult, isMedia, again := top && name == "result", slices.Contains(testMedia, name), seen[name]
	seen[name] = true
	c := o.next()
	switch {
	case isResult && again:
		return false
	case isResult && c == '{':
		return o.object(o.nested, false)
	}
	raw := o.value()
	if isMedia && c == '"' {
		return o.mediaString(name, raw)
	}
	room := maxDepth - 1
	if !top {
		room--
	}
	if !json.Valid(raw) || depth(raw) > room {
		return false
	}
	text := string(raw)
	switch {
	case isMedia && c != 'n':
		o.faults++
		o.given[name] = true
	case isMedia || !slices.Contains(testFields, name):
	case again || strings.IndexByte("{[tf", c) >= 0:
		fields[name] = odd
	case c == '"' && json.Unmarshal(raw, &text) != nil:
		return false
	case c != 'n':
		fields[name] = text
	}
	return true
}

// value cuts off the text that would be the next value, whether or not it is valid.
func (o *oracle) value() []byte {
	switch o.next() {
	case '"':
		return o.cut(quotedLen(o.rest))
	case '{', '[':
		open := 0
		for i := 0; i < len(o.rest); i++ {
			switch o.rest[i] {
			case '"':
				i += quotedLen(o.rest[i:]) - 1
			case '{', '[':
				open++
			case '}', ']':
				if open--; open == 0 {
					return o.cut(i + 1)
				}
			}
		}
		return o.cut(len(o.rest))
	}
	n := bytes.IndexAny(o.rest, ",]} \t\r\n")
	if n < 0 {
		n = len(o.rest)
	}
	return o.cut(n)
}

func (o *oracle) cut(n int) []byte {
	v := o.rest[:n]
	o.rest = o.rest[n:]
	return v
}

// quotedLen is the length of the string at the start of b: a backslash takes the byte after it along.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func depth(raw []byte) int {
	now, most := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			i += quotedLen(raw[i:]) - 1
		case '{', '[':
			now++
			most = max(most, now)
		case '}', ']':
			now--
		}
	}
	return most
}

var blanks = strings.NewReplacer(" ", "", "\t", "")

var dataURL = regexp.MustCompile(`(?i)^data:([!-+\--~]*,)?`)

// mediaString judges a media string, quotes included; it reports whether the string is closed.
func (o *oracle) mediaString(name string, raw []byte) bool {
	if len(raw) < 2 || quotedLen(append(bytes.Clone(raw), '"')) != len(raw) {
		return false
	}
	if string(raw) == `""` {
		return true
	}
	if data, ok := decodeMedia(raw); !ok || o.given[name] {
		o.faults++
	} else if len(data) > 0 {
		o.media[name] = string(data)
	}
	o.given[name] = true
	return true
}

func decodeMedia(raw []byte) (data []byte, ok bool) {
	// Raw white space is what JSON would refuse; all else is for encoding/json to unescape.
	var text string
	breaks := strings.NewReplacer("\r", "", "\n", "")
	bare := strings.ReplaceAll(breaks.Replace(string(raw)), "\t", `\t`)
	if inEscape.Match(raw) || !utf8.ValidString(bare) || json.Unmarshal([]byte(bare), &text) != nil {
		return nil, false
	}
	text = strings.Trim(breaks.Replace(text), " \t")
	if comma := strings.IndexByte(text, ','); comma >= 0 { // white space in the head of a data URL does no harm
		text = text[:min(5, comma)] + blanks.Replace(text[min(5, comma):comma]) + "," + strings.TrimLeft(text[comma+1:], " \t")
	}
	if head := dataURL.FindString(text); head != "" {
		if !strings.HasSuffix(strings.ToLower(head), ";base64,") || len(head) > maxPrefix+1 {
			return nil, false
		}
		text = text[len(head):]
	}
	digits := strings.TrimRight(text, "=")
	if len(digits)%4 == 1 || len(text)-len(digits) > (4-len(digits)%4)%4 { // padding may be short, never long
		return nil, false
	}
	data, err := base64.RawStdEncoding.DecodeString(digits)
	return data, err == nil
}

// White space inside an escape sequence spoils it; taking the white space out must not mend it.
var inEscape = regexp.MustCompile(`^([^\\]|\\[^u]|\\u[^\r\n\t]{4})*(\\[\r\n\t]|\\u[^\r\n\t]{0,3}[\r\n\t])`)

var seeds = []string{
	``, `{}`, `[]`, cutBody, "\ufeff{}", "\xef\xbb{}", `{"code":"0","msg":"ok","photo":"QUJD","video":"QUI="}`,
	`{"code":0,"result":{"orderNo":"a","photo":"data:image/png;base64,QUJD\/w==","video":null},"order_no":"b"}`,
	"{\"photo\":\"QU\r\nJD\\n\\u0051\\u003D\",\"code\":-1.5E+3}", `{"photo":"QUJD","result":{"photo":"QUJD"}}`,
	`{"photo":"Q!JD\"","code":"0"}`, `{"photo":"-_","video":5}`, `{"code":"0","code":"0"}`, `{"result":{},"result":null}`,
	`{"msg":"\ud83d\ude00\ud83d\n","a":[{"b":[[]]},true,false,null,1e5]}`, "{\"msg\":\"\xff\xe4\xb8\"}", `{"photo":"QQ=Q"}`,
	`{"photo":"data:text/plain,QUJD"}`, `{"photo":"dat"}`, `{"photo":"QUJD====","code":1}`, `{"photo":"QQ==QQ=="}`, `{"a":01}`,
	`{"photo":"QU\u004`, `{"photo":"\`, `{"a":tru`, `{"a":-}`, `{"a":"\u12"}`, `{"a"` + strings.Repeat(`:[`, 40),
}

func FuzzScan(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), uint8(i), uint8(3*i))
	}
	f.Fuzz(check)
}

// check compares Scan, to writers and to memory, through windows of any size, with the oracle.
func check(t *testing.T, body []byte, size, chunk uint8) {
	if len(body) > maxSmall {
		return // may have a wanted field over its limit, which the oracle does not know
	}
	want, v := consult(body)
	whole, small := bytes.NewReader, through(maxEscape+int(size))
	inChunks := func() io.Reader { return &chunks{r: whole(body), n: int(chunk)} }
	results := []outcome{
		scanToWriters(t, whole(body), Scan),
		scanToWriters(t, inChunks(), small),
		scanToMemory(whole(body), int64(len(body)), Scan),
		scanToMemory(inChunks(), -1, small),
	}
	for _, got := range results {
		require.Equal(t, results[0].public(), got.public())
		var media *MediaError
		switch v {
		case fine:
			require.NoError(t, got.err)
		case badMedia:
			require.ErrorAs(t, got.err, &media)
			require.NotErrorIs(t, got.err, io.ErrUnexpectedEOF)
		case badBody:
			require.Error(t, got.err)
			var syntax *SyntaxError
			require.True(t, errors.As(got.err, &syntax) || errors.Is(got.err, io.ErrUnexpectedEOF), got.Err)
			continue
		}
		require.Equal(t, want.top, got.Top)
		require.Equal(t, want.nested, got.Nested)
		for _, name := range testMedia {
			data, ok := want.media[name]
			if v == fine {
				_, there := got.Media[name]
				require.Equal(t, ok, there)
			}
			if ok && got.Media[name].Data != "" { // memory keeps a failed field back
				require.Equal(t, data, got.Media[name].Data)
			}
			if ok {
				require.Equal(t, int64(len(data)), got.Media[name].Size)
				require.Equal(t, data[:min(len(data), headSize)], got.Media[name].Head)
			}
		}
	}
}
