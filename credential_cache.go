package webanklive

// The credential that this process holds in memory: when calls use it, and when it is brought up to date.
//
// A fill brings it up to date: it reads the store, and mints under the store's lock if the credential there is missing,
// expired, refused or due (past RefreshAt, 18 to 22 minutes after its mint). All calls share one fill in flight.
// With a CredentialSource, read "source" for "store": it is asked, and nothing is minted.
//
// What a call does is the first row that applies:
//
//	what is held                              what a call does
//	----------------------------------------  ---------------------------------------------------------------------
//	nothing, expired, or refused              waits for a fill until its own ctx ends
//	the store was read 50 s ago or more       waits for a fill for 2 s, or half of the time left to its ctx, then uses it
//	read 25 s ago or more, or it is due       uses it at once; a fill runs in the background
//	anything else                             uses it
//
//	what happens                              what follows
//	----------------------------------------  ---------------------------------------------------------------------
//	a fill takes longer than 2 s              calls that hold a usable credential do not wait for it
//	a fill fails, what is held can be used    calls use it without waiting, for 50 s; the next fill begins after 5-15 s
//	a fill fails, nothing can be used         calls fail with its error for 1-5 s; the first call after that fills again
//	the platform refuses what is held         it is dropped, a fill gets another, and the call is repeated once
//	it refuses that, too, within a minute     nothing is dropped, and the call ends with the refusal
//	the platform refuses to mint              fills fail; a mint is tried again after a minute (mintLimit in mint.go)
//	minted, but not stored                    it is used, and a later fill puts it into the store
//	the store lost it, or has an older one    a fill puts it back under the lock
//	a callback's signature does not match     the store is read now, once a second at most; other calls do not wait
//	Client.Refresh                            mints under the lock whatever is held; its failure changes nothing for calls
//
// Why 50 s: a mint ends the credential before it one minute later, so every process that makes calls has to read the store
// within that minute. Why RefreshAt is stored with the credential: so that all processes agree when it is due.

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	readSoon  = 25 * time.Second // age of the last read at which another begins in the background
	readFirst = 50 * time.Second // age of the last read at which calls wait for another
	readWait  = 2 * time.Second  // how long they wait

	// fillTimeout bounds a fill: its read and its mint together. It is longer than a lease of 30 s, so that a fill gets the
	// lock of a holder that crashed. With a longer lease fills fail until it is over.
	fillTimeout = 45 * time.Second

	// rereadEvery is the least time between two reads of the store for callbacks: an attacker may forge thousands of them.
	rereadEvery = time.Second
)

// A credentialCache is safe for concurrent use.
type credentialCache struct {
	origin credentialOrigin
	clock  *clock
	limit  *mintLimit
	log    *slog.Logger
	redact *redactor
	flight singleflight.Group // one fill at a time, one Refresh, and one read for callbacks

	mu        sync.Mutex // guards the rest; never held while anything else is waited for
	held      *record    // nil: nothing
	readAt    time.Time  // when the last read of the store began, on the local clock; zero: what is held may not be stored
	refused   bool       // the platform refused what is held
	filling   time.Time  // when the fill in flight began; zero: there is none
	failure   error      // why the last fill failed; nil: it did not
	failedAt  time.Time
	retryAt   time.Time // backoff: no fill begins before, unless a call has nothing that it can use
	rereadAt  time.Time // when a read for a callback last began
	rereadErr error     // how it ended
}

// A credentialOrigin is where the credential comes from: a store, or a source.
type credentialOrigin interface {
	newest(ctx context.Context, f *fill) (*record, error)
}

// A fill is one attempt to bring what is held up to date, see the top of this file.
type fill struct {
	held    *record   // what was held when it began; nil: nothing
	refused bool      // the platform had refused that
	readAt  time.Time // when it began, on the local clock
	urgent  bool      // a call waits for it, so a stored credential that is due but not expired is good enough
	refresh bool      // for Client.Refresh: mints whatever is stored
	quiet   bool      // for a callback or Client.Refresh: its failure starts no backoff for calls

	reason string            // why it minted; empty: it did not
	minted func(rec *record) // is called with a new credential before that is stored, so that calls can use it at once
}

// action is what a call does: the second column of the first table, from its last row up.
type action int

const (
	use          action = iota
	fillBehind          // use it; a fill runs in the background
	fillAtMost          // wait for a fill, readWait at most, then use it
	fillFirst           // wait for a fill
	failAsBefore        // fail with the error of the last fill
)

