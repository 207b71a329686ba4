// The rules for media strings.

package jsonmedia

import (
	"bytes"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScan_DecodesMediaStrings(t *testing.T) {
	t.Parallel()
	const abc = "\xfb\xff\xbfABCD" // +/+/QUJDRA==
	tests := map[string]struct{ text, want string }{
		"plain":                                  {`+/+/QUJDRA==`, abc},
		"padding missing":                        {`+/+/QUJDRA`, abc},
		"padding half missing":                   {`+/+/QUJDRA=`, abc},
		"padding of one":                         {`QUI=`, "AB"},
		"padding of one missing":                 {`QUI`, "AB"},
		"escaped slash":                          {`+\/+\/QUJDRA==`, abc},
		"escaped by number":                      {`\u002b\u002F\u002B\u002f\u0051UJDR\u0041\u003D\u003d`, abc},
		"escaped line breaks":                    {`+/\n+/QU\r\nJDRA\n==\n`, abc},
		"raw line breaks":                        {"+/\n+/QU\r\nJDRA\r=\n=\r\n", abc},
		"white space around":                     {" \\n\t+/+/QUJDRA==\\u0020\r\n\\t ", abc},
		"white space behind missing padding":     {"+/+/QUJDRA \n", abc},
		"white space behind a data URL":          {"data:image/png;base64, +/+/QUJDRA== ", abc},
		"escaped line breaks by number":          {`+/\u000a+/QU\u000D\u000AJDRA==`, abc},
		"nothing but white space":                {"\r\n \\n", ""},
		"a data URL":                             {`data:image/png;base64,+/+/QUJDRA==`, abc},
		"a data URL without a type":              {`data:;base64,+/+/QUJDRA==`, abc},
		"a data URL with parameters":             {`data:video/mp4;codecs=\"avc1\";base64,+/+/QUJDRA`, abc},
		"a data URL in capitals":                 {`DATA:IMAGE/PNG;BASE64,+/+/QUJDRA==`, abc},
		"a data URL with escapes":                {`\u0064ata\u003aimage\/png;base64\u002c+/+/QUJDRA==`, abc},
		"a data URL with line breaks":            {"\nda\\nta:image/png;\r\nbase64,\n+/+/QUJDRA==", abc},
		"a data URL without data":                {`data:image/png;base64,`, ""},
		"Base64 that begins like a data URL":     {`data`, "u\xabZ"},
		"Base64 that begins less like one":       {`datQUJD`, "u\xabP\x50\x90"},
		"Base64 that is shorter than the scheme": {`dat=`, "u\xab"},
		"bits after the end":                     {`QUJDRB==`, "ABCD"},
		"empty":                                  {``, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{
				`{"photo":"` + tt.text + `","code":"0"}`,
				`{"result":{"video":null,"photo":"` + tt.text + `"},"code":"0"}`,
			} {
				got := scanEvery(t, body)
				require.NoError(t, got.err)
				assert.Equal(t, "0", got.Top["code"])
				assert.Equal(t, tt.want, got.Media["photo"].Data)
				assert.Equal(t, tt.want, got.Media["photo"].Head)
				assert.Equal(t, int64(len(tt.want)), got.Media["photo"].Size)
				_, there := got.Media["photo"]
				assert.Equal(t, tt.want != "", there)
			}
		})
	}
}

