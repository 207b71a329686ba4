package webanklive

// The credential as this process holds it: when it is used, read again, refreshed, dropped.
//
//	what is held                                        what a call does
//	--------------------------------------------------  ---------------------------------------------------------
//	nothing, or past ExpiresAt, or refused               waits: store, else mint under the lock; each on its own ctx
//	last read from the store 50 s ago or more            waits for the store, 2 s or half of its ctx at most, then goes on
//	last read from the store 25 s ago or more            goes on with it; one goroutine reads the store
//	past RefreshAt                                       goes on with it; one goroutine mints under the lock
//	anything else                                        goes on with it
//
//	what happens                                        what follows
//	--------------------------------------------------  ---------------------------------------------------------
//	a read or refresh failed, what is held still lives   goes on with it; no further try for 5-15 s
//	a read or mint failed, nothing to go on with         every call gets that error for 1-5 s, then one tries again
//	the platform refused what is held                    it alone is dropped; the store is read, else mint; one repeat
//	refused the other one, too, 30 s old when used       it is dropped, too: it may have died as well; one last repeat
//	refused the last one, too, as old                    it is dropped, too; the next call gets another
//	refused another one that was fresher                 nothing is dropped or repeated for 1-5 s, then 2-10 s ... 60 s;
//	                                                     a source's are of no known age: always this row
//	minted, but the store did not take it                held all the same; put into the store at the next try
//	the store lost it                                    put back under the lock; no refresh for 5-15 s, because others
//	                                                     may hold a newer one and put that back in turn
//	the store holds an older one than what is held       the newer one is put back: minting it killed the older
//
// A refresh kills the previous token a minute later, so every machine has to notice within that minute: hence 25 s
// and 50 s. Who mints, and when, is the same everywhere because RefreshAt is chosen at the mint and stored with it.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	readSoon  = 25 * time.Second // age of the last read at which one more runs in the background
	readFirst = 50 * time.Second // age of the last read at which calls wait for one
	readWait  = 2 * time.Second  // how long they wait while what is held still lives

	// rereadFresh is how old a read may be that settles whether there is something newer.
	rereadFresh = 5 * time.Second

	// fillTimeout bounds a read and a mint together. It outlives the lease of a crashed lock holder.
	fillTimeout = 45 * time.Second
)

// credentialCache is safe for concurrent use; a call that finds the credential alive takes no lock and allocates
// nothing.
type credentialCache struct {
	origin origin
	clock  *clock
	log    *slog.Logger

	held   atomic.Pointer[held]
	failed atomic.Pointer[failure]
	flight singleflight.Group // one fill at a time
	busy   atomic.Bool        // a background fill is running

	paused   gate // no fill that can wait starts
	quarrels gate // no refusal drops anything
	rereads  gate // no callback asks for another read

	quarrelLength atomic.Int64 // nanoseconds that the next quarrel lasts at least
}

// A gate is shut until a moment of local time. Time is kept as time.Time because a clock that is set back must not keep
// a gate shut.
type gate struct{ until atomic.Pointer[time.Time] }

func (g *gate) shut(local time.Time) bool {
	until := g.until.Load()
	return until != nil && local.Before(*until)
}

// shutUntil reports whether this call shut it: only one of many does.
func (g *gate) shutUntil(local, until time.Time) bool {
	before := g.until.Load()
	return (before == nil || !local.Before(*before)) && g.until.CompareAndSwap(before, &until)
}

// held is the credential in this process, replaced as a whole.
type held struct {
	record
	readAt  time.Time // local time of the last read from the origin; zero: the origin does not have it yet
	refused bool      // by the platform

	// calm is the age until which nothing but use can be its action, as long as the clock's offset stays the same.
	calm   time.Duration
	offset int64
}

// hold returns rec as held from now on.
func (c *credentialCache) hold(rec *record, readAt time.Time) *held {
	h := &held{record: *rec, readAt: readAt, offset: c.clock.offset.Load()}
	if now := readAt.Add(time.Duration(h.offset)); !readAt.IsZero() {
		h.calm = readSoon
		if !h.mintedAt.IsZero() {
			h.calm = min(h.calm, h.RefreshAt.Sub(now))
		}
		if !h.ExpiresAt.IsZero() {
			h.calm = min(h.calm, h.ExpiresAt.Sub(now))
		}
	}
	return h
}

// past returns the record of h, nil when nothing is held.
func (h *held) past() *record {
	if h == nil {
		return nil
	}
	return &h.record
}

