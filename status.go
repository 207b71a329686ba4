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

	// MintedAt, RefreshAt and ExpiresAt are those of the last credential, usable or not, on the platform's clock; zero
	// when there is none, and what a CredentialSource does not tell.
	MintedAt, RefreshAt, ExpiresAt time.Time

	// LastError is why the credential could not be read or refreshed when that was last tried, at LastErrorAt on the
	// local clock. Both are zero when it worked, or was never tried.
	LastError   error
	LastErrorAt time.Time

	// ClockSkew is the platform's clock minus the local one, where replies told that they differ; else 0.
	ClockSkew time.Duration
}

// Status returns what the client knows about its credential. It has no side effect, and uses neither the network nor the
// store. A client that has made no call yet holds nothing, which is no fault.
func (c *Client) Status() Status { return c.credential.status() }

// Refresh mints a new credential now, under the lock of the store, whatever is held: it proves a new secret while the old
// credential still works. The fleet takes the new one over; the old one lives for a minute more.
//
// It mints at most once a minute for each store, and not within a minute of a mint in place of a refused credential; else
// it matches [ErrThrottled] and says when it may be again. Concurrent calls share one mint, which goes on without those
// whose ctx ends.
//
// Errors: [ErrInvalidRequest] with a [CredentialSource], which alone decides what is newest; [ErrCredential] and
// [ErrAccount] when the platform refuses, after which what is held stays in use; [ErrThrottled], [ErrUnavailable]; ctx's own.
func (c *Client) Refresh(ctx context.Context) (err error) {
	defer c.observeCall(&ctx, &err, opRefresh)()
	return c.credential.refresh(ctx)
}