func TestScan_RefusesCorruptMedia(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("QUJD", 30)
	tests := map[string]struct {
		value  string
		err    error
		offset int64 // in value
		size   int64
	}{
		"a character outside the alphabet":   {`"QUJDQ!JD"`, ErrCorrupt, 6, 3},
		"one in the middle of a long run":    {`"` + long + `Q*JD` + long + `"`, ErrCorrupt, 122, 90},
		"a byte that is not ASCII":           {`"QUJDé"`, ErrCorrupt, 5, 3},
		"a character that is not ASCII":      {`"QUJD\u0441"`, ErrCorrupt, 5, 3},
		"half a surrogate pair":              {`"QUJD\ud83d"`, ErrCorrupt, 5, 3},
		"an escaped quote":                   {`"QUJD\"QUJD"`, ErrCorrupt, 5, 3},
		"an escaped backslash":               {`"QUJD\\"`, ErrCorrupt, 5, 3},
		"an escape that is no white space":   {`"QUJD\bQUJD"`, ErrCorrupt, 5, 3},
		"an invalid escape":                  {`"QUJD\qQUJD"`, ErrCorrupt, 5, 3},
		"an invalid escape before the quote": {`"QUJD\u0"`, ErrCorrupt, 5, 3},
		"a raw control character":            {"\"QUJD\x00QUJD\"", ErrCorrupt, 5, 3},
		"the URL-safe minus":                 {`"QUJD-w=="`, ErrURLAlphabet, 5, 3},
		"the URL-safe underscore, escaped":   {`"QUJDQ\u005f=="`, ErrURLAlphabet, 6, 3},
		"a blank":                            {`"QUJDQ JD"`, ErrCorrupt, 7, 3},
		"a blank between groups":             {`"QUJD QUJD"`, ErrCorrupt, 6, 3},
		"a tab":                              {"\"QUJDQ\tJD\"", ErrCorrupt, 7, 3},
		"an escaped tab":                     {`"QUJDQ\tJD"`, ErrCorrupt, 8, 3},
		"an escaped blank":                   {`"QUJDQ\u0020JD"`, ErrCorrupt, 12, 3},
		"a blank in the middle of long runs": {`"` + long + ` ` + long + `"`, ErrCorrupt, 122, 90},
		"one among escapes":                  {`"` + long + `\/` + long[1:] + `\u0020` + long + `"`, ErrCorrupt, 248, 180},
		"a blank before the padding":         {`"QUI ="`, ErrCorrupt, 5, 0},
		"a blank between line breaks":        {"\"QUJD\n \nQUJD\"", ErrCorrupt, 8, 3},
		"a single last character":            {`"QUJDR"`, ErrCorrupt, 6, 3},
		"padding too early":                  {`"QUJDR==="`, ErrCorrupt, 6, 3},
		"padding of nothing":                 {`"QUJD="`, ErrCorrupt, 5, 3},
		"padding alone":                      {`"="`, ErrCorrupt, 1, 0},
		"too much padding":                   {`"QUJDRA==="`, ErrCorrupt, 9, 3},
		"data after padding":                 {`"QUI=QUJD"`, ErrCorrupt, 5, 0},
		"data after half the padding":        {`"QQ=Q"`, ErrCorrupt, 4, 0},
		"data after padding and line break":  {`"QQ==\nQQ=="`, ErrCorrupt, 7, 0},
		"a data URL without Base64":          {`"data:text/plain,QUJD"`, ErrCorrupt, 16, 0},
		"a data URL without a comma":         {`"data:image/png;base64QUJD"`, ErrCorrupt, 26, 0},
		"a data URL with an endless head":    {`"data:` + strings.Repeat("x", maxPrefix) + `;base64,QUJD"`, ErrCorrupt, maxPrefix + 1, 0},
		"a data URL with a control":          {`"data:\u0001;base64,QUJD"`, ErrCorrupt, 6, 0},
		"nearly a data URL":                  {`"data\u001aimage;base64,QUJD"`, ErrCorrupt, 5, 3},
		"a number":                           {`12`, ErrNotString, 0, 0},
		"a boolean":                          {`false`, ErrNotString, 0, 0},
		"an object":                          {`{"photo":"QUJD","code":"1"}`, ErrNotString, 0, 0},
		"a list":                             {`["QUJD"]`, ErrNotString, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, head := range []string{`{"photo":`, `{"result":{"a":{}},"photo":`} {
				got := scanEvery(t, head+tt.value+`,"video":"QUJD","code":"0"}`)
				var bad *MediaError
				require.ErrorAs(t, got.err, &bad)
				assert.Equal(t, "photo", bad.Field)
				assert.Equal(t, int64(len(head))+tt.offset, bad.Offset)
				assert.Equal(t, tt.size, bad.Size)
				require.ErrorIs(t, got.err, tt.err)
				assert.Equal(t, map[string]string{"code": "0"}, got.Top, "what follows is read")
				assert.Equal(t, "ABC", got.Media["video"].Data, "what follows is decoded")
				assert.Equal(t, tt.size, got.Media["photo"].Size)
				kept := scanToMemory(strings.NewReader(head+tt.value+`}`), -1, Scan)
				assert.Empty(t, kept.Media["photo"].Data, "nothing corrupt is handed over")
			}
		})
	}
}

