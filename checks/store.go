package checks

// Where checks are kept.

import (
	"context"
	"errors"
	"time"
)

// The errors that a [Store] and a [Service] return, to be matched with [errors.Is].
var (
	// ErrNotFound: there is no such check, or none that this session started. It is final.
	ErrNotFound = errors.New("checks: no such check in this session")

	// ErrUnderWay: this user has a check that has not ended, see [Config].
	ErrUnderWay = errors.New("checks: this user has a check under way")

	// ErrTooMany: this user has used up the attempts of a day.
	ErrTooMany = errors.New("checks: this user has no attempts left today")

	// ErrExists, which only stores return: the order number is taken.
	ErrExists = errors.New("checks: the order number exists")

	// ErrConflict is a store's: the check was changed, or the claim on it was lost.
	ErrConflict = errors.New("checks: the check was changed meanwhile")
)

// A Store keeps checks. Every method is one atomic step. An error means that nothing was changed, except after a lost
// connection, when that cannot be known. It must be safe for concurrent use, also by several processes, and a read sees every
// write that was answered before. Package checkstest has these rules as tests.
//
// All times are by the store's own clock: the store takes them, and decides by them which checks are due and which claims
// last, because the clocks of the processes differ. Order numbers, users, sessions and owners are compared byte by byte.
//
// A check is due at the time at which there is work to do for it. A claim is the right to do that work: it belongs to an
// owner, a name that is used for one call of Claim, until its lease ends. Update, Release and Renew by an owner fail with
// [ErrConflict] once another owner has the claim or its lease is over.
type Store interface {
	// Create adds a check in state Launched with version 1, due as n says, and returns it. It fails with ErrExists when
	// the order number is taken; with ErrUnderWay when the user has another check that is not final and younger than
	// n.UnderWay, which it then returns; with ErrTooMany when the user has n.Attempts or more checks that were created in
	// the last 24 hours. Of several concurrent calls for one user, one succeeds.
	Create(ctx context.Context, n NewCheck) (Check, error)

	// Get returns a check, or ErrNotFound.
	Get(ctx context.Context, orderNo string) (Check, error)

	// Update writes State, Code, LiveRate, BizSeqNo, Evidence, Signed, Concluded and Tries of c, makes it due again after
	// due (never when due is negative), and returns the updated check. ReturnedAt is stamped when State becomes Returned,
	// DecidedAt when it becomes final. It fails with ErrNotFound when the check is not there; with ErrConflict when the
	// stored version is not c.Version, or when the check is final and State, Code, LiveRate or BizSeqNo would change. With an
	// owner, its claim is required and ends; without one, claims stay as they are.
	Update(ctx context.Context, c Check, owner string, due time.Duration) (Check, error)

	// Claim claims, for lease, up to limit checks that are due and not claimed, those that are due longest first. With
	// undecided it skips checks that are final. It also returns the store's time.
	Claim(ctx context.Context, owner string, lease time.Duration, limit int, undecided bool) ([]Check, time.Time, error)

	// Renew prolongs the claim of owner: its lease ends after lease from now.
	Renew(ctx context.Context, orderNo, owner string, lease time.Duration) error

	// Release ends the claim of owner and makes the check due after due. Nothing else changes, and the version does not.
	Release(ctx context.Context, orderNo, owner string, due time.Duration) error

	// Delete removes a check if its version is version, else ErrConflict. A check that is not there is no error.
	Delete(ctx context.Context, orderNo string, version int64) error
}

// NewCheck is what [Store.Create] makes a check of, and the limits that it is made under.
type NewCheck struct {
	OrderNo, UserID, Session string

	Due      time.Duration // until the check is due
	UnderWay time.Duration // how old another check of the user's may be that refuses this one
	Attempts int           // how many of a user's checks 24 hours may hold
}
