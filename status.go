package webanklive

// Looking at the credential without touching it, and proving a secret.

import (
	"context"
	"time"
)

// Status is what a client knows about its credential at one moment, see [Client.Status].
type Status struct {
	// Held reports whether there is a credential that calls can use now: neither expired nor refused.
	Held bool

	// MintedAt, RefreshAt and ExpiresAt are those of the credential, usable or not, on the platform's clock. They are
	// zero when there is none, and as far as a CredentialSource does not tell them.
	MintedAt, RefreshAt, ExpiresAt time.Time

	// LastError is why the credential could not be read or refreshed when that was tried last, at LastErrorAt on the local
	// clock. Both are zero when that worked, or was never tried.
	LastError   error
	LastErrorAt time.Time

	// ClockSkew is the platform's clock minus the local one, as far as it is corrected for: 0 while they agree to half a
	// minute, and while no reply has told the platform's time.
	ClockSkew time.Duration
}

// Status returns what the client knows about its credential. It has no side effect, uses neither the network nor the
// store, and is cheap enough for a health check or a metric: alert on an age of more than 25 minutes and on a remaining
// life of less than 15. A client that has made no call yet holds nothing, which is no fault.
func (c *Client) Status() Status { return c.credential.status() }

// Refresh mints a new credential now, under the lock of the store, whatever is held: it proves a new secret before the old
// credential ends. The fleet takes the new one over within 25 seconds, and the old one lives for a minute more.
//
// It mints at most once a minute for each store, and not within a minute of a mint that a refused credential or a clock
// made necessary; then its error matches [ErrThrottled] and says when it is possible again. It also counts as such
// a mint. Concurrent calls share one mint. A caller whose ctx ends leaves the mint alone.
//
// Errors: [ErrInvalidRequest] with a [CredentialSource], which alone decides what is newest; [ErrCredential] and
// [ErrAccount] from the platform, after which what is held stays in use; [ErrThrottled]; [ErrUnavailable]; ctx's own.
func (c *Client) Refresh(ctx context.Context) error { return c.credential.refresh(ctx) }