// whyMint says for the log what made a mint necessary.
func (h *held) whyMint(now time.Time) string {
	switch {
	case h == nil:
		return "nothing was held"
	case h.refused:
		return "the old one was refused"
	case !h.valid(now):
		return "the old one expired"
	}
	return "the old one was due"
}

// failure is why there is no credential, for the calls of the next seconds.
type failure struct {
	err   error
	until time.Time
}

// action is a row of the first table above.
type action int

const (
	use action = iota
	useAndFill
	fillBriefly
	fillFirst
)

func (c *credentialCache) action(h *held) action {
	if h == nil || h.refused {
		return fillFirst
	}
	local := c.clock.local() // once: reading the clock is most of what a warm call costs
	age := local.Sub(h.readAt)
	if 0 <= age && age < h.calm && h.offset == c.clock.offset.Load() {
		return use
	}
	now := c.clock.at(local)
	a := use
	switch {
	case !c.clock.lives(&h.record, now):
		return fillFirst
	case age >= readFirst || age < 0:
		a = fillBriefly
	case age >= readSoon, c.clock.due(&h.record, now):
		a = useAndFill
	}
	if a != use && c.paused.shut(local) {
		return use
	}
	return a
}

// get returns a credential to make a call with. Its error is ctx's, the store's or the platform's.
func (c *credentialCache) get(ctx context.Context) (*held, error) {
	for {
		h := c.held.Load()
		switch c.action(h) {
		case use:
			return h, nil
		case useAndFill:
			c.fillBehind(ctx)
			return h, nil
		case fillBriefly:
			wait := readWait
			if end, ok := ctx.Deadline(); ok {
				wait = min(wait, time.Until(end)/2) // the rest is for the call
			}
			brief, cancel := context.WithTimeout(ctx, wait)
			_, err := c.fillAhead(brief)
			cancel()
			if ctx.Err() != nil {
				return nil, &Error{Op: opCredential, Err: ctx.Err()}
			}
			if err != nil {
				c.putOff(err) // the store hangs; the calls after this one need not wait for it
			}
		case fillFirst:
			fresh, err := c.fillAhead(ctx)
			if err != nil {
				return nil, err
			}
			// The fill may have begun before the platform refused what it then found.
			if now := c.held.Load(); !now.refused || !now.same(&fresh.record) {
				return fresh, nil
			}
		}
	}
}

// fillAhead waits for a fill, as long as ctx lives. The fill itself goes on without its first caller.
func (c *credentialCache) fillAhead(ctx context.Context) (*held, error) {
	if ctx.Err() != nil {
		return nil, &Error{Op: opCredential, Err: ctx.Err()}
	}
	done := c.flight.DoChan("", func() (any, error) { return c.fill(ctx) })
	select {
	case result := <-done:
		fresh, _ := result.Val.(*held)
		return fresh, result.Err
	case <-ctx.Done():
		return nil, &Error{Op: opCredential, Err: ctx.Err()}
	}
}

// fillBehind starts a fill unless one is running.
func (c *credentialCache) fillBehind(ctx context.Context) {
	if c.busy.CompareAndSwap(false, true) {
		go func() {
			defer c.busy.Store(false)
			_, _, _ = c.flight.Do("", func() (any, error) { return c.fill(ctx) })
		}()
	}
}

// fill brings what is held up to date. It must run inside the flight.
func (c *credentialCache) fill(ctx context.Context) (*held, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillTimeout)
	defer cancel()

	// A second look: a flight may have ended between the caller's look and this one's start.
	h := c.held.Load()
	action := c.action(h)
	if action == use {
		return h, nil
	}
	if f := c.failed.Load(); action == fillFirst && f != nil && c.clock.local().Before(f.until) {
		return nil, f.err
	}

	readAt := c.clock.local() // before the read: what it brings may be as old as that
	rec, err := c.origin.newest(ctx, h, action != useAndFill)
	if err != nil && ctx.Err() != nil {
		// Not the end of anybody's own context, so it must not look like one.
		err = &Error{Op: opCredential, class: ErrUnavailable, Err: fmt.Errorf("not finished within %v", fillTimeout)}
	}
	switch {
	case err == nil:
		c.failed.Store(nil)
		if h != nil && rec == &h.record { // put back
			local := c.clock.local()
			c.paused.shutUntil(local, local.Add(between(5*time.Second, 15*time.Second)))
		}
	case rec != nil:
		readAt = time.Time{}
		c.putOff(err)
	case c.action(c.held.Load()) != fillFirst: // it may have died since, or been refused
		c.putOff(err)
		return h, nil
	default:
		c.failed.Store(&failure{err: err, until: c.clock.local().Add(between(time.Second, 5*time.Second))})
		return nil, err
	}
	fresh := c.hold(rec, readAt)
	for {
		now := c.held.Load()
		if now != h && now.refused && now.same(rec) {
			return now, nil // refused while it was read; who waited looks again
		}
		if c.held.CompareAndSwap(now, fresh) {
			return fresh, nil
		}
	}
}

