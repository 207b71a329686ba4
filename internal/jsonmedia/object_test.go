// The rules for the object and its small fields.

package jsonmedia

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScan_ReadsSmallFields(t *testing.T) {
	t.Parallel()
	type m = map[string]string
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	tests := map[string]struct {
		body        string
		top, nested m
	}{
		"flat":                                 {`{"code":"0","msg":"ok"}`, m{"code": "0", "msg": "ok"}, m{}},
		"nested":                               {`{"code":"0","result":{"orderNo":"a1"}}`, m{"code": "0"}, m{"orderNo": "a1"}},
		"both levels stay apart":               {`{"code":"0","result":{"code":"1"}}`, m{"code": "0"}, m{"code": "1"}},
		"code after the media":                 {`{"photo":"QUJD","result":{"video":"QUJD","msg":"x"},"code":"0"}`, m{"code": "0"}, m{"msg": "x"}},
		"numbers as written":                   {`{"code":0,"msg":-1.50e+07,"orderNo":0.0}`, m{"code": "0", "msg": "-1.50e+07", "orderNo": "0.0"}, m{}},
		"what is no text is odd":               {`{"code":true,"msg":{"a":1},"orderNo":[]}`, m{"code": odd, "msg": odd, "orderNo": odd}, m{}},
		"and in result":                        {`{"result":{"code":false}}`, m{}, m{"code": odd}},
		"a field twice is odd":                 {`{"code":"0","code":"0","msg":"x"}`, m{"code": odd, "msg": "x"}, m{}},
		"twice, once null":                     {`{"code":null,"code":"0","result":{"msg":1,"msg":null}}`, m{"code": odd}, m{"msg": odd}},
		"twice, once escaped":                  {`{"code":"1","cod\u0065":"0"}`, m{"code": odd}, m{}},
		"three times":                          {`{"code":"1","code":"1","code":"1"}`, m{"code": odd}, m{}},
		"once at each level":                   {`{"code":"1","result":{"code":"1"}}`, m{"code": "1"}, m{"code": "1"}},
		"a string over 4 KiB":                  {`{"msg":"` + strings.Repeat("x", maxSmall+1) + `","code":"0"}`, m{"code": "0", "msg": odd}, m{}},
		"a number over 4 KiB":                  {`{"msg":` + strings.Repeat("1", maxSmall+1) + `,"code":"0"}`, m{"code": "0", "msg": odd}, m{}},
		"null is absent":                       {`{"code":null,"result":null,"photo":null}`, m{}, m{}},
		"an empty string is present":           {`{"code":""}`, m{"code": ""}, m{}},
		"an empty object":                      {` { } `, m{}, m{}},
		"a result that is no object is absent": {`{"result":"","code":"0"}`, m{"code": "0"}, m{}},
		"a result that is a list is absent":    {`{"result":[{"code":"1"}],"code":"0"}`, m{"code": "0"}, m{}},
		"result inside result is no level":     {`{"result":{"result":{"code":"1"},"msg":"x"}}`, m{}, m{"msg": "x"}},
		"other objects are not looked into":    {`{"data":{"code":"1","photo":"?"},"code":"0"}`, m{"code": "0"}, m{}},
		"unlisted fields may repeat":           {`{"a":1,"a":2,"code":"0"}`, m{"code": "0"}, m{}},
		"names match exactly":                  {`{"Code":"1","CODE":"2","code ":"3"}`, m{}, m{}},
		"names may be escaped":                 {`{"\u0063ode":"0","re\u0073ult":{"\u006D\u0073g":"x"},"\u0070hoto":""}`, m{"code": "0"}, m{"msg": "x"}},
		"white space anywhere":                 {"\r\n\t {\n\"code\" :\t\"0\" ,\r\"result\": {\n} }\n\n", m{"code": "0"}, m{}},
		"a byte order mark":                    {"\ufeff {\"code\":\"0\"}", m{"code": "0"}, m{}},
		"every escape":                         {`{"msg":"\"\\\/\b\f\n\r\t\u00e9\u4e2D"}`, m{"msg": "\"\\/\b\f\n\r\té中"}, m{}},
		"a surrogate pair":                     {`{"msg":"\ud83D\uDe00!"}`, m{"msg": "😀!"}, m{}},
		"half a surrogate pair":                {`{"msg":"\ud83d \ud83dA\ude00\ud83d\u0041\ud83d"}`, m{"msg": "\ufffd \ufffdA\ufffd\ufffdA\ufffd"}, m{}},
		"two high halves, then a low one":      {`{"msg":"\ud83d\ud83d\ude00"}`, m{"msg": "\ufffd😀"}, m{}},
		"bytes that are not UTF-8":             {"{\"msg\":\"a\xff\xfe\xe4\xb8b\"}", m{"msg": "a\ufffd\ufffd\ufffd\ufffdb"}, m{}},
		"a wanted field of 4 KiB":              {`{"msg":"` + strings.Repeat("x", maxSmall) + `"}`, m{"msg": strings.Repeat("x", maxSmall)}, m{}},
		"an unwanted field of any size":        {`{"a":"` + strings.Repeat("x", 3*windowSize) + `","b":` + strings.Repeat("7", 9999) + `,"code":"0"}`, m{"code": "0"}, m{}},
		"a name of any size":                   {`{"` + strings.Repeat("code", 2000) + `":1,"code":"0"}`, m{"code": "0"}, m{}},
		"nested 32 deep":                       {`{"a":[` + deep(30) + `],"code":"0"}`, m{"code": "0"}, m{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := scanEvery(t, tt.body)
			require.NoError(t, got.err)
			assert.Equal(t, tt.top, got.Top)
			assert.Equal(t, tt.nested, got.Nested)
		})
	}
}

