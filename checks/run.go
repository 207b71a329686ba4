package checks

// The work behind: claiming what is due, and holding on to it while it is worked on. What is done with a check is in
// step.go.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

const (
	lease        = 30 * time.Second // of a claim
	renewEvery   = 10 * time.Second
	idlePoll     = 5 * time.Second // how long Run sleeps when nothing that it knows of is due
	writeTimeout = 3 * time.Second // for a write that must be tried although ctx has ended
	stopTimeout  = 9 * time.Second // how long Run waits for its work after ctx has ended

	maxWork    = 16 // checks in hand at once
	maxDecided = 8  // of these, checks that are decided: evidence takes minutes, and nobody waits for it at a page
)

// Run does the work behind until ctx ends: it asks for verdicts, calls OnConcluded, fetches evidence, removes what is old.
// Call it in every process; a check is in one pair of hands at a time. Idle, it costs one query of the store in five
// seconds. It returns nil, within ten seconds of ctx's end; what it had claimed is free again then, except for an
// OnConcluded that does not return: its claim ends by itself 30 seconds later.
func (s *Service) Run(ctx context.Context) error {
	ended := make(chan work, maxWork) // has room for all, so that nobody waits here after Run has returned
	busy, decided := 0, 0
	failing, more := false, false // the store fails; more checks were due than there were hands
	pollAt := time.Now()
	for ctx.Err() == nil {
		if busy < maxWork && !time.Now().Before(pollAt) {
			limit := maxWork - busy
			claimed, err := s.claim(ctx, limit, decided >= maxDecided)
			pollAt = time.Now().Add(spread(idlePoll))
			s.logOutage(ctx, failing, err)
			failing, more = err != nil, len(claimed) == limit || decided >= maxDecided
			for _, w := range claimed {
				busy++
				if w.check.State.Final() {
					decided++
				}
				go s.do(ctx, w, ended)
			}
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
				decided--
			}
			again := time.Now().Add(w.due)
			if more {
				again = time.Now()
			}
			if (more || w.due >= 0) && !failing && again.Before(pollAt) {
				pollAt = again
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
	due   time.Duration // when it is due again, known when it ended; negative: never
}

// age returns how long ago at, one of the check's times, is now.
func (w work) age(at time.Time) time.Duration { return w.now.Sub(at) + time.Since(w.since) }

// claim takes what is due. The owner's name is used once, so that a claim that was lost is never taken for a later one.
func (s *Service) claim(ctx context.Context, limit int, undecided bool) ([]work, error) {
	owner, since := rand.Text(), time.Now()
	var list []Check
	var now time.Time
	err := guard(func() (err error) {
		list, now, err = s.store.Claim(ctx, owner, lease, limit, undecided)
		return err
	})
	claimed := make([]work, 0, len(list))
	for _, c := range list {
		claimed = append(claimed, work{check: c, owner: owner, since: since, now: now, due: -1})
	}
	return claimed, err
}

// do works on one check while its claim is renewed, writes down what came of it, and ends the claim.
func (s *Service) do(ctx context.Context, w work, ended chan<- work) {
	state := w.check // as it was claimed: Run counts by it
	next, err := state, errors.New("a function of the caller's ended its goroutine")
	due := retryDue
	defer func() { // also when OnConcluded ends this goroutine
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		defer cancel()
		if err == nil {
			err = s.write(stop, next, w.owner, due)
		}
		if err != nil && !errors.Is(err, errDeleted) {
			due = retryDue
			if ctx.Err() == nil && !errors.Is(err, ErrConflict) {
				s.cfg.Logger.WarnContext(ctx, "checks: a step failed; trying again", "order_no", state.OrderNo, "state", string(state.State), "error", err)
			}
			_ = guard(func() error { return s.store.Release(stop, state.OrderNo, w.owner, retryDue) }) // else its lease ends it
		}
		w.due = due
		ended <- w
	}()

	held, drop := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(held, drop, w)
	}()
	defer func() {
		drop()
		<-renewed
	}()
	err = guard(func() (err error) {
		next, due, err = s.step(held, w)
		return err
	})
}

// write tries for as long as there is a point in it: a verdict that is lost costs another query.
func (s *Service) write(ctx context.Context, c Check, owner string, due time.Duration) error {
	for delay := 200 * time.Millisecond; ; delay *= 2 {
		err := guard(func() error {
			_, err := s.store.Update(ctx, c, owner, due)
			return err
		})
		if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || !pause(ctx, delay) {
			return err
		}
	}
}

// renew keeps the claim of w, and calls drop when it is lost or can no longer be kept for sure.
func (s *Service) renew(ctx context.Context, drop func(), w work) {
	end := w.since.Add(lease)
	for pause(ctx, min(renewEvery, time.Until(end))) {
		began := time.Now()
		renewing, cancel := context.WithDeadline(ctx, end)
		err := guard(func() error { return s.store.Renew(renewing, w.check.OrderNo, w.owner, lease) })
		cancel()
		switch {
		case err == nil:
			end = began.Add(lease)
		case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound), !time.Now().Before(end):
			drop()
			return
		}
	}
}

// logOutage says once that the store fails, and once that it works again.
func (s *Service) logOutage(ctx context.Context, failing bool, err error) {
	switch {
	case err != nil && !failing && ctx.Err() == nil:
		s.cfg.Logger.WarnContext(ctx, "checks: the store cannot be asked for work; trying again", "error", err)
	case err == nil && failing:
		s.cfg.Logger.InfoContext(ctx, "checks: the store can be asked for work again")
	}
}

// guard makes an error of a panic in a function of the caller's: no check may end the process.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("checks: a function of the caller's panicked: %T", p)
		}
	}()
	return fn()
}

// spread returns d, up to a fifth longer or shorter, so that replicas do not march in step.
func spread(d time.Duration) time.Duration {
	return d - d/5 + mathrand.N(2*d/5+1) //nolint:gosec // spreads load, keeps no secret
}