// putOff puts the next fill that can wait off, and says so once.
func (c *credentialCache) putOff(err error) {
	local, delay := c.clock.local(), between(5*time.Second, 15*time.Second)
	if !c.paused.shutUntil(local, local.Add(delay)) {
		return
	}
	c.log.Warn("webanklive: the credential could not be refreshed; going on with the old one",
		"error", err, "again_in", delay.Round(time.Second))
}

// reread reads the origin before its time, because somebody wants to know whether it has something newer than h. It
// does so at most once a second: that somebody may be sending forged callbacks by the thousand. Its error says that
// nobody can tell at the moment.
func (c *credentialCache) reread(ctx context.Context, h *held) (*held, error) {
	if local := c.clock.local(); c.rereads.shutUntil(local, local.Add(time.Second)) {
		stale := *h
		stale.readAt = time.Time{}
		c.held.CompareAndSwap(h, &stale)
	}
	h, err := c.get(ctx)
	if err == nil && c.clock.local().Sub(h.readAt) > rereadFresh {
		err = &Error{Op: opCredential, class: ErrUnavailable, Err: errors.New("the newest SIGN ticket cannot be read at the moment")}
	}
	return h, err
}

// drop marks what is held as refused if it is rec, unless a quarrel is on: then dropping does not help. It reports
// whether it did.
func (c *credentialCache) drop(rec *record) bool {
	for {
		h := c.held.Load()
		if h == nil || h.refused || !h.same(rec) || c.quarrels.shut(c.clock.local()) {
			return false
		}
		dropped := *h
		dropped.refused = true
		if c.held.CompareAndSwap(h, &dropped) {
			c.log.Info("webanklive: the platform refused the credential; getting another")
			return true
		}
	}
}

// withCredential calls fn with a credential, once more with another if the platform refused the first, and a last time
// if the second may have died before it was used, too: others refresh as well, and this process may not know yet.
func (c *credentialCache) withCredential(ctx context.Context, fn func(h *held) error) error {
	h, err := c.get(ctx)
	if err != nil {
		return err
	}
	for repeats := 0; ; repeats++ {
		aged := c.mayHaveDied(h)
		err = fn(h)
		var refused *Error
		switch {
		case err == nil && repeats > 0:
			c.quarrelLength.Store(0) // it was the credential
			return nil
		case !errors.Is(err, ErrCredential), errors.As(err, &refused) && refused.written:
			return err
		case repeats > 0 && !aged:
			c.startQuarrel()
			return err
		}
		c.drop(&h.record)
		if repeats == 2 {
			return err
		}
		fresh, getErr := c.get(ctx)
		switch {
		case getErr != nil:
			return getErr
		case fresh.same(&h.record):
			c.startQuarrel() // there is no other, or dropping does not help
			return err
		}
		h = fresh
	}
}

// mayHaveDied reports whether somebody's mint can have ended h already: it lives for a minute whatever others do, of
// which half is left to clocks that differ.
func (c *credentialCache) mayHaveDied(h *held) bool {
	return !h.mintedAt.IsZero() && c.clock.now().Sub(h.mintedAt) > 30*time.Second
}

// startQuarrel stops refusals from dropping credentials for 1 to 5 s, and twice as long each time up to a minute: it is
// not the credential's age, and minting for each such call would break the rest of the fleet. After ten minutes without
// one it begins anew.
func (c *credentialCache) startQuarrel() {
	local := c.clock.local()
	if last := c.quarrels.until.Load(); last != nil && local.Sub(*last) > 10*time.Minute {
		c.quarrelLength.Store(0)
	}
	length := max(between(time.Second, 5*time.Second), time.Duration(c.quarrelLength.Load()))
	if c.quarrels.shutUntil(local, local.Add(length)) {
		c.quarrelLength.Store(int64(min(2*length, time.Minute)))
	}
}

// between returns a random duration from lowest to highest.
func between(lowest, highest time.Duration) time.Duration {
	return lowest + rand.N(highest-lowest+1) //nolint:gosec // spreads load, keeps no secret
}