// NestedOdd tells a value that is not looked into from one that is not there.
func TestNested_SaysWhatItCouldNotLookInto(t *testing.T) {
	t.Parallel()
	for body, odd := range map[string]bool{
		`{}`: false, `{"result":null}`: false, `{"result":""}`: false, `{"result":{}}`: false,
		`{"result":" "}`: true, `{"result":"{}"}`: true, `{"result":[]}`: true, `{"result":[{}]}`: true, `{"result":0}`: true,
		`{"result":true}`: true, `{"result":{"result":1}}`: false,
	} {
		got, err := Scan(strings.NewReader(body), Options{Nested: "result"})
		require.NoError(t, err)
		assert.Equal(t, odd, got.NestedOdd, body)
	}
}

func TestFirst_LooksIntoTheFirstElementOfAList(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"tickets":[{"value":"a"}]}`:                                       "a",
		`{"tickets":[{"value":"a"},{"value":"b"}],"value":"c"}`:             "a",
		`{"tickets":[[{"value":"a"}],{"value":"b"}]}`:                       "",
		`{"tickets":[null,{"value":"b"}]}`:                                  "",
		`{"tickets":[]}`:                                                    "",
		`{"tickets":{"value":"a"}}`:                                         "",
		`{"tickets":""}`:                                                    "",
		`{"tickets":[{"tickets":[{"value":"a"}],"x":{"value":"b"}}]}`:       "",
		`{"tickets":[{"x":[1,{"value":"b"}],"value":"a"}, 1, "x", [], {}]}`: "a",
	} {
		got, err := Scan(strings.NewReader(body), Options{Fields: []string{"value"}, Nested: "tickets", First: true})
		require.NoError(t, err, body)
		assert.Equal(t, want, got.Nested.Get("value"), body)
	}
	_, err := Scan(strings.NewReader(`{"tickets":[{"value":"a"},]}`), Options{Nested: "tickets", First: true})
	require.Error(t, err)
}

func TestScan_RefusesBadSyntax(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body   string
		offset int64
		field  string
	}{
		"an array":                     {`[]`, 0, ""},
		"a string":                     {`"{}"`, 0, ""},
		"HTML":                         {" <html>", 1, ""},
		"two objects":                  {`{}{}`, 2, ""},
		"text after the object":        {"{}\n\x00", 3, ""},
		"a second byte order mark":     {"\ufeff\ufeff{}", 3, ""},
		"a trailing comma":             {`{"a":1,}`, 7, ""},
		"a trailing comma in a list":   {`{"a":[1,]}`, 8, ""},
		"a missing comma":              {`{"a":1 "b":2}`, 7, ""},
		"a missing colon":              {`{"a" 1}`, 5, ""},
		"a missing value":              {`{"a":}`, 5, ""},
		"a name without quotes":        {`{a:1}`, 1, ""},
		"brackets that do not match":   {`{"a":[1}}`, 7, ""},
		"a number with a leading zero": {`{"a":01}`, 6, ""},
		"a number with a plus":         {`{"a":+1}`, 5, ""},
		"a number without a fraction":  {`{"a":1.}`, 7, ""},
		"a number without an exponent": {`{"a":1e+}`, 8, ""},
		"a bare minus":                 {`{"a":-}`, 6, ""},
		"a misspelt literal":           {`{"a":nul}`, 8, ""},
		"a literal with a tail":        {`{"a":truex}`, 9, ""},
		"an unknown literal":           {`{"a":NaN}`, 5, ""},
		"an unknown escape":            {`{"a":"\x"}`, 6, ""},
		"a short \\u escape":           {`{"a":"\u12"}`, 6, ""},
		"a raw line break":             {"{\"msg\":\"a\nb\"}", 9, ""},
		"a raw NUL":                    {"{\"a\":\"1234567890\x00\"}", 16, ""},
		"the last control character":   {"{\"a\":\"12345678\x1f0123456789\"}", 14, ""},
		"a raw tab in a name":          {"{\"\t\":1}", 2, ""},
		"nested 33 deep":               {`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, 36, ""},
		"a wanted field cut short":     {`{"code":{"a":}}`, 13, ""},
		"result twice":                 {`{"result":{},"result":{}}`, 22, "result"},
		"result twice, once null":      {`{"result":null,"result":{}}`, 24, "result"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := scanEvery(t, tt.body)
			var bad *SyntaxError
			require.ErrorAs(t, got.err, &bad)
			assert.Equal(t, tt.offset, bad.Offset)
			assert.Equal(t, tt.field, bad.Field)
			assert.Contains(t, bad.Error(), tt.field)
			assert.NotErrorIs(t, got.err, io.ErrUnexpectedEOF)
		})
	}
}

