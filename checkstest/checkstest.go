// Package checkstest is the conformance suite of [checks.Store]. A store of your own belongs in production when it passes:
//
//	func TestStore(t *testing.T) {
//		checkstest.Run(t, func(t *testing.T) checks.Store { return mystore.New(emptyDatabase(t)) })
//	}
//
// Each subtest is named after the rule that it checks. The tests of how a lease ends wait for a second or two of real time.
// The tests of what a lease forbids use a lease that outlives the test, so that its end hides no fault. The suite does not
// check what no call can show: that a write survives a crash of the database, and what a claim costs.
//
// The suite uses package testing alone.
package checkstest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/webanklive/webanklive/checks"
)

const (
	long  = 10 * time.Minute // a lease that no rule sees the end of
	short = 700 * time.Millisecond
)

// Run checks every rule on a store of its own, which newStore returns empty. The rules run in parallel.
func Run(t *testing.T, newStore func(t *testing.T) checks.Store) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(&bench{tb: t, ctx: t.Context(), store: newStore(t), patience: 20 * time.Second})
		})
	}
}

// tb is the part of testing.TB that the rules use; the suite's own tests have another.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

// bench is what a rule works with.
type bench struct {
	tb
	ctx   context.Context
	store checks.Store

	// patience is how long a rule waits for what must happen before it reports that it did not.
	patience time.Duration
}

type rule struct {
	name  string
	check func(b *bench)
}

// name returns a text that no other check has.
func name(prefix string) string { return prefix + rand.Text()[:20] }

// create adds a check of a new user that is due at once.
func (b *bench) create() checks.Check {
	b.Helper()
	return b.add(checks.NewCheck{UserID: name("u")})
}

// filled fills in what n leaves open.
func filled(n checks.NewCheck) checks.NewCheck {
	if n.OrderNo == "" {
		n.OrderNo = name("L")
	}
	if n.Session == "" {
		n.Session = name("s")
	}
	if n.UnderWay == 0 {
		n.UnderWay = long
	}
	if n.Attempts == 0 {
		n.Attempts = 100
	}
	return n
}

// add creates the check that n describes.
func (b *bench) add(n checks.NewCheck) checks.Check {
	b.Helper()
	c, err := b.store.Create(b.ctx, filled(n))
	b.fine("Create", err)
	return c
}

// refuses reports a Create of n that does not fail with want, and returns the check that came along.
func (b *bench) refuses(what string, n checks.NewCheck, want error) checks.Check {
	b.Helper()
	c, err := b.store.Create(b.ctx, filled(n))
	b.fails(what, err, want)
	return c
}

// update writes c without an owner.
func (b *bench) update(c checks.Check, due time.Duration) checks.Check {
	b.Helper()
	u, err := b.store.Update(b.ctx, c, "", due)
	b.fine("Update", err)
	return u
}

// end gives c a verdict.
func (b *bench) end(c checks.Check, state checks.State) checks.Check {
	b.Helper()
	c.State = state
	return b.update(c, -1)
}

// claim claims what is due for an owner of its own.
func (b *bench) claim(lease time.Duration, limit int) (owner string, claimed []checks.Check) {
	b.Helper()
	owner = name("o")
	claimed, _, err := b.store.Claim(b.ctx, owner, lease, limit, false)
	b.fine("Claim", err)
	return owner, claimed
}

// claimOne claims the one check that is due.
func (b *bench) claimOne(lease time.Duration) (owner string, c checks.Check) {
	b.Helper()
	owner, claimed := b.claim(lease, 10)
	if len(claimed) != 1 {
		b.Errorf("Claim returned %d checks, want the one that is due", len(claimed))
		b.FailNow()
	}
	return owner, claimed[0]
}

// free waits until a check can be claimed, and claims it.
func (b *bench) free(orderNo string) (owner string) {
	b.Helper()
	for end := time.Now().Add(b.patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		owner, claimed := b.claim(long, 100)
		for _, c := range claimed {
			if c.OrderNo == orderNo {
				return owner
			}
		}
	}
	b.Errorf("nobody could claim the check within %v", b.patience)
	b.FailNow()
	return ""
}

// notClaimable reports a check that can be claimed and must not be.
func (b *bench) notClaimable(why string) {
	b.Helper()
	if _, claimed := b.claim(long, 100); len(claimed) != 0 {
		b.Errorf("%d checks could be claimed; %s", len(claimed), why)
	}
}

func (b *bench) get(orderNo string) checks.Check {
	b.Helper()
	c, err := b.store.Get(b.ctx, orderNo)
	b.fine("Get", err)
	return c
}

func (b *bench) fine(what string, err error) {
	b.Helper()
	if err != nil {
		b.Errorf("%s: %v", what, err)
		b.FailNow()
	}
}

func (b *bench) fails(what string, err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// oneSucceeds reports that not exactly one of the calls succeeded, or that another failed otherwise than with want.
func (b *bench) oneSucceeds(what string, errs []error, want error) {
	b.Helper()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else {
			b.fails("one that lost of several "+what, err, want)
		}
	}
	if succeeded != 1 {
		b.Errorf("%d of several %s succeeded, want 1", succeeded, what)
	}
}

func (b *bench) same(what string, got, want checks.Check) {
	b.Helper()
	got.CreatedAt, got.ReturnedAt, got.DecidedAt = got.CreatedAt.UTC(), got.ReturnedAt.UTC(), got.DecidedAt.UTC()
	want.CreatedAt, want.ReturnedAt, want.DecidedAt = want.CreatedAt.UTC(), want.ReturnedAt.UTC(), want.DecidedAt.UTC()
	if got != want {
		b.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
