package webanklive

// What a client knows about its credential, and how a new secret is proved.

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

// Refresh mints a new credential now, under the lock of the store, even if the one in use is fresh: it proves a new secret
// while the old credential still works. The fleet takes over the new credential; the old one lives one more minute.
//
// It mints at most once a minute for each store, and not within a minute of a mint that replaced a refused credential. Called
// sooner, it returns an error that matches [ErrThrottled] and says when the next mint may be. Concurrent calls share one
// mint, which goes on when a caller's ctx ends.
//
// Errors: [ErrInvalidRequest] with a [CredentialSource], which alone decides what is newest; [ErrCredential] and
// [ErrAccount] when the platform refuses, and the old credential stays in use; [ErrThrottled], [ErrUnavailable]; ctx's own.
func (c *Client) Refresh(ctx context.Context) (err error) {
	defer c.observeCall(&ctx, &err, opRefresh)()
	return c.credential.refresh(ctx)
}