func TestScan_KeepsWhatCameBeforeTheError(t *testing.T) {
	t.Parallel()
	got := scanEvery(t, `{"code":"0","result":{"orderNo":"a1","photo":"QUJD","msg":!`)
	require.Error(t, got.err)
	assert.Equal(t, map[string]string{"code": "0"}, got.Top)
	assert.Equal(t, map[string]string{"orderNo": "a1"}, got.Nested)
	assert.Equal(t, field{Data: "ABC", Head: "ABC", Size: 3}, got.Media["photo"])
}

const cutBody = "\ufeff" + ` {"a":[1,-2.5e+3,true,null,"\ud83d\ude00"],"photo":"data:image/png;base64,QUJD\/\u002b=="` +
	`,"code":"0","result":{"video":"QUJDREVG","msg":"caf\u00e9"},"orderNo":12}`

func TestScan_ABodyCutAnywhereIsAnError(t *testing.T) {
	t.Parallel()
	failure := errors.New("the network is gone")
	for n := range len(cutBody) + 1 {
		for end, want := range map[error]error{io.EOF: io.ErrUnexpectedEOF, failure: failure} {
			got := scanEveryReader(t, int64(len(cutBody)), func() io.Reader {
				return io.MultiReader(strings.NewReader(cutBody[:n]), iotest.ErrReader(end))
			})
			if n == len(cutBody) && errors.Is(end, io.EOF) {
				require.NoError(t, got.err)
				continue
			}
			require.ErrorIs(t, got.err, want, "after %d", n)
			checkCutField(t, got.err, n)
			if n > strings.Index(cutBody, `,"result"`) {
				require.Equal(t, "0", got.Top["code"], "after %d", n)
			}
			var read *ReadError
			if errors.Is(end, failure) {
				require.ErrorAs(t, got.err, &read)
				require.Equal(t, int64(n), read.Offset)
			}
		}
	}
}

// checkCutField requires that the error after n bytes of cutBody names the media field if that is where n is.
func checkCutField(t *testing.T, err error, n int) {
	t.Helper()
	var bad *MediaError
	for _, name := range testMedia {
		start := strings.Index(cutBody, `"`+name+`":"`) + len(name) + 4
		end := start + strings.Index(cutBody[start:], `"`)
		if start <= n && n <= end {
			require.ErrorAs(t, err, &bad, "after %d", n)
			require.Equal(t, name, bad.Field)
			require.Equal(t, int64(n), bad.Offset)
			return
		}
	}
	require.NotErrorAs(t, err, &bad, "after %d", n)
}

func TestScan_AReaderThatNeverAdvancesIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Scan(iotest.ErrReader(nil), Options{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

func TestScan_NoErrorQuotesTheBody(t *testing.T) {
	t.Parallel()
	const marker = "SECRET"
	for _, body := range []string{
		marker, `{` + marker, `{"` + marker + `"}`, `{"` + marker + `":` + marker, `{"` + marker + "\n", `{"a":"\` + marker,
		`{"code":["` + marker + `"}`, `{"result":"` + marker + `","result":"` + marker + `"}`, `{"code":"` + marker + "\n",
		`{"photo":"!` + marker + `"}`, `{"photo":"` + marker, `{"photo":"-` + marker + `"}`, `{"photo":{"` + marker + `":1}}`,
		`{"photo":"data:` + marker + `,QUJD"}`, `{"photo":"QUJD","result":{"photo":"` + marker + `"}}`, `{}` + marker,
		`{"msg":"` + strings.Repeat(marker, 1000) + `}`, `{"a":-` + marker + `}`, `{"a":"\u` + marker + `"}`,
	} {
		got := scanEvery(t, body)
		require.Error(t, got.err, body)
		require.NotContains(t, got.Err, marker)
	}
}
