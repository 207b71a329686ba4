package webanklive

// Credential, as callers see it, and the record of it that stores keep.

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Credential is what a partner's servers work with: one access token and the SIGN tickets made with it. It is minted,
// stored and replaced as a whole.
//
// Printed with fmt or slog it shows its times and masks the rest. Encoding it as JSON does not mask: that is how a
// central token service hands it on.
type Credential struct {
	// AccessToken pays for tickets; the platform says 7200 seconds.
	AccessToken string `json:"access_token"`

	// SignTicket signs queries and, on the platform's side, callbacks; the platform says 3600 seconds.
	SignTicket string `json:"sign_ticket"`

	// PreviousSignTicket is the SIGN ticket before this one: a callback that was on its way during a refresh is
	// signed with it. Empty when there is none or it expired.
	PreviousSignTicket string `json:"previous_sign_ticket,omitempty"`

	// RefreshAt is when the fleet refreshes the credential in the background, on the platform's clock.
	RefreshAt time.Time `json:"refresh_at,omitzero"`

	// ExpiresAt is when it must no longer be used, on the platform's clock.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Format masks the credential for every verb.
func (c Credential) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "webanklive.Credential{AccessToken: %s, SignTicket: %s, PreviousSignTicket: %s, RefreshAt: %s, ExpiresAt: %s}",
		mask(c.AccessToken), mask(c.SignTicket), mask(c.PreviousSignTicket),
		c.RefreshAt.Format(time.RFC3339), c.ExpiresAt.Format(time.RFC3339))
}

// LogValue does for slog what Format does for fmt.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

func mask(secret string) string {
	if secret == "" {
		return `""`
	}
	return "***"
}

// A record is a credential with what only this library needs to know. It is never modified.
type record struct {
	Credential
	mintedAt        time.Time // before the token was asked for, on the platform's clock; zero: from a CredentialSource
	previousExpires time.Time
}

func (r *record) valid(now time.Time) bool {
	return r.ExpiresAt.IsZero() || now.Before(r.ExpiresAt)
}

// due reports whether it is time to refresh r. What a CredentialSource hands out is not ours to refresh.
func (r *record) due(now time.Time) bool {
	return !r.mintedAt.IsZero() && !now.Before(r.RefreshAt)
}

func (r *record) same(other *record) bool {
	return r.AccessToken == other.AccessToken && r.SignTicket == other.SignTicket
}

// previous returns the previous SIGN ticket while it lives.
func (r *record) previous(now time.Time) string {
	if r.previousExpires.IsZero() || now.Before(r.previousExpires) {
		return r.PreviousSignTicket
	}
	return ""
}

// shared returns the credential as others may see it.
func (r *record) shared(now time.Time) Credential {
	c := r.Credential
	c.PreviousSignTicket = r.previous(now)
	return c
}

// lastMint returns when the newest of records was minted; nil ones count for nothing.
func lastMint(records ...*record) (last time.Time) {
	for _, r := range records {
		if r != nil && r.mintedAt.After(last) {
			last = r.mintedAt
		}
	}
	return last
}

// after returns r, just minted, as the successor of those before it: with the newest SIGN ticket among them that still
// lives, and later than all of them, whatever clocks their times were read from.
func (r record) after(now time.Time, before ...*record) record {
	if last := lastMint(before...); !last.Before(r.mintedAt) {
		r.mintedAt = last.Add(1)
	}
	var newest *record
	for _, b := range before {
		if b != nil && b.valid(now) && (newest == nil || newest.mintedAt.Before(b.mintedAt)) {
			newest = b
		}
	}
	if newest != nil {
		r.PreviousSignTicket, r.previousExpires = newest.SignTicket, newest.ExpiresAt
	}
	return r
}

// storedVersion is the version of the stored bytes. A reader mints afresh when it finds an older one, and leaves a
// newer one alone, because during a rolling upgrade the newer processes still need it.
const storedVersion = 1

var (
	errNewerRecord      = errors.New("the stored credential was written by a newer version of this library")
	errUnreadableRecord = errors.New("the stored credential is unreadable")
)

// stored is a record as stores keep it.
type stored struct {
	Version int `json:"version"`
	Credential
	PreviousExpiresAt time.Time `json:"previous_expires_at,omitzero"`
	MintedAt          time.Time `json:"minted_at"`
}

func (r *record) encode() ([]byte, error) {
	return json.Marshal(stored{
		Version: storedVersion, Credential: r.Credential, PreviousExpiresAt: r.previousExpires, MintedAt: r.mintedAt,
	})
}

// decodeRecord quotes nothing of data in its errors: it may hold half a token.
func decodeRecord(data []byte) (*record, error) {
	var version struct {
		Version int `json:"version"`
	}
	var s stored
	switch {
	case json.Unmarshal(data, &version) != nil:
		return nil, errUnreadableRecord
	case version.Version > storedVersion:
		return nil, errNewerRecord
	case version.Version < storedVersion, json.Unmarshal(data, &s) != nil:
		return nil, errUnreadableRecord
	case s.AccessToken == "", s.SignTicket == "", s.MintedAt.IsZero(), s.RefreshAt.IsZero(), s.ExpiresAt.IsZero(),
		s.MintedAt.Year() >= 9999: // the next one must be later, and JSON ends with that year
		return nil, errUnreadableRecord
	}
	return &record{Credential: s.Credential, mintedAt: s.MintedAt, previousExpires: s.PreviousExpiresAt}, nil
}