func TestScan_DecodesTheFirstOfMediaGivenTwice(t *testing.T) {
	t.Parallel()
	for body, twice := range map[string]bool{
		`{"photo":"QUJD","photo":"QUJD"}`:               true,
		`{"photo":"QUJD","result":{"photo":"QUJD"}}`:    true,
		`{"result":{"photo":"QUJD"},"photo":"QUJD"}`:    true,
		`{"photo":"QUJD","phot\u006f":"\"!"}`:           true,
		`{"photo":"QUJD","photo":null}`:                 false,
		`{"photo":"","result":{"photo":"QUJD"}}`:        false,
		`{"result":{"photo":null},"photo":"QUJD"}`:      false,
		`{"photo":"QUJD","video":"QUJD"}`:               false,
		`{"photo":"QUJD","data":{"photo":"QUJD"}}`:      false,
		`{"photo":"QUJD","result":[{"photo":"QUJD"}]}`:  false,
		`{"photo":"QUJD","result":{"photo":"QUJD"},"a"`: true, // and cut: the cut is what is reported
	} {
		got := scanEvery(t, body)
		assert.Equal(t, "ABC", got.Media["photo"].Data, "only the first is decoded: %s", body)
		switch {
		case !twice:
			require.NoError(t, got.err, body)
		case strings.HasSuffix(body, "}"):
			require.ErrorIs(t, got.err, ErrTwice, body)
		default:
			require.ErrorIs(t, got.err, io.ErrUnexpectedEOF, body)
		}
	}
}

func TestScan_ReportsTheFirstMediaError(t *testing.T) {
	t.Parallel()
	got := scanEvery(t, `{"video":"!","photo":1,"photo":"A"}`)
	var bad *MediaError
	require.ErrorAs(t, got.err, &bad)
	assert.Equal(t, "video", bad.Field)
}

func TestSkip_JudgesNothing(t *testing.T) {
	t.Parallel()
	opts := options(func(string) Sink { return Skip() })
	opts.Media["video"] = ToWriter(nil)
	for _, body := range []string{
		"{\"photo\":\"!\r\n\\\"-\\q\",\"video\":1,\"result\":{\"photo\":[],\"video\":\"" + strings.Repeat("QUJD", windowSize) + "\"},\"code\":\"0\"}",
		`{"photo":"QUJD","result":{"photo":"QUJD"},"code":"0"}`,
	} {
		obj, err := Scan(strings.NewReader(body), opts)
		require.NoError(t, err)
		assert.Empty(t, obj.Media)
		assert.Equal(t, "0", obj.Top.Get("code"))
	}
	_, err := Scan(strings.NewReader(`{"photo":"QUJD`), opts)
	var bad *SyntaxError
	require.ErrorAs(t, err, &bad)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// Everything that can be cut by the end of a window, at every place where the window can end.
func TestScan_AWindowMayEndAnywhere(t *testing.T) {
	t.Parallel()
	text := `{"code":"\ud83d\ude00","photo":"dat\u0061:image\/png;base64,QUJD\r\n\u002b\/+/` + "\r\nQUJ\nD" + `RA=\u003d","orderNo":-1.5e3,"result":{"video":"QUI"}}`
	want := scanEvery(t, text)
	require.NoError(t, want.err)
	for shift := windowSize - len(text) - 20; shift < windowSize+20; shift++ {
		body := strings.Repeat(" ", shift) + text
		require.Equal(t, want.public(), scanToWriters(t, strings.NewReader(body), Scan).public(), "white space of %d", shift)
		require.Equal(t, want.public(), scanToMemory(strings.NewReader(body), int64(len(body)), Scan).public(), "white space of %d", shift)
	}
}

func TestScan_MediaOfEverySizeArriveUnchanged(t *testing.T) {
	t.Parallel()
	sizes, around := []int{64 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20}, 5
	if !raceEnabled {
		around = 40
		if !testing.Short() {
			sizes = append(sizes, 5<<20, 64<<20)
		}
	}
	for _, near := range []int{0, windowSize / 4 * 3, windowSize / 2 * 3, 3 * windowSize} {
		for size := max(near-around, 1); size < near+around; size++ {
			sizes = append(sizes, size)
		}
	}
	data := noise(slices.Max(sizes))
	for _, size := range sizes {
		want := data[:size]
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			body := `{"result":{"video":"` + enc.EncodeToString(want) + `"},"code":"0"}`
			var written bytes.Buffer
			opts := Options{Nested: "result", Media: map[string]Sink{"video": ToWriter(&written)}}
			obj, err := Scan(strings.NewReader(body), opts)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, written.Bytes()), "size %d to a writer", size)
			require.Equal(t, int64(size), obj.Media["video"].Size)

			opts.Media["video"] = ToMemory()
			for _, length := range []int64{-1, int64(len(body)), int64(len(body)) / 3} {
				opts.Length = length
				obj, err = Scan(strings.NewReader(body), opts)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, obj.Media["video"].Data), "size %d to memory", size)
				require.Equal(t, int64(size), obj.Media["video"].Size)
				require.Equal(t, want[:min(size, headSize)], obj.Media["video"].Head)
			}
		}
	}
}

