package conformance_test

// Fuzzing of the bytes that a credential store hands back.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

// fuzzStore holds foreign bytes until something is stored.
type fuzzStore struct {
	held   []byte
	only   bool // under the lock: Load finds nothing
	locked bool
	stored []byte
}

func (s *fuzzStore) Load(context.Context, string) ([]byte, error) {
	if s.held == nil || s.only {
		return nil, webanklive.ErrNoCredential
	}
	return bytes.Clone(s.held), nil
}

func (s *fuzzStore) Update(ctx context.Context, _ string, fn webanklive.UpdateFunc) ([]byte, error) {
	s.locked = true
	defer func() { s.locked = false }()
	next, ttl, err := fn(ctx, bytes.Clone(s.held))
	switch {
	case err != nil:
		return nil, err
	case next == nil:
		return s.held, nil
	case ttl <= 0:
		return nil, errors.New("a credential is stored for ever")
	}
	s.held, s.stored = next, next
	return next, nil
}

// recordRule reads stored bytes of version 1. newer says that they are of a later one, which must be left alone.
func recordRule(data []byte) (c webanklive.Credential, minted time.Time, number int64, ok, newer bool) {
	var r struct {
		Version   any `json:"version"`
		Token     any `json:"access_token"`
		Sign      any `json:"sign_ticket"`
		Previous  any `json:"previous_sign_ticket"`
		Until     any `json:"previous_expires_at"`
		Minted    any `json:"minted_at"`
		Refresh   any `json:"refresh_at"`
		Expires   any `json:"expires_at"`
		Number    any `json:"number"`
		Unplanned any `json:"unplanned"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if !json.Valid(data) || d.Decode(&r) != nil {
		return c, minted, 0, false, false
	}
	version, isNumber := r.Version.(json.Number)
	n, err := strconv.Atoi(version.String())
	if !isNumber || err != nil || n != 1 {
		return c, minted, 0, false, err == nil && n > 1
	}
	ok = true
	text := func(v any, required bool) string {
		s, isText := v.(string)
		ok = ok && (isText || v == nil) && (s != "" || !required)
		return s
	}
	moment := func(v any, required bool) (at time.Time) {
		s, isText := v.(string)
		ok = ok && (!isText && v == nil || isText && at.UnmarshalText([]byte(s)) == nil) && (!required || !at.IsZero())
		return at
	}
	c.AccessToken, c.SignTicket, c.PreviousSignTicket = text(r.Token, true), text(r.Sign, true), text(r.Previous, false)
	minted, c.RefreshAt, c.ExpiresAt = moment(r.Minted, true), moment(r.Refresh, true), moment(r.Expires, true)
	if until := moment(r.Until, false); !until.IsZero() && !fuzzNow.Before(until) {
		c.PreviousSignTicket = ""
	}
	number = minted.UnixMilli()
	if r.Number != nil {
		text, isNumber := r.Number.(json.Number)
		n, err := strconv.ParseInt(text.String(), 10, 64)
		ok = ok && isNumber && err == nil && n >= 0 && n <= 1<<62
		if n > 0 {
			number = n
		}
	}
	if _, isBool := r.Unplanned.(bool); !isBool && r.Unplanned != nil {
		ok = false
	}
	return c, minted, number, ok, false
}

func FuzzStoredCredential(f *testing.F) {
	whole := `{"version":1,"number":1772600767000,"access_token":"A","sign_ticket":"S","previous_sign_ticket":"P","previous_expires_at":"2026-03-04T06:00:00Z",` +
		`"minted_at":"2026-03-04T05:06:07Z","refresh_at":"2026-03-04T05:26:07Z","expires_at":"2026-03-04T06:05:07Z"}`
	seeds := []string{whole, "", "null", "{}", "[]", whole[:len(whole)/2], whole + whole, "\x00\x01\x02", `{"version":2}`, `{"version":2`}
	for _, change := range [][2]string{
		{`"version":1`, `"version":0`}, {`"version":1`, `"version":2`}, {`"version":1`, `"version":"1"`}, {`"version":1`, `"version":1.0`},
		{`"version":1`, `"version":1e99`}, {`"A"`, `""`}, {`"S"`, `""`}, {`"S"`, `null`}, {`"S"`, `5`}, {`"P"`, `""`}, {`"S"`, "\"\xff\""},
		{`"2026-03-04T06:05:07Z"`, `"0001-01-01T00:00:00Z"`}, {`"2026-03-04T06:05:07Z"`, `"2026-03-04T05:06:07Z"`},
		{`"2026-03-04T05:26:07Z"`, `"0001-01-01T00:00:00Z"`}, {`"2026-03-04T05:06:07Z"`, `"0001-01-01T00:00:00Z"`},
		{`"2026-03-04T06:05:07Z"`, `"9999-12-31T23:59:59.999999999Z"`}, {`"2026-03-04T05:06:07Z"`, `"9999-12-31T23:59:59.999999999Z"`},
		{`"2026-03-04T05:06:07Z"`, `"2026-03-04T13:06:07+08:00"`}, {`"2026-03-04T06:00:00Z"`, `"2026-03-04T05:00:00Z"`}, {`"2026-03-04T06:00:00Z"`, `7`},
		{`"number":1772600767000,`, ``}, {`1772600767000`, `0`}, {`1772600767000`, `-1`}, {`1772600767000`, `1e3`}, {`1772600767000`, `9223372036854775807`},
		{`1772600767000`, `1772600767001,"unplanned":true`}, {`1772600767000`, `17,"unplanned":1`},
	} {
		seeds = append(seeds, strings.Replace(whole, change[0], change[1], 1))
	}
	for _, seed := range seeds {
		for how := range 4 {
			f.Add([]byte(seed), how&1 != 0, how&2 != 0)
		}
	}

	f.Fuzz(func(t *testing.T, data []byte, only, held bool) {
		store := &fuzzStore{only: only}
		mints, now := 0, fuzzNow
		c := newFuzzClient(t, func(req *http.Request) (*http.Response, error) {
			assert.True(t, store.locked, "asked without the lock")
			mints++
			good := strings.Replace(goodToken, `","expire`, fmt.Sprintf(`%d","expire`, mints), 1)
			if strings.HasSuffix(req.URL.Path, "/api_ticket") {
				good = strings.Replace(goodTicket, `","expire`, fmt.Sprintf(`%d","expire`, mints), 1)
			}
			return httpmock.NewStringResponse(200, good), nil
		}, func() time.Time { return now }, webanklive.WithCredentialStore(store))
		if held { // and refused
			first, err := c.Credential(t.Context())
			require.NoError(t, err)
			c.Invalidate(t.Context(), first)
		}

		mints, store.held, store.stored = 0, append([]byte{}, data...), nil
		got, err := c.Credential(t.Context())
		want, minted, number, ok, newer := recordRule(data)
		// Either is right for what only encoding/json can read, and for a time after which JSON knows no other.
		odd := bytes.Contains(data, []byte(`\`)) || duplicated(data) || minted.Year() >= 9999
		switch {
		case err != nil:
			requireOneClass(t, err, webanklive.ErrUnavailable)
			requireHarmless(t, err, fuzzToken, fuzzTicket, fuzzPrevious)
			require.True(t, newer || odd, "%v: %q", err, data)
			require.Zero(t, mints)
			require.Nil(t, store.stored, "a newer version needs what it wrote")
			return
		case mints == 0:
			require.True(t, ok, "served: %q", data)
			require.True(t, got.RefreshAt.Equal(want.RefreshAt) && got.ExpiresAt.Equal(want.ExpiresAt), "%v", got)
			require.True(t, got.ExpiresAt.After(fuzzNow) && (!held || number >= fuzzNow.UnixMilli()), "expired or dead: %v", got)
			got.RefreshAt, got.ExpiresAt = time.Time{}, time.Time{}
			require.Equal(t, fmt.Sprintf("%q", []string{want.AccessToken, want.SignTicket, want.PreviousSignTicket}),
				fmt.Sprintf("%q", []string{got.AccessToken, got.SignTicket, got.PreviousSignTicket}))
		default:
			require.False(t, ok && !odd && !held && want.ExpiresAt.After(fuzzNow), "not served: %q", data)
			require.False(t, newer && !odd, "replaced: %q", data)
			requireStored(t, store, got)
		}

		if mints == 0 && (!want.RefreshAt.After(fuzzNow) || minted.Sub(fuzzNow) > 20*time.Minute) {
			return // the next call would refresh it in the background
		}
		// Whatever was in it, the next mint replaces it.
		mints, store.stored = 0, nil
		served, err := c.Credential(t.Context())
		require.NoError(t, err)
		now = now.Add(time.Minute) // so soon after the first, Invalidate drops nothing
		c.Invalidate(t.Context(), served)
		got, err = c.Credential(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, mints, "a token and a ticket")
		requireStored(t, store, got)
	})
}

// requireStored checks that minted was written and that the next reader finds it.
func requireStored(t *testing.T, store *fuzzStore, minted webanklive.Credential) {
	t.Helper()
	stored, _, _, ok, _ := recordRule(store.stored)
	require.True(t, ok, "stored: %q", store.stored)
	require.Equal(t, minted.AccessToken, stored.AccessToken)
	require.Equal(t, minted.SignTicket, stored.SignTicket)
	require.True(t, minted.ExpiresAt.Equal(stored.ExpiresAt) && minted.ExpiresAt.After(fuzzNow), "%v", stored)
	require.True(t, strings.HasPrefix(minted.AccessToken, fuzzToken) && strings.HasPrefix(minted.SignTicket, fuzzTicket))
}

// duplicated reports whether a name is given twice, in any case: which of them counts is encoding/json's affair.
func duplicated(object []byte) bool {
	seen := map[string]bool{}
	found, _ := jsonMembers(object)
	for _, m := range found {
		name := strings.ToLower(m.name)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
