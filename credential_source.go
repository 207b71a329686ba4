package webanklive

// A credential that comes from a central token service.

import (
	"context"
	"errors"
)

// A CredentialSource hands out the credential of a central token service (中控), see [WithCredentialSource]. It must
// be safe for concurrent use. A busy client asks it about every 25 seconds, and at most once a second while it gets
// callbacks whose signature does not match; it remembers the answer in between. A call that does not return within 45
// seconds is given up, and its late answer dropped. The source's errors are logged and returned, so they must hold no
// secret; of a *url.Error only the cause is kept. An *[Error] keeps its class.
type CredentialSource interface {
	// Credential returns the newest credential. AccessToken and SignTicket are required. A zero ExpiresAt means
	// that the source does not know; an empty PreviousSignTicket that it keeps none.
	Credential(ctx context.Context) (Credential, error)

	// Invalidate reports, at most once a minute, that the platform refused the credential refused. The source checks
	// whether that is still its newest one and, if so, gets another, which the next call of Credential returns. The calls
	// that were refused wait for Invalidate, so it should return soon.
	Invalidate(ctx context.Context, refused Credential)
}

// A sourceOrigin asks the company's own token service, which alone decides what is newest.
type sourceOrigin struct {
	source  CredentialSource
	clock   *clock
	limit   *mintLimit
	observe observeFunc
}

func (o *sourceOrigin) newest(ctx context.Context, f *fill) (*record, error) {
	if f.refused { // reported here, so that Credential is never asked before it
		o.limit.note(o.clock.now(), reasonRefused, nil)
		_, err := foreign(ctx, storeGrace, o.observe, "Invalidate", func(ctx context.Context) (struct{}, error) {
			o.source.Invalidate(ctx, f.held.shared(o.clock.now()))
			return struct{}{}, nil
		})
		if err != nil {
			return nil, foreignError("credential source", err)
		}
	}
	c, err := foreign(ctx, storeGrace, o.observe, "Credential", o.source.Credential)
	rec := &record{Credential: c}
	switch {
	case err != nil:
	case c.AccessToken == "" || c.SignTicket == "":
		err = errors.New("it has no access token or no SIGN ticket")
	case rec.expired(o.clock.now()):
		err = errors.New("what it handed out has expired")
	}
	if err != nil {
		return nil, foreignError("credential source", err)
	}
	switch {
	case c.PreviousSignTicket != "" || f.held == nil:
	case f.held.same(rec):
		rec.PreviousSignTicket, rec.previousExpires = f.held.PreviousSignTicket, f.held.previousExpires
	default:
		rec.PreviousSignTicket, rec.previousExpires = f.held.SignTicket, f.held.ExpiresAt
	}
	return rec, nil
}
