package checks

// The work in the background: claiming checks that are due, and renewing the claims while they are worked on. What is done
// with a check is in step.go.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"time"
)

const (
	lease        = 30 * time.Second         // of a claim
	certain      = lease - askEvery - grace // how long its owner relies on it, so that the next owner asks askEvery later
	renewEvery   = 10 * time.Second
	askEvery     = 2 * time.Second // between two queries for one check's verdict, at least
	idlePoll     = 5 * time.Second // how long Run sleeps when nothing that it knows of is due
	storeTimeout = 3 * time.Second // for one call of the store; calls that write a result go on although ctx has ended
	stopTimeout  = 5 * time.Second // how long Run waits for its work after ctx has ended
	grace        = time.Second     // for a function of the caller's whose ctx has ended

	// A store rounds times to milliseconds. A claim that comes a moment too early finds nothing, and the next comes after
	// idlePoll only.
	rounding = 5 * time.Millisecond

	maxWork    = 16 // checks that this process works on at once
	maxDecided = 8  // of these, checks that are decided: evidence takes minutes, and no page waits for it
)

// Run does the background work until ctx ends: it asks for verdicts, calls OnConcluded, fetches evidence, removes old
// checks. Call it in every process; only one process works on a check at a time. Idle, it costs one query of the store in
// five seconds. It returns nil within ten seconds of ctx's end, and releases its claims.
func (s *Service) Run(ctx context.Context) error {
	ended := make(chan work, maxWork) // has room for all, so that no goroutine waits here after Run has returned
	busy, decided := 0, 0
	failing, more := false, false // the store fails; perhaps more checks were due than could be worked on
	pollAt := time.Now()
	var soon []time.Time // when checks that were worked on here are due again
	for ctx.Err() == nil {
		if now := time.Now(); busy < maxWork && !now.Before(pollAt) {
			limit := maxWork - busy
			claimed, err := s.claim(ctx, limit, decided >= maxDecided)
			switch { // logged once, not every few seconds
			case err != nil && !failing:
				s.log(ctx, slog.LevelWarn, "checks: the store cannot be asked for work; trying again", slog.Any("error", err))
			case err == nil && failing:
				s.log(ctx, slog.LevelInfo, "checks: the store can be asked for work again")
			}
			failing, more = err != nil, len(claimed) == limit
			for _, w := range claimed {
				busy++
				if w.check.State.Final() {
					decided++
				}
				go s.do(ctx, w, ended)
			}
			soon = slices.DeleteFunc(soon, func(at time.Time) bool { return failing || !at.After(now) })
			pollAt = slices.MinFunc(append(soon, time.Now().Add(spread(idlePoll))), time.Time.Compare)
		}
		var poll <-chan time.Time
		timer := time.NewTimer(time.Until(pollAt))
		if busy < maxWork {
			poll = timer.C
		}
		select {
		case <-ctx.Done():
		case <-poll:
		case <-s.wake:
			if !failing {
				pollAt = time.Now()
			}
		case w := <-ended:
			busy--
			if w.check.State.Final() {
				more = more || decided == maxDecided
				decided--
			}
			at := time.Now()
			if !more && w.due > 0 {
				at = at.Add(w.due + rounding)
			}
			if !failing && (more || w.due >= 0 && w.due < idlePoll) {
				soon = append(soon, at)
				pollAt = slices.MinFunc(append(soon, pollAt), time.Time.Compare)
			}
		}
		timer.Stop()
	}

	stop := time.NewTimer(stopTimeout)
	defer stop.Stop()
	for ; busy > 0; busy-- {
		select {
		case <-ended:
		case <-stop.C:
			return nil
		}
	}
	return nil
}

// work is a check that was claimed.
type work struct {
	check Check
	owner string
	since time.Time     // local time of the claim
	now   time.Time     // the store's time at the claim
	due   time.Duration // when it is due again, known once it was worked on; negative: never
}

// age returns how long ago at, one of the check's times, is now.
func (w work) age(at time.Time) time.Duration { return w.now.Sub(at) + time.Since(w.since) }

// claim claims checks that are due. The owner's name is used once, so that a claim that was lost is never taken for a later
// one. The end of ctx does not end it, because then the checks that it claimed could not be freed.
func (s *Service) claim(ctx context.Context, limit int, undecided bool) ([]work, error) {
	owner, since := rand.Text(), time.Now()
	return call(context.WithoutCancel(ctx), storeTimeout, func(ctx context.Context) (claimed []work, err error) {
		list, now, err := s.store.Claim(ctx, owner, lease, limit, undecided)
		for _, c := range list {
			claimed = append(claimed, work{check: c, owner: owner, since: since, now: now, due: -1})
		}
		return claimed, err
	})
}

// do works on one check while its claim is renewed, writes down what came of it, and ends the claim.
func (s *Service) do(ctx context.Context, w work, ended chan<- work) {
	held, drop := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(held, drop, w)
	}()
	next, due, err := s.step(held, w)
	drop()
	<-renewed

	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err == nil {
		err = s.write(stop, func(ctx context.Context) error {
			_, err := s.store.Update(ctx, next, w.owner, due)
			return err
		})
	}
	w.due = due // due itself does not change: an Update that was given up may still read it
	if err != nil && !errors.Is(err, errDeleted) {
		w.due = askEvery
		if ctx.Err() == nil && !errors.Is(err, ErrConflict) {
			s.logCheck(ctx, slog.LevelWarn, "checks: a step failed; trying again", w.check, err)
		}
		_ = try(stop, storeTimeout, func(ctx context.Context) error { // else the lease ends it
			return s.store.Release(ctx, w.check.OrderNo, w.owner, askEvery)
		})
	}
	ended <- w
}

// write repeats fn for as long as ctx lives: a verdict that is not written costs another query.
func (s *Service) write(ctx context.Context, fn func(context.Context) error) error {
	for delay := 200 * time.Millisecond; ; delay *= 2 {
		err := try(ctx, storeTimeout, fn)
		if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || !pause(ctx, delay) {
			return err
		}
	}
}

// renew keeps the claim of w, and calls drop when it is lost or can no longer be relied on.
func (s *Service) renew(ctx context.Context, drop func(), w work) {
	defer drop()
	end := w.since.Add(certain)
	for delay := renewEvery; pause(ctx, min(delay, time.Until(end))); {
		began := time.Now()
		err := try(ctx, min(storeTimeout, end.Sub(began)), func(ctx context.Context) error {
			return s.store.Renew(ctx, w.check.OrderNo, w.owner, lease)
		})
		switch {
		case err == nil:
			end, delay = began.Add(certain), renewEvery
		case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound), !time.Now().Before(end):
			return
		default:
			delay = time.Second
		}
	}
}

// call runs a function of the caller's for limit at most. It is an error when the function panics, ends its goroutine or
// ignores the end of its ctx; neither ends the process or blocks. A result that comes later is dropped.
func call[T any](ctx context.Context, limit time.Duration, fn func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		r := result{err: errors.New("checks: a function of the caller's ended its goroutine")}
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("checks: a function of the caller's panicked: %T", p)
			}
			done <- r
		}()
		r.value, r.err = fn(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-late.C:
		return result{}.value, fmt.Errorf("checks: a function of the caller's ignores that its time is over: %w", ctx.Err())
	}
}

// try is call for a function that has an error only.
func try(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	_, err := call(ctx, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}

// spread returns d, up to a fifth longer or shorter, so that replicas do not act at the same time.
func spread(d time.Duration) time.Duration {
	return d - d/5 + mathrand.N(2*d/5+1) //nolint:gosec // spreads load, keeps no secret
}