// wrap inserts between after every n bytes of text.
func wrap(text string, n int, between string) string {
	var b strings.Builder
	for ; len(text) > n; text = text[n:] {
		b.WriteString(text[:n])
		b.WriteString(between)
	}
	b.WriteString(text)
	return b.String()
}

func TestScan_LongMediaWithBreaksAndEscapes(t *testing.T) {
	t.Parallel()
	data := noise(3 * windowSize)
	plain := base64.StdEncoding.EncodeToString(data)
	for name, text := range map[string]string{
		"lines of 76":        wrap(plain, 76, "\r\n"),
		"lines of 75":        wrap(plain, 75, "\n"),
		"escaped lines":      wrap(plain, 64, `\r\n`),
		"a break everywhere": wrap(plain[:windowSize], 1, `\n`) + plain[windowSize:],
		"escaped slashes":    strings.ReplaceAll(plain, "/", `\/`),
		"escaped by number":  strings.NewReplacer("+", `\u002b`, "/", `\u002F`, "=", `\u003d`).Replace(plain),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := scanEvery(t, `{"result":{"video":"`+text+`"},"code":"0"}`)
			require.NoError(t, got.err)
			require.True(t, got.Media["video"].Data == string(data))
			require.Equal(t, string(data[:headSize]), got.Media["video"].Head)
		})
	}
}

// brokenWriter takes so many bytes, and then fails with err, or takes less than it should and says nothing.
type brokenWriter struct {
	after, failures int
	err             error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) <= w.after {
		w.after -= len(p)
		return len(p), nil
	}
	w.failures++
	return w.after, w.err
}

func TestToWriter_AWriterThatFailsStopsTheScan(t *testing.T) {
	t.Parallel()
	body := `{"code":"0","photo":"` + base64.StdEncoding.EncodeToString(noise(3*windowSize)) + `","msg":"x"}`
	for _, after := range []int{0, 1, 100, windowSize, 2*windowSize + 7, 3*windowSize - 1} {
		for want, err := range map[error]error{iotest.ErrTimeout: iotest.ErrTimeout, io.ErrShortWrite: nil} {
			w := &brokenWriter{after: after, err: err}
			obj, err := Scan(strings.NewReader(body), Options{Fields: testFields, Media: map[string]Sink{"photo": ToWriter(w)}})
			var bad *MediaError
			require.ErrorAs(t, err, &bad)
			var failed *WriteError
			require.ErrorAs(t, err, &failed)
			require.ErrorIs(t, err, want)
			assert.Equal(t, "photo", bad.Field)
			assert.Equal(t, int64(after), bad.Size, "every byte taken is counted")
			assert.Equal(t, int64(after), obj.Media["photo"].Size)
			assert.Equal(t, 1, w.failures, "no Write after the failure")
			assert.Equal(t, Values{{Name: "code", Text: "0"}}, obj.Top)
		}
	}
}

