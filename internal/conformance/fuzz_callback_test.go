package conformance_test

// Fuzzing of what reads foreign bytes: callbacks and codes, and what the other targets share. Each target says the rule
// again in its own words and compares.

import (
	"context"
	"crypto/sha1"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
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

var errorClasses = map[string]error{
	"not_passed": webanklive.ErrNotPassed, "not_ready": webanklive.ErrNotReady, "credential": webanklive.ErrCredential,
	"throttled": webanklive.ErrThrottled, "unavailable": webanklive.ErrUnavailable,
	"invalid_request": webanklive.ErrInvalidRequest, "account": webanklive.ErrAccount,
}

// requireOneClass checks that err is of the one class want, or of none when want is nil.
func requireOneClass(t *testing.T, err, want error) {
	t.Helper()
	for name, class := range errorClasses {
		require.Equal(t, class == want, errors.Is(err, class), "%s: %v", name, err) //nolint:errorlint // sentinels themselves
	}
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

	c := newFuzzClient(f, nil, standstill, webanklive.WithCredentialSource(fixedSource{}))
	f.Fuzz(func(t *testing.T, raw, expected string, how uint8) {
		query, _ := url.ParseQuery(raw) // like (*url.URL).Query: what cannot be read is left out
		signed := signQuery(query, expected, how)

		cb, err := c.VerifyCallback(t.Context(), query, expected)
		switch rule := callbackRule(query, expected); rule {
		case "accepted":
			require.NoError(t, err)
		case "unsigned":
			require.ErrorIs(t, err, webanklive.ErrUnsignedCallback)
			requireOneClass(t, err, nil)
		case "malformed", "other order", "bad signature":
			clienttest.RequireBadCallback(t, err, clienttest.BadCallbacks[rule])
			requireOneClass(t, err, nil)
			require.Nil(t, cb)
		default:
			requireOneClass(t, err, webanklive.ErrInvalidRequest)
			require.Nil(t, cb)
		}
		if cb != nil {
			require.Equal(t, webanklive.Callback{OrderNo: expected, Code: query.Get("code"), LiveRate: score(query)}, *cb)
		}
		if err != nil {
			requireHarmless(t, err, append(signed, fuzzToken, fuzzTicket, fuzzPrevious,
				strings.ToUpper(signature(fuzzApp, expected, fuzzTicket, query.Get("code"))))...)
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

// signQuery adds a signature to query and returns it.
func signQuery(query url.Values, expected string, how uint8) (signed []string) {
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
		bent := "0"
		if text[last:] == bent {
			bent = "1"
		}
		text = text[:last] + bent
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
	scoreShape     = regexp.MustCompile(`^\P{Cc}*$`)
)

// callbackRule is the rule for a callback: "accepted", "unsigned", "invalid" or one of badCallbacks.
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

// score is what a callback shows of the score.
func score(query url.Values) string {
	text := query.Get("liveRate")
	if len(query["liveRate"]) > 1 || len(text) > 32 || !utf8.ValidString(text) || !scoreShape.MatchString(text) {
		return ""
	}
	return text
}

type codeRow struct{ class, reason string }

// catalogueRow looks code up in the file itself.
func catalogueRow(code string) (codeRow, bool) {
	row, ok := catalogueFile()[code]
	return row, ok
}

var catalogueFile = sync.OnceValue(func() map[string]codeRow {
	file, err := os.Open("../../codes.csv")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		panic(err)
	}
	column := func(name string) int { return slices.Index(records[0], name) }
	rows := map[string]codeRow{}
	for _, r := range records[1:] {
		rows[r[column("code")]] = codeRow{r[column("class")], r[column("reason")]}
	}
	return rows
})

func FuzzLookupCode(f *testing.F) {
	for code := range catalogueFile() {
		f.Add(code)
	}
	for _, code := range []string{"", "0", "00", "-0", "+0", "0 ", " 0", "0\x00", "0\n", "code", "-5013 ", "\xff", strings.Repeat("0", 1<<16)} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		row, listed := catalogueRow(code)
		info, found := webanklive.LookupCode(code)
		require.Equal(t, listed, found)

		err := fmt.Errorf("wrapped: %w", &webanklive.Error{Op: "op", Code: code})
		switch {
		case code == "" || code == "0":
			requireOneClass(t, err, nil)
		case found:
			require.Equal(t, codeRow{info.Class, info.Reason}, row)
			require.Equal(t, code, info.Code)
			require.Contains(t, errorClasses, info.Class)
			requireOneClass(t, err, errorClasses[info.Class])
		default:
			require.Zero(t, info)
			requireOneClass(t, err, webanklive.ErrNotPassed)
		}
		require.Equal(t, found && (info.Class == "throttled" || info.Class == "unavailable"), webanklive.Retryable(err))
		require.Equal(t, code == "0", info.Class == "passed")
	})
}
