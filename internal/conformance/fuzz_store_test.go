package conformance_test

// Whatever bytes a store hands back: a stored credential is served, a newer version's is left alone, and everything else is
// replaced by a mint under the lock.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
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

// A stored record is what version 1 writes.
type stored struct {
	webanklive.Credential
	Number    int64     `json:"number"`
	Unplanned bool      `json:"unplanned"`
	Until     time.Time `json:"previous_expires_at"`
	Minted    time.Time `json:"minted_at"`
}

// recordRule reads stored bytes of version 1. newer says that they are of a later one, which must be left alone.
func recordRule(data []byte) (r stored, ok, newer bool) {
	var v struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(data, &v) != nil || v.Version != 1 {
		return r, false, v.Version > 1
	}
	ok = json.Unmarshal(data, &r) == nil && r.AccessToken != "" && r.SignTicket != "" && r.Number >= 0 && r.Number <= 1<<62
	for _, at := range []time.Time{r.Minted, r.RefreshAt, r.ExpiresAt} {
		ok = ok && !at.IsZero()
	}
	if !r.Until.IsZero() && !fuzzNow.Before(r.Until) {
		r.PreviousSignTicket = ""
	}
	if r.Number == 0 {
		r.Number = r.Minted.UnixMilli()
	}
	return r, ok, false
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
		want, ok, newer := recordRule(data)
		switch {
		case err != nil:
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			requireHarmless(t, err, fuzzToken, fuzzTicket, fuzzPrevious)
			require.True(t, newer, "%v: %q", err, data)
			require.Zero(t, mints)
			require.Nil(t, store.stored, "a newer version needs what it wrote")
			return
		case mints == 0:
			require.True(t, ok, "served: %q", data)
			require.Equal(t, want.Credential, got)
			require.True(t, got.ExpiresAt.After(fuzzNow) && (!held || want.Number >= fuzzNow.UnixMilli()), "expired or dead: %v", got)
		default:
			require.False(t, newer, "replaced: %q", data)
			require.False(t, ok && !held && want.ExpiresAt.After(fuzzNow), "not served: %q", data)
			requireStored(t, store, got)
		}

		if mints == 0 && (!want.RefreshAt.After(fuzzNow) || want.Minted.Sub(fuzzNow) > 20*time.Minute) {
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
	stored, ok, _ := recordRule(store.stored)
	require.True(t, ok, "stored: %q", store.stored)
	require.Equal(t, minted.AccessToken, stored.AccessToken)
	require.Equal(t, minted.SignTicket, stored.SignTicket)
	require.True(t, minted.ExpiresAt.Equal(stored.ExpiresAt) && minted.ExpiresAt.After(fuzzNow), "%v", stored)
	require.True(t, strings.HasPrefix(minted.AccessToken, fuzzToken) && strings.HasPrefix(minted.SignTicket, fuzzTicket))
}
