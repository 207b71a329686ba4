package conformance_test

// No foreign query passes for a callback that the platform signed, and no foreign text for a code of the catalogue. Each
// target states the rule a second time and compares. What the other fuzz targets share is here, too.

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
)

const (
	fuzzApp      = "TIDA0001"
	fuzzSecret   = "SECRET-of-the-partner"
	fuzzToken    = "TOKEN-of-the-partner"
	fuzzTicket   = "TICKET-that-signs"
	fuzzPrevious = "TICKET-before-that"
	fuzzOrder    = "L012345"
)

// fuzzNow is the time on a clock that stands still, so that nothing happens by itself.
var fuzzNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func standstill() time.Time { return fuzzNow }

// fixedSource hands out one credential, whatever the platform says about it.
type fixedSource struct{}

func (fixedSource) Credential(context.Context) (webanklive.Credential, error) {
	return webanklive.Credential{AccessToken: fuzzToken, SignTicket: fuzzTicket, PreviousSignTicket: fuzzPrevious}, nil
}

func (fixedSource) Invalidate(context.Context, webanklive.Credential) {}

func newFuzzClient(t testing.TB, platform clienttest.RoundTrip, now func() time.Time, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(fuzzApp, fuzzSecret, append([]webanklive.Option{webanklive.WithMaxRetries(0), clienttest.WithClock(platform, now)}, opts...)...)
	require.NoError(t, err)
	return c
}

// signature is the vendor's page about it, line by line.
func signature(values ...string) string {
	slices.Sort(values)
	sum := sha1.Sum([]byte(strings.Join(values, "")))
	return hex.EncodeToString(sum[:])
}

// requireHarmless checks an error's text: one line, none of the secrets, no query.
func requireHarmless(t *testing.T, err error, secrets ...string) {
	t.Helper()
	text := fmt.Sprintf("%v %+v", err, err)
	for _, secret := range append(secrets, fuzzSecret, "app_id=") {
		require.NotContains(t, text, secret)
	}
	require.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q", text)
	require.True(t, utf8.ValidString(text), "%q", text)
}

// How FuzzVerifyCallback signs the query that it was given, by the bits of how.
const (
	signCurrent  = 1 << iota // with the SIGN ticket; together with signPrevious: with one that nobody holds
	signPrevious             // with the one before
	signAlias                // as newSign
	signLower                // in lower case
	signBoth                 // under both names
	signOther                // for the expected order, whatever the query's is
	signCut                  // without the last digit
	signBent                 // with another last digit
)

func FuzzVerifyCallback(f *testing.F) {
	for how := range 256 {
		f.Add("code=0&orderNo="+fuzzOrder+"&liveRate=95&&", fuzzOrder, uint8(how))
	}
	for _, query := range []string{
		"", "code=3001&orderNo=" + fuzzOrder, "code=-5013&orderNo=" + fuzzOrder + "&liveRate=%E5%88%86%E6%95%B0%E4%B8%BA%E7%A9%BA",
		"code=0&code=1&orderNo=" + fuzzOrder, "code=0&orderNo=" + fuzzOrder + "&utm=gateway", "code=0&orderNo=" + fuzzOrder + "3001",
		"code=+0&orderNo=" + fuzzOrder, "code=%2B0&orderNo=" + fuzzOrder, "code=00&orderNo=" + fuzzOrder, "code=0;orderNo=" + fuzzOrder, "code=0&orderNo=" + fuzzOrder + "%00",
		"code=0&orderNo=" + fuzzOrder + "&newSign=" + strings.Repeat("A", 40), "code=0&orderNo=" + fuzzOrder + "&liveRate=%0A",
		"code=12345678901234567&orderNo=" + fuzzOrder, "code=-&orderNo=" + fuzzOrder, "Code=0&orderno=" + fuzzOrder, "code=%zz",
	} {
		f.Add(query, fuzzOrder, uint8(0))
		f.Add(query, fuzzOrder, uint8(signCurrent))
	}
	f.Add("code=3001&orderNo=012345", "012345", uint8(signCurrent))
	f.Add("code=0&orderNo=123453001", "012345", uint8(signCurrent))
	f.Add("code=0&orderNo=", "", uint8(signCurrent))

	for _, score := range []string{
		"99\n", "99\r", "9\t9", "9\x009", "\x1b[31m99", "\u009b31m99", "99\u2028", "99\u2029", "\u202e99", "\u206699", "9\u200b9", "\ufeff99", "\xff99",
	} {
		f.Add("code=0&orderNo="+fuzzOrder+"&liveRate="+url.QueryEscape(score), fuzzOrder, uint8(signCurrent))
	}

	c := newFuzzClient(f, nil, standstill, webanklive.WithCredentialSource(fixedSource{}))
	f.Fuzz(func(t *testing.T, raw, expected string, how uint8) {
		query, _ := url.ParseQuery(raw) // like (*url.URL).Query: what cannot be read is left out
		secrets := append(signQuery(query, expected, how), fuzzToken, fuzzTicket, fuzzPrevious,
			strings.ToUpper(signature(fuzzApp, expected, fuzzTicket, query.Get("code"))))

		cb, err := c.VerifyCallback(t.Context(), query, expected)
		rule := callbackRule(query, expected)
		switch rule {
		case "accepted":
			require.NoError(t, err)
		case "unsigned":
			require.ErrorIs(t, err, webanklive.ErrUnsignedCallback)
			clienttest.RequireClass(t, err, nil)
		case "invalid":
			clienttest.RequireClass(t, err, webanklive.ErrInvalidRequest)
		default:
			clienttest.RequireBadCallback(t, err, clienttest.BadCallbacks[rule])
			clienttest.RequireClass(t, err, nil)
		}
		require.Equal(t, rule == "accepted" || rule == "unsigned", cb != nil)
		if cb != nil {
			require.Equal(t, webanklive.Callback{OrderNo: expected, Code: query.Get("code"), LiveRate: score(query)}, *cb)
		}
		if err != nil {
			requireHarmless(t, err, secrets...)
		}
		// The same query belongs to no other order, also where the joined text is the same.
		for _, other := range []string{expected + "0", expected + "3001", strings.TrimPrefix(expected, "0"), strings.ToUpper(expected)} {
			if other != expected && other != query.Get("orderNo") {
				_, err := c.VerifyCallback(t.Context(), query, other)
				require.Error(t, err, other)
			}
		}
	})
}

