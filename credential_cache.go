package webanklive

// The credential as this process holds it: when it is used, read again, refreshed and dropped.
//
//	what is held                              what a call does
//	----------------------------------------  -------------------------------------------------------------------
//	nothing, expired, or refused              waits for the store, else for one mint under the lock; on its own ctx
//	read 50 s ago or more                     waits for the store, 2 s or half of its time at most, then goes on
//	read 25 s ago or more, or past RefreshAt  goes on with it; one goroutine reads, and mints under the lock when it is due
//	anything else                             uses it
//
//	what happens                              what follows
//	----------------------------------------  -------------------------------------------------------------------
//	a fill fails, what is held can be used    calls go on with it at once; the next fill begins after 5-15 s, or a minute
//	                                          when the platform refused the mint
//	a fill fails, nothing can be used         calls get its error for 1-5 s, then one tries again
//	the platform refuses what is held         it is dropped, the store read, else one minted, and the call repeated once
//	it refuses again within a minute          nothing is dropped; the call ends with the refusal
//	minted, but not stored                    it is used all the same, and put into the store by the next fill
//	the store lost it, or has an older one    it is put back under the lock
//
// A mint ends the credential before it one minute later. So every process of a fleet reads the store that often: within
// 25 s while it is busy, and before the first call after a pause of 50 s. When to refresh is chosen at the mint and
// stored with it, so that all processes agree.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	readSoon  = 25 * time.Second // age of the last read at which another begins in the background
	readFirst = 50 * time.Second // age of the last read at which calls wait for another
	readWait  = 2 * time.Second  // how long they wait

	// fillTimeout bounds a read and a mint together. It outlasts the lease of a lock holder that crashed.
	fillTimeout = 45 * time.Second

	// rereadEvery is how often callbacks whose signature does not match make this process read the store: their
	// sender may forge them by the thousand. rereadFresh is the age up to which a read settles what is newest.
	rereadEvery = time.Second
	rereadFresh = 5 * time.Second
)

// A credentialCache is safe for concurrent use.
type credentialCache struct {
	origin credentialOrigin
	clock  *clock
	limit  *mintLimit
	log    *slog.Logger
	redact *redactor
	flight singleflight.Group // one fill at a time, and one Refresh

	mu       sync.Mutex // guards the rest; never held while anything else is waited for
	held     *record    // nil: nothing
	readAt   time.Time  // when its last read began, on the local clock; zero: it is not known to be in the store
	unread   bool       // the last fill could not read it
	refused  bool       // the platform refused what is held
	filling  time.Time  // when the fill under way began; zero: there is none
	failure  error      // why the last fill failed; nil: it did not
	failedAt time.Time
	retryAt  time.Time // backoff: until then no fill begins that calls can do without
	rereadAt time.Time // when a callback last asked for a read
}

// A credentialOrigin is where the credential comes from: a store, or a source.
type credentialOrigin interface {
	// newest returns the newest credential. It may run twice at once, and go on after its fill was given up.
	newest(ctx context.Context, f *fill) (*record, error)
}

// A fill is one attempt to bring what is held up to date.
type fill struct {
	held    *record // when it began; nil: nothing
	refused bool
	urgent  bool // somebody waits for it, so a credential that is due will do
	mintNow bool // for Refresh
	began   time.Time
	read    bool   // it has read what is stored
	reason  string // of the mint that it made; empty: none

	// found takes over what can be used already: a credential before it is refreshed, a mint before it is stored.
	found func(rec *record, readAt time.Time)
}

// action is a row of the first table.
type action int

const (
	use          action = iota
	fillBehind          // use it and fill
	fillAtMost          // fill, wait for readWait, use it
	fillFirst           // fill and wait
	failAsBefore        // the last fill's error is still fresh
)

// usable must be called with mu held.
func (c *credentialCache) usable(now time.Time) bool {
	return c.held != nil && !c.refused && !c.held.expired(now)
}

// look returns what is held and what a call does with it; with failAsBefore the error.
func (c *credentialCache) look() (*record, action, error) {
	local := c.clock.local().Round(0) // without the monotonic reading, which stops while a machine sleeps
	now := c.clock.at(local)
	c.mu.Lock()
	defer c.mu.Unlock()
	age := local.Sub(c.readAt)
	switch {
	case !c.usable(now) && c.failure != nil && time.Now().Before(c.retryAt):
		return nil, failAsBefore, c.failure
	case !c.usable(now):
		return nil, fillFirst, nil
	case 0 <= age && age < readSoon && !c.held.due(now):
		return c.held, use, nil
	case time.Now().Before(c.retryAt), !c.filling.IsZero() && time.Since(c.filling) >= readWait:
		return c.held, use, nil
	case 0 <= age && age < readFirst, c.failure != nil && time.Since(c.failedAt) < readFirst:
		if !c.filling.IsZero() {
			return c.held, use, nil
		}
		return c.held, fillBehind, nil
	}
	return c.held, fillAtMost, nil
}

