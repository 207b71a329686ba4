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
	// AccessToken is what tickets are requested with. It lives 7200 seconds, says the platform.
	AccessToken string `json:"access_token"`

	// SignTicket signs queries and, on the platform's side, callbacks. It lives 3600 seconds, says the platform.
	SignTicket string `json:"sign_ticket"`

	// PreviousSignTicket is the SIGN ticket before SignTicket: a callback that was on its way during a refresh is
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

	// number orders the records of an app ID: a new record has a higher number than every record known to the process that
	// minted it. 0: from a CredentialSource, which alone knows the order of its credentials.
	number          int64
	mintedAt        time.Time // before the token was asked for, on the platform's clock; zero: from a CredentialSource
	unplanned       bool      // minted in place of a refused credential or for Refresh; see mintLimit
	previousExpires time.Time
}

// expired and due judge r at a time of the platform's clock. A credential of a CredentialSource is never due, because the
// source refreshes it. A record from the future is due: one of two clocks is wrong, and the reply to a mint tells which.
func (r *record) expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}
func (r *record) due(now time.Time) bool {
	return !r.mintedAt.IsZero() && (!now.Before(r.RefreshAt) || r.mintedAt.Sub(now) > refreshAfter)
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

// after returns r, just minted, as the successor of the records in before, of which some may be nil. Its number is higher than
// all of theirs, whatever clocks they came from. Its previous SIGN ticket is that of the newest record that has not expired.
func (r record) after(now time.Time, before ...*record) *record {
	r.number = now.UnixMilli()
	var newest *record
	for _, b := range before {
		if b == nil {
			continue
		}
		r.number = max(r.number, b.number+1)
		if !b.expired(now) && (newest == nil || newest.number < b.number) {
			newest = b
		}
	}
	if newest != nil {
		r.PreviousSignTicket, r.previousExpires = newest.SignTicket, newest.ExpiresAt
	}
	return &r
}

// storedVersion is the version of the stored bytes. A reader mints afresh when it finds an older one, and leaves a
// newer one alone, because during a rolling upgrade the newer processes still need it.
const storedVersion = 1

// highestNumber leaves room for more mints than there will be: a number that cannot grow would end all refreshing.
const highestNumber = 1 << 62

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
	Number            int64     `json:"number,omitempty"` // absent: written before there were numbers
	Unplanned         bool      `json:"unplanned,omitempty"`
}

func (r *record) encode() ([]byte, error) {
	return json.Marshal(stored{
		Version: storedVersion, Credential: r.Credential, PreviousExpiresAt: r.previousExpires,
		MintedAt: r.mintedAt, Number: r.number, Unplanned: r.unplanned,
	})
}

// decodeRecord quotes nothing of data in its errors: data may hold a part of a token.
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
		s.Number < 0, s.Number > highestNumber:
		return nil, errUnreadableRecord
	case s.Number == 0:
		s.Number = s.MintedAt.UnixMilli()
	}
	return &record{
		Credential: s.Credential, number: s.Number, mintedAt: s.MintedAt, unplanned: s.Unplanned, previousExpires: s.PreviousExpiresAt,
	}, nil
}