func TestToWriter_WritesOnceForEachWindow(t *testing.T) {
	t.Parallel()
	body := `{"photo":"` + base64.StdEncoding.EncodeToString(noise(20*windowSize)) + `"}`
	for how, wrap := range readers {
		w := &checkedWriter{t: t}
		_, err := Scan(wrap(strings.NewReader(body)), Options{Media: map[string]Sink{"photo": ToWriter(w)}})
		require.NoError(t, err)
		assert.LessOrEqual(t, w.writes, len(body)/windowSize+1, how)
	}
}

// short is one byte less than the smallest medium, enough one that is just long enough.
var (
	short  = base64.StdEncoding.EncodeToString(noise(63))
	enough = base64.StdEncoding.EncodeToString(noise(64))
)

func TestMin_WhatIsShorterCountsAsAbsent(t *testing.T) {
	t.Parallel()
	for body, isThere := range map[string]bool{
		`{"photo":"null","code":"0"}`:                                       false,
		`{"photo":"none","code":"0"}`:                                       false,
		`{"photo":"` + short + `","code":"0"}`:                              false,
		`{"photo":"` + enough + `","code":"0"}`:                             true,
		`{"photo":"` + enough[:40] + "\r\n" + enough[40:] + `","code":"0"}`: true,
		`{"photo":"null","result":{"photo":"` + enough + `"},"code":"0"}`:   true,
		`{"photo":"` + enough + `","result":{"photo":"null"},"code":"0"}`:   true,
		`{"photo":"` + enough + `","result":{"photo":""},"code":"0"}`:       true,
	} {
		want := ""
		if isThere {
			want = string(noise(64))
		}
		for size := maxEscape; size < 150; size += 23 {
			opts := options(toMemory)
			opts.Min = 64
			kept, err := through(size)(strings.NewReader(body), opts)
			require.NoError(t, err, body)
			w := &checkedWriter{t: t}
			opts.Media["photo"] = ToWriter(w)
			written, err := through(size)(strings.NewReader(body), opts)
			require.NoError(t, err, body)
			for _, obj := range []*Object{kept, written} {
				assert.Equal(t, "0", obj.Top.Get("code"))
				_, there := obj.Media["photo"]
				assert.Equal(t, isThere, there, "%s, window of %d", body, size)
				assert.Equal(t, want, string(obj.Media["photo"].Head))
				assert.Equal(t, int64(len(want)), obj.Media["photo"].Size)
			}
			assert.Equal(t, want, w.String())
			assert.Equal(t, want, string(kept.Media["photo"].Data))
		}
	}
}

func TestMin_NothingReachesTheWriterOfAFieldThatBreaksBeforeIt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"photo":"` + short + `!`, `{"photo":"` + short[:60], `{"photo":"` + short[:60] + ` ` + short[60:] + `"}`} {
		w := &checkedWriter{t: t}
		obj, err := Scan(strings.NewReader(body), Options{Media: map[string]Sink{"photo": ToWriter(w)}, Min: 64})
		var bad *MediaError
		require.ErrorAs(t, err, &bad, body)
		assert.Zero(t, w.Len())
		assert.Empty(t, obj.Media)
	}
}

func TestMin_TwoThatAreLongEnoughAreTwo(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"photo":"` + enough + `","photo":"` + enough + `"}`,
		`{"photo":"` + enough + `","photo":"` + strings.Repeat("!", 65) + `"}`,
	} {
		_, err := Scan(strings.NewReader(body), Options{Media: map[string]Sink{"photo": ToWriter(&bytes.Buffer{})}, Min: 64})
		require.ErrorIs(t, err, ErrTwice, body)
	}
}