// get returns a credential to make a call with. Its error is ctx's, the store's, the source's or the platform's.
func (c *credentialCache) get(ctx context.Context) (*record, error) {
	for range 5 { // a fill that began before a refusal brings nothing new; no more of them than that can come together
		rec, do, err := c.look()
		switch do {
		case use:
			return rec, nil
		case fillBehind:
			c.start(ctx, false)
			return rec, nil
		case fillAtMost:
			finished, err := c.wait(ctx, c.start(ctx, false), readWait)
			if ctx.Err() != nil {
				return nil, err
			}
			if !finished {
				return rec, nil
			}
		case fillFirst:
			_, err := c.wait(ctx, c.start(ctx, false), 0)
			if rec, do, _ := c.look(); do < fillFirst && ctx.Err() == nil {
				return rec, nil // perhaps in spite of an error: minted, but not stored
			}
			if err != nil {
				return nil, err
			}
		case failAsBefore:
			return nil, err
		}
	}
	return nil, &Error{Op: opCredential, class: ErrUnavailable, Err: errors.New("the credential changes faster than it can be used")}
}

// reread returns what is held after a read that began a moment ago, because somebody wants to know whether there is
// something newer. Nobody else waits for it. Its error says that nobody can tell at the moment.
func (c *credentialCache) reread(ctx context.Context) (*record, error) {
	if c.mayReread() {
		if _, err := c.wait(ctx, c.start(ctx, true), readWait); ctx.Err() != nil {
			return nil, err
		}
	}
	rec, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := c.clock.local().Round(0).Sub(c.readAt); age < 0 || age > rereadFresh || c.unread {
		return nil, &Error{Op: opCredential, class: ErrUnavailable, Err: errors.New("the newest SIGN ticket cannot be read at the moment")}
	}
	return rec, nil
}

// mayReread reports whether a callback may begin a read, or wait for the one under way.
func (c *credentialCache) mayReread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case !c.filling.IsZero():
		return true
	case now.Sub(c.rereadAt) < rereadEvery, c.failure != nil && now.Before(c.retryAt):
		return false
	}
	c.rereadAt = now
	return true
}

// invalidate drops what is held if it is refused, unless a refusal or a clock made this process mint less than a minute
// ago: another credential would not help. It reports whether there is, or will be, another one.
func (c *credentialCache) invalidate(refused *record) bool {
	c.mu.Lock()
	another := c.held == nil || c.refused || !c.held.same(refused)
	drop := !another && c.limit.mayReplace(c.held)
	if drop {
		c.refused, c.retryAt = true, time.Time{}
	}
	c.mu.Unlock()
	if drop {
		c.say(slog.LevelInfo, "webanklive: the platform refused the credential; getting another")
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
	if c.invalidate(rec) {
		if fresh, err = c.get(ctx); err != nil {
			return err
		}
	}
	if fresh.same(rec) {
		explained := *refusal
		explained.Err = errNotReplaced
		return &explained
	}
	if err = fn(fresh); errors.Is(err, ErrCredential) {
		c.invalidate(fresh)
	}
	return err
}

// start begins a fill, or joins the one under way. anyway: also when what is held needs none.
func (c *credentialCache) start(ctx context.Context, anyway bool) <-chan singleflight.Result {
	return c.flight.DoChan("fill", func() (any, error) {
		f, err := c.begin(anyway)
		if f == nil {
			return nil, err
		}
		return nil, c.run(ctx, f)
	})
}

// wait waits for a fill as long as ctx lives. With a limit it waits for that long at most, and for half of ctx's time,
// because the rest is for the call.
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

// contextEnded is the error of a caller whose ctx ended. It has no class, and matches ctx's error and its cause.
func contextEnded(ctx context.Context, op string) *Error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &Error{Op: op, Err: err}
}

// begin looks again, because a fill may have ended since the caller looked: it returns nil when none is needed.
func (c *credentialCache) begin(anyway bool) (*fill, error) {
	_, do, err := c.look()
	switch {
	case do == failAsBefore:
		return nil, err
	case do == use && !anyway:
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filling = time.Now()
	return &fill{held: c.held, refused: c.refused, urgent: do != fillBehind, began: c.clock.local().Round(0)}, nil
}

// run fills, and goes on without the callers who left.
func (c *credentialCache) run(ctx context.Context, f *fill) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillTimeout)
	defer cancel()
	f.found = func(rec *record, readAt time.Time) {
		if ctx.Err() == nil { // else it was given up
			c.keep(rec, readAt, f)
		}
	}
	rec, err := c.origin.newest(ctx, f)
	if err != nil && ctx.Err() != nil {
		// Not the end of anybody's own context, so it must not look like one.
		err = &Error{Op: opCredential, class: ErrUnavailable, Err: fmt.Errorf("not finished within %v: %w", fillTimeout, notCallers(err))}
	}
	if f.mintNow {
		if err == nil {
			c.keep(rec, f.began, f)
		}
	} else {
		c.finish(f, rec, err)
	}
	if f.reason != "" {
		c.say(slog.LevelInfo, "webanklive: minted a credential", "because", f.reason)
	}
	return err
}