// look returns what is held and what a call does with it; with failAsBefore, the error.
func (c *credentialCache) look() (*record, action, error) {
	local := c.clock.local().Round(0) // without its monotonic reading, which stops while a machine sleeps
	c.mu.Lock()
	defer c.mu.Unlock()
	now, age := c.clock.at(local), local.Sub(c.readAt)
	if !c.usable(now) {
		if c.failure != nil && time.Now().Before(c.retryAt) {
			return nil, failAsBefore, c.failure
		}
		return nil, fillFirst, nil
	}
	if 0 <= age && age < readSoon && !c.held.due(now) {
		return c.held, use, nil
	}
	behind := 0 <= age && age < readFirst || c.failure != nil && time.Since(c.failedAt) < readFirst
	switch {
	case time.Now().Before(c.retryAt), !c.filling.IsZero() && (behind || time.Since(c.filling) >= readWait):
		return c.held, use, nil
	case behind:
		return c.held, fillBehind, nil
	}
	return c.held, fillAtMost, nil
}

// usable must be called with mu held.
func (c *credentialCache) usable(now time.Time) bool {
	return c.held != nil && !c.refused && !c.held.expired(now)
}

// get returns a credential to make a call with. Its error is ctx's, the store's, the source's or the platform's.
func (c *credentialCache) get(ctx context.Context) (*record, error) {
	if c == nil {
		return nil, errNoClient
	}
	for range 5 { // a fill that began before a refusal brings nothing new
		rec, do, err := c.look()
		switch do {
		case use:
			return rec, nil
		case fillBehind:
			c.start(ctx)
			return rec, nil
		case fillAtMost:
			if finished, err := c.wait(ctx, c.start(ctx), readWait); ctx.Err() != nil {
				return nil, err
			} else if !finished {
				return rec, nil
			}
		case fillFirst:
			_, err := c.wait(ctx, c.start(ctx), 0)
			if rec, do, _ := c.look(); do < fillFirst && ctx.Err() == nil {
				return rec, nil // perhaps in spite of an error: minted, but not stored
			} else if err != nil {
				return nil, err
			}
		case failAsBefore:
			return nil, err
		}
	}
	return nil, unavailable("the credential changes faster than it can be used")
}

// reread returns what is held after reading the store again, because a callback may be signed with a ticket that another
// process made since. It returns ctx's error, or [ErrUnavailable] when the store cannot be read, because then it is not known
// whether there is such a ticket.
func (c *credentialCache) reread(ctx context.Context) (*record, error) {
	finished, err := c.wait(ctx, c.flight.DoChan("read", func() (any, error) {
		c.mu.Lock()
		at, err := c.rereadAt, c.rereadErr
		c.mu.Unlock()
		if now := time.Now(); now.Sub(at) >= rereadEvery {
			err = c.run(ctx, &fill{urgent: true, quiet: true})
			c.mu.Lock()
			c.rereadAt, c.rereadErr = now, err
			c.mu.Unlock()
		}
		return nil, err
	}), readWait)
	switch {
	case ctx.Err() != nil:
		return nil, err
	case !finished || err != nil:
		return nil, unavailable("the newest SIGN ticket cannot be read at the moment")
	}
	return c.get(ctx)
}

// invalidate drops what is held if that is the refused credential, unless it replaced another refused credential less than a
// minute ago: a third would not help. It reports whether another credential is held or the next fill will get one.
func (c *credentialCache) invalidate(ctx context.Context, refused *record) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	another := c.held == nil || c.refused || !c.held.same(refused)
	drop := !another && c.limit.mayReplace(c.held)
	if drop {
		c.refused, c.retryAt = true, time.Time{}
	}
	c.mu.Unlock()
	if drop {
		c.log.InfoContext(ctx, "webanklive: the platform refused the credential; getting another")
	}
	return another || drop
}

// withCredential calls fn with a credential, and once more with another if the platform refused the first.
func (c *credentialCache) withCredential(ctx context.Context, fn func(rec *record) error) error {
	rec, err := c.get(ctx)
	if err != nil {
		return err
	}
	err = fn(rec)
	var refusal *Error
	if !errors.Is(err, ErrCredential) || !errors.As(err, &refusal) || refusal.written {
		return err
	}
	fresh := rec
	if c.invalidate(ctx, rec) {
		if fresh, err = c.get(ctx); err != nil {
			return err
		}
	}
	if fresh.same(rec) {
		explained := *refusal
		explained.Err = errors.New("the credential was replaced less than a minute ago, or cannot be: another would not help")
		return &explained
	}
	if err = fn(fresh); errors.Is(err, ErrCredential) {
		c.invalidate(ctx, fresh)
	}
	return err
}

// start begins a fill, or joins the one under way.
func (c *credentialCache) start(ctx context.Context) <-chan singleflight.Result {
	return c.flight.DoChan("fill", func() (any, error) {
		_, do, err := c.look() // again: a fill may have ended since the caller looked
		if do == failAsBefore || do == use {
			return nil, err
		}
		c.mu.Lock()
		c.filling = time.Now()
		c.mu.Unlock()
		return nil, c.run(ctx, &fill{urgent: do != fillBehind})
	})
}

