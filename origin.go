package webanklive

// Where the credential comes from: a store and minting under its lock, or somebody else's token service.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// An origin is where the credential comes from. newest returns the newest credential given what is held (nil:
// nothing), or an error. A record together with an error is usable but did not reach the store. With mayBeDue, one
// that should be refreshed will do, because somebody waits.
type origin interface {
	newest(ctx context.Context, h *held, mayBeDue bool) (*record, error)
}

// A storeOrigin finds the newest credential in a store, or mints it while it holds the store's lock.
type storeOrigin struct {
	store CredentialStore
	key   string
	mint  func(ctx context.Context, last time.Time) (record, error)
	clock *clock
	log   *slog.Logger
}

func (o *storeOrigin) newest(ctx context.Context, h *held, mayBeDue bool) (*record, error) {
	value, err := o.store.Load(ctx, o.key)
	if err == nil {
		rec, err := o.decode(value)
		if err != nil {
			return nil, err
		}
		if rec != nil && o.acceptable(rec, h, mayBeDue) {
			return rec, nil
		}
	} else if !errors.Is(err, ErrNoCredential) {
		return nil, outside("credential store", err)
	}

	var found *record
	var mintErr error
	stored, err := o.store.Update(ctx, o.key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
		found, mintErr = nil, nil
		rec, err := o.decode(current)
		if err != nil {
			mintErr = err
			return nil, 0, err
		}
		now := o.clock.now()
		switch {
		case rec != nil && o.acceptable(rec, h, mayBeDue):
			found = rec
			return nil, 0, nil
		case h != nil && !h.refused && o.clock.lives(&h.record, now) && (mayBeDue || !o.clock.due(&h.record, now)):
			o.log.Info("webanklive: the store lost the credential; putting it back")
			found = &h.record
		default:
			var minted record
			if minted, err = o.mint(ctx, lastMint(rec, h.past())); err != nil {
				if ctx.Err() == nil { // else the lock was lost, which Update reports
					mintErr = err
				}
				return nil, 0, err
			}
			minted = minted.after(now, rec, h.past())
			found = &minted
			o.log.Info("webanklive: minted a credential", "because", h.whyMint(now),
				"refresh_at", minted.RefreshAt, "expires_at", minted.ExpiresAt)
		}
		next, err := found.encode()
		return next, max(found.ExpiresAt.Sub(o.clock.now()), time.Second), err
	})
	switch {
	case mintErr != nil:
		return nil, mintErr
	case err == nil && found == nil: // another process stored one while Update waited for the lock
		if found, err = o.decode(stored); err != nil {
			return nil, err
		}
		if found == nil {
			err = errors.New("its Update returned nothing and did not run the function")
		} else if !o.acceptable(found, h, mayBeDue) {
			found, err = nil, errors.New("another process stored no credential that can be used")
		}
	}
	if err != nil {
		return found, outside("credential store", err)
	}
	return found, nil
}

// acceptable reports whether a stored record is good enough to stop at, given what is held.
func (o *storeOrigin) acceptable(rec *record, h *held, mayBeDue bool) bool {
	switch {
	case !o.clock.lives(rec, o.clock.now()):
		return false
	case h != nil && rec.mintedAt.Before(h.mintedAt), h != nil && h.refused && rec.same(&h.record):
		return false // dead, or dying
	}
	return mayBeDue || !o.clock.due(rec, o.clock.now())
}

// decode returns nil for bytes that are absent or of no use: minting replaces them.
func (o *storeOrigin) decode(value []byte) (*record, error) {
	if value == nil {
		return nil, nil
	}
	rec, err := decodeRecord(value)
	if errors.Is(err, errNewerRecord) {
		return nil, &Error{Op: opCredential, class: ErrUnavailable, Err: err}
	}
	if err != nil {
		o.log.Warn("webanklive: the stored credential is of no use and will be replaced", "error", err)
		return nil, nil
	}
	return rec, nil
}

// A sourceOrigin asks the company's own token service, which alone decides what is newest.
type sourceOrigin struct {
	source CredentialSource
	clock  *clock
}

func (o *sourceOrigin) newest(ctx context.Context, h *held, _ bool) (*record, error) {
	if h != nil && h.refused { // here, so that nobody asks before it is reported
		o.source.Invalidate(ctx, h.shared(o.clock.now()))
	}
	c, err := o.source.Credential(ctx)
	rec := record{Credential: c}
	switch {
	case err != nil:
	case c.AccessToken == "" || c.SignTicket == "":
		err = errors.New("it has no access token or no SIGN ticket")
	case !o.clock.lives(&rec, o.clock.now()):
		err = errors.New("what it handed out has expired")
	}
	if err != nil {
		return nil, outside("credential source", err)
	}
	switch {
	case c.PreviousSignTicket != "" || h == nil:
	case h.same(&rec):
		rec.PreviousSignTicket, rec.previousExpires = h.PreviousSignTicket, h.previousExpires
	default:
		rec.PreviousSignTicket, rec.previousExpires = h.SignTicket, h.ExpiresAt
	}
	return &rec, nil
}

// outside wraps what a store or source of the caller's said. A source that is a [Client] has said it all.
func outside(what string, err error) error {
	var ours *Error
	if errors.As(err, &ours) && ours.classed() != nil {
		return ours
	}
	return &Error{Op: opCredential, class: ErrUnavailable, Err: fmt.Errorf("%s: %w", what, notCallers(err))}
}