// keep replaces what is held, unless rec is older.
func (c *credentialCache) keep(rec *record, readAt time.Time, f *fill) {
	c.redact.add(rec.AccessToken, rec.SignTicket, rec.PreviousSignTicket)
	c.mu.Lock()
	defer c.mu.Unlock()
	f.read = f.read || !readAt.IsZero()
	if c.held != nil && rec.number < c.held.number {
		return
	}
	// A refusal that came after the fill began stands: whoever waits looks again.
	c.refused = c.refused && !f.refused && c.held.same(rec)
	c.held, c.readAt = rec, readAt
}

// finish takes over what a fill brought, decides when the next one may begin, and says what is worth a line.
func (c *credentialCache) finish(f *fill, rec *record, err error) {
	if err == nil {
		c.keep(rec, f.began, f)
	}
	now := c.clock.now()
	c.mu.Lock()
	recovered, usable, held := c.failure != nil && err == nil, c.usable(now), c.held
	delay := between(5*time.Second, 15*time.Second)
	switch {
	case err == nil && rec != f.held:
		delay = 0
	case err == nil:
		// It was put back. Others may hold a newer one, and put that back in turn.
	case !usable:
		delay = between(time.Second, 5*time.Second)
	case refusedMint(err):
		delay = mintEvery
	}
	if usable && !held.ExpiresAt.IsZero() {
		delay = min(delay, held.ExpiresAt.Sub(now))
	}
	c.failure, c.failedAt, c.retryAt, c.filling = err, time.Now(), time.Now().Add(delay), time.Time{}
	c.unread = !f.read
	c.mu.Unlock()

	switch {
	case recovered:
		c.say(slog.LevelInfo, "webanklive: the credential is kept up to date again")
	case err != nil && usable:
		level := slog.LevelWarn
		if errors.Is(err, ErrCredential) || errors.Is(err, ErrAccount) {
			level = slog.LevelError
		}
		args := []any{"error", err, "again_in", delay.Round(time.Second).String()}
		if !held.ExpiresAt.IsZero() {
			args = append(args, "calls_go_on_until", held.ExpiresAt)
		}
		c.say(level, "webanklive: the credential could not be refreshed; going on with the old one", args...)
	}
}

// say logs a line. A logger that panics, ends its goroutine or hangs must not take a fill along, which others wait for.
func (c *credentialCache) say(level slog.Level, line string, args ...any) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = guarded(ctx, func(ctx context.Context) (struct{}, error) {
		c.log.Log(ctx, level, line, args...)
		return struct{}{}, nil
	})
}

// refresh mints now.
func (c *credentialCache) refresh(ctx context.Context) error {
	if _, ok := c.origin.(*storeOrigin); !ok {
		return &Error{Op: opRefresh, class: ErrInvalidRequest, Err: errors.New("a credential source decides by itself when to refresh")}
	}
	if ctx.Err() != nil {
		return contextEnded(ctx, opRefresh)
	}
	_, err := c.wait(ctx, c.flight.DoChan("refresh", func() (any, error) {
		c.mu.Lock()
		f := &fill{held: c.held, refused: c.refused, mintNow: true, began: c.clock.local().Round(0)}
		c.mu.Unlock()
		return nil, c.run(ctx, f)
	}), 0)
	return err
}

func (c *credentialCache) status() Status {
	now := c.clock.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Held: c.usable(now), LastError: c.failure, ClockSkew: time.Duration(c.clock.skew.Load())}
	if c.failure != nil {
		s.LastErrorAt = c.failedAt
	}
	if c.held != nil {
		s.MintedAt, s.RefreshAt, s.ExpiresAt = c.held.mintedAt, c.held.RefreshAt, c.held.ExpiresAt
	}
	return s
}

// guarded calls fn, which runs code of the caller's, in a goroutine of its own. A panic and an early end of that goroutine
// are errors, and so is an fn that does not return a second after ctx ended: its late result is dropped.
func guarded[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errors.New("ended its goroutine")}
		defer func() {
			if recover() != nil { // what it panicked with may hold a secret
				o = outcome{err: errors.New("panicked")}
			}
			done <- o
		}()
		o.value, o.err = fn(ctx)
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	late := time.NewTimer(time.Second) // what listens to ctx says more than ctx does
	defer late.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-late.C:
		var none T
		return none, errors.New("does not return, and ignores the end of its context")
	}
}

// between returns a random duration from lowest to highest.
func between(lowest, highest time.Duration) time.Duration {
	return lowest + rand.N(highest-lowest+1) //nolint:gosec // spreads load, keeps no secret
}