// wait waits for a fill as long as ctx lives. With a limit it waits that long at most, and no longer than half of the time
// that is left to ctx: the other half is for the call.
func (c *credentialCache) wait(ctx context.Context, done <-chan singleflight.Result, limit time.Duration) (finished bool, err error) {
	var late <-chan time.Time
	if limit > 0 {
		if end, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(end)/2)
		}
		timer := time.NewTimer(limit)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case result := <-done:
		return true, result.Err
	case <-late:
		return false, nil
	case <-ctx.Done():
		return false, contextEnded(ctx, opCredential)
	}
}

// run runs a fill. It does not end with the ctx of the call that began it. The code of a store or source runs on another
// goroutine (credential_foreign.go), so run always ends.
func (c *credentialCache) run(ctx context.Context, f *fill) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillTimeout)
	defer cancel()
	c.mu.Lock()
	f.held, f.refused, f.readAt = c.held, c.refused, c.clock.local().Round(0)
	c.mu.Unlock()
	f.minted = func(rec *record) {
		if ctx.Err() == nil { // else it was given up
			c.keep(rec, time.Time{}, f)
		}
	}
	rec, err := c.origin.newest(ctx, f)
	if err != nil && ctx.Err() != nil {
		err = unavailable("not finished within %v: %w", fillTimeout, err)
	}
	err = c.redact.cause(err) // a store or source may quote what it was given
	if err == nil {
		c.keep(rec, f.readAt, f)
	}
	if f.reason != "" {
		c.log.InfoContext(ctx, "webanklive: minted a credential", "because", f.reason)
	}
	if !f.quiet || f.refresh && err == nil {
		c.finish(ctx, f, rec, err)
	}
	return err
}

// keep replaces what is held, unless rec is older.
func (c *credentialCache) keep(rec *record, readAt time.Time, f *fill) {
	c.redact.add(rec.AccessToken, rec.SignTicket, rec.PreviousSignTicket)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil || rec.number >= c.held.number {
		// A refusal that came after the fill began stays: the calls that wait for the fill look again.
		c.refused = c.refused && !f.refused && c.held.same(rec)
		c.held, c.readAt = rec, readAt
	}
}

// finish decides when the next fill may begin, and logs failures and the end of them.
func (c *credentialCache) finish(ctx context.Context, f *fill, rec *record, err error) {
	now := c.clock.now()
	c.mu.Lock()
	held, usable, recovered := c.held, c.usable(now), c.failure != nil && err == nil
	delay := between(5*time.Second, 15*time.Second)
	switch {
	case err == nil && rec != f.held:
		delay = 0
	case err == nil: // what was held was put back: a process that holds a newer one needs time to put that back
	case !usable:
		delay = between(time.Second, 5*time.Second)
	case !held.ExpiresAt.IsZero():
		delay = min(delay, held.ExpiresAt.Sub(now))
	}
	c.failure, c.failedAt, c.retryAt, c.filling = err, time.Now(), time.Now().Add(delay), time.Time{}
	c.mu.Unlock()

	switch level := slog.LevelWarn; {
	case recovered:
		c.log.InfoContext(ctx, "webanklive: the credential is kept up to date again")
	case err != nil && usable:
		if refusesMint(err) {
			level = slog.LevelError
		}
		c.log.Log(ctx, level, "webanklive: the credential could not be refreshed; going on with the old one",
			"error", err, "calls_go_on_until", held.ExpiresAt, "again_in", delay.Round(time.Second).String())
	}
}

// refresh mints now.
func (c *credentialCache) refresh(ctx context.Context) error {
	if c == nil {
		return errNoClient
	}
	if _, ok := c.origin.(*sourceOrigin); ok {
		return &Error{Op: opRefresh, class: ErrInvalidRequest, Err: errors.New("a credential source alone decides when to refresh")}
	}
	if ctx.Err() != nil {
		return contextEnded(ctx, opRefresh)
	}
	_, err := c.wait(ctx, c.flight.DoChan("refresh", func() (any, error) {
		return nil, c.run(ctx, &fill{refresh: true, quiet: true})
	}), 0)
	return err
}

func (c *credentialCache) status() Status {
	if c == nil {
		return Status{LastError: errNoClient}
	}
	now := c.clock.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Held: c.usable(now), LastError: c.failure, ClockSkew: time.Duration(c.clock.skew.Load())}
	if c.held != nil {
		s.MintedAt, s.RefreshAt, s.ExpiresAt = c.held.mintedAt, c.held.RefreshAt, c.held.ExpiresAt
	}
	if c.failure != nil {
		s.LastErrorAt = c.failedAt
	}
	return s
}