// signQuery adds a signature to query, if how asks for one, and returns it.
func signQuery(query url.Values, expected string, how uint8) []string {
	ticket := map[uint8]string{signCurrent: fuzzTicket, signPrevious: fuzzPrevious, signCurrent | signPrevious: "foreign"}[how&3]
	if ticket == "" {
		return nil
	}
	order := query.Get("orderNo")
	if how&signOther != 0 {
		order = expected
	}
	text := strings.ToUpper(signature(fuzzApp, order, ticket, query.Get("code")))
	if how&signLower != 0 {
		text = strings.ToLower(text)
	}
	if how&signCut != 0 {
		text = text[:39]
	}
	if last := len(text) - 1; how&signBent != 0 {
		text = text[:last] + map[bool]string{true: "1", false: "0"}[text[last] == '0']
	}
	if how&(signAlias|signBoth) != 0 {
		query.Add("newSign", text)
	}
	if how&signAlias == 0 || how&signBoth != 0 {
		query.Add("newSignature", text)
	}
	return []string{text}
}

var (
	orderShape     = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`)
	codeShape      = regexp.MustCompile(`^-?[0-9]{1,16}$`)
	signatureShape = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
)

// callbackRule is the rule for a callback: "accepted", "unsigned", "invalid" or one of clienttest.BadCallbacks.
func callbackRule(query url.Values, expected string) string {
	if !orderShape.MatchString(expected) {
		return "invalid"
	}
	for _, name := range []string{"code", "orderNo", "newSignature", "newSign"} {
		if len(query[name]) > 1 {
			return "malformed"
		}
	}
	code := query.Get("code")
	switch {
	case !orderShape.MatchString(query.Get("orderNo")):
		return "malformed"
	case query.Get("orderNo") != expected:
		return "other order"
	case !codeShape.MatchString(code):
		return "malformed"
	}
	given, alias := query.Get("newSignature"), query.Get("newSign")
	if given == "" {
		given = alias
	}
	switch {
	case given == "" && code != "0":
		return "unsigned"
	case !signatureShape.MatchString(given), alias != "" && !strings.EqualFold(alias, given):
		return "malformed"
	}
	for _, ticket := range []string{fuzzTicket, fuzzPrevious} {
		if strings.ToLower(given) == signature(fuzzApp, expected, ticket, code) {
			return "accepted"
		}
	}
	return "bad signature"
}

// score is what a callback shows of the score, which is not signed: whoever holds the browser writes it.
func score(query url.Values) string {
	text := query.Get("liveRate")
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(query["liveRate"]) > 1 || len(text) > 32 || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		return ""
	}
	return text
}

func FuzzLookupCode(f *testing.F) {
	catalogue := map[string]webanklive.CodeInfo{}
	for _, info := range webanklive.Codes() {
		catalogue[info.Code] = info
		f.Add(info.Code)
	}
	for _, code := range []string{"", "0", "00", "-0", "+0", "0 ", " 0", "0\x00", "0\n", "code", "-5013 ", "\xff", strings.Repeat("0", 1<<16)} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		want, listed := catalogue[code]
		info, found := webanklive.LookupCode(code)
		require.Equal(t, listed, found)
		require.Equal(t, want, info)
		require.Equal(t, code == "0", info.Class == "passed")

		err := fmt.Errorf("wrapped: %w", &webanklive.Error{Op: "op", Code: code})
		switch {
		case code == "" || code == "0":
			clienttest.RequireClass(t, err, nil)
		case found:
			require.Equal(t, info.Class, webanklive.ClassOf(err))
		default:
			clienttest.RequireClass(t, err, webanklive.ErrNotPassed)
		}
	})
}
