package checks

// What is done with a check that is due: one step of the table in doc.go.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/webanklive/webanklive"
)

const (
	retryDue      = 2 * time.Second    // between two queries for one check's verdict, at least
	noResultFor   = 10 * time.Minute   // how long a signed callback may wait for its result
	refusedFor    = 3 * 24 * time.Hour // how long a check is asked about that the platform refuses to answer
	refusedDue    = time.Hour
	evidenceFor   = 3 * 24 * time.Hour // how long evidence is asked for
	concludeLimit = time.Minute        // for one call of OnConcluded
	keepAtLeast   = 24 * time.Hour     // rows count the attempts of a day
)

// errDeleted says that the check is gone, as it should be.
var errDeleted = errors.New("deleted")

// step does what is due for the check and returns it as it is to be written, and when it is due again. An error leaves
// it as it is.
func (s *Service) step(ctx context.Context, w work) (next Check, due time.Duration, err error) {
	c := w.check
	switch {
	case !c.State.Final():
		return s.decide(ctx, w)
	case !c.Concluded:
		return s.conclude(ctx, w)
	case s.cfg.Keep > 0 && s.sweepDue(w) <= 0:
		return c, -1, s.sweep(ctx, c)
	case c.Evidence == EvidencePending:
		return s.fetch(ctx, w)
	}
	return c, s.sweepDue(w), nil
}

// decide asks the platform and says what follows.
func (s *Service) decide(ctx context.Context, w work) (Check, time.Duration, error) {
	c := w.check
	if err := s.limit.Wait(ctx); err != nil {
		return c, 0, err
	}
	res, err := s.cfg.Worker.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: c.OrderNo})
	c.Tries++
	since := c.ReturnedAt
	if c.State == Launched {
		since = c.CreatedAt.Add(s.cfg.AskAfter)
	}
	switch {
	case err == nil:
		end := Abandoned // a pass that its own session did not bring home
		if c.Signed {
			end = Passed
		}
		c = c.decided(end, res)
		if s.cfg.Evidence != nil {
			c.Evidence = EvidencePending
		}
	case errors.Is(err, webanklive.ErrNotPassed) && res != nil:
		c = c.decided(NotPassed, res)
	case errors.Is(err, webanklive.ErrNotReady):
		switch {
		case c.State == Launched:
			c = c.decided(Abandoned, nil)
		case !c.Signed || isPageError(c.Code):
			if w.age(since) < retryDue { // the result may lag
				return c, retryDue, nil
			}
			c = c.decided(OtherWay, nil)
		case w.age(since) < noResultFor:
			return c, backoff(retryDue, c.Tries, 30*time.Second), nil
		default:
			c = c.decided(Abandoned, nil)
		}
	case errors.Is(err, webanklive.ErrInvalidRequest), errors.Is(err, webanklive.ErrAccount):
		s.log(ctx, slog.LevelError, "checks: the platform refuses to answer for a check", c, err)
		if w.age(since) < refusedFor {
			return c, refusedDue, nil
		}
		c = c.decided(Abandoned, nil)
	case ctx.Err() != nil:
		return c, 0, ctx.Err()
	default:
		s.log(ctx, slog.LevelWarn, "checks: no verdict yet; asking again", c, err)
		return c, backoff(retryDue, c.Tries, time.Minute), nil
	}
	if c.Concluded = s.cfg.OnConcluded == nil; c.Concluded && c.Evidence != EvidencePending {
		return c, s.sweepDue(work{check: c.endingAt(w), now: w.now, since: w.since}), nil
	}
	return c, 0, nil
}

// decided returns c with its verdict; without a result the code of the callback stays.
func (c Check) decided(end State, res *webanklive.LiveResult) Check {
	c.State, c.Tries = end, 0
	if res != nil {
		c.Code, c.LiveRate, c.BizSeqNo = res.Code, res.LiveRate, res.BizSeqNo
	}
	return c
}

// endingAt stamps what the store is about to stamp, to reckon with it.
func (c Check) endingAt(w work) Check {
	c.DecidedAt = w.now.Add(time.Since(w.since))
	return c
}

// isPageError reports whether a code says that the platform's page could not check at all.
func isPageError(code string) bool {
	info, _ := webanklive.LookupCode(code)
	return info.Reason == "device"
}

// conclude tells the partner.
func (s *Service) conclude(ctx context.Context, w work) (Check, time.Duration, error) {
	c := w.check
	if s.cfg.OnConcluded != nil {
		limited, cancel := context.WithTimeout(ctx, concludeLimit)
		defer cancel()
		if err := guard(func() error { return s.cfg.OnConcluded(limited, c) }); err != nil {
			if ctx.Err() != nil {
				return c, 0, ctx.Err()
			}
			c.Tries++
			s.log(ctx, slog.LevelError, "checks: OnConcluded failed; calling it again", c, err)
			return c, backoff(time.Second, c.Tries, 10*time.Minute), nil
		}
	}
	c.Concluded, c.Tries = true, 0
	if c.Evidence == EvidencePending {
		return c, 0, nil
	}
	return c, s.sweepDue(w), nil
}

// fetch asks for the evidence, in calls of its own.
func (s *Service) fetch(ctx context.Context, w work) (Check, time.Duration, error) {
	c, complete, err := w.check, false, errors.New("no Evidence is configured")
	if s.cfg.Evidence != nil {
		err = guard(func() (err error) {
			complete, err = s.cfg.Evidence.Save(ctx, c.OrderNo, s.stream)
			return err
		})
	}
	c.Tries++
	switch {
	case err == nil && complete:
		c.Evidence, c.Tries = EvidenceKept, 0
		return c, s.sweepDue(w), nil
	case ctx.Err() != nil:
		return c, 0, ctx.Err()
	case w.age(c.DecidedAt) >= evidenceFor:
		c.Evidence, c.Tries = EvidenceMissing, 0
		s.log(ctx, slog.LevelError, "checks: the evidence is not complete and no longer asked for", c, err)
		return c, s.sweepDue(w), nil
	case err != nil:
		s.log(ctx, slog.LevelWarn, "checks: no evidence yet; asking again", c, err)
	}
	due := backoff(retryDue, c.Tries, time.Hour)
	if sweep := s.sweepDue(w); sweep >= 0 {
		due = min(due, sweep)
	}
	return c, due, nil
}

// stream is the worker's StreamLiveMedia within the rate.
func (s *Service) stream(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	if err := s.limit.Wait(ctx); err != nil {
		return nil, err
	}
	return s.cfg.Worker.StreamLiveMedia(ctx, req)
}

// sweep removes the evidence first: a row without files is removed again, files without a row would stay for ever.
func (s *Service) sweep(ctx context.Context, c Check) error {
	if c.Evidence != EvidenceNone {
		if s.cfg.Evidence == nil {
			return fmt.Errorf("checks: the evidence of an old check cannot be removed: no Evidence is configured")
		}
		if err := s.cfg.Evidence.Remove(ctx, c.OrderNo); err != nil {
			return err
		}
	}
	if err := s.store.Delete(ctx, c.OrderNo, c.Version); err != nil {
		return err
	}
	return errDeleted
}

// sweepDue returns when a check is to be removed, 0 when now, and a negative duration for never.
func (s *Service) sweepDue(w work) time.Duration {
	if s.cfg.Keep == 0 {
		return -1
	}
	return max(s.cfg.Keep-w.age(w.check.DecidedAt), keepAtLeast-w.age(w.check.CreatedAt), 0)
}

func (s *Service) log(ctx context.Context, level slog.Level, message string, c Check, err error) {
	s.cfg.Logger.LogAttrs(ctx, level, message, slog.String("order_no", c.OrderNo), slog.String("state", string(c.State)),
		slog.Int("tries", c.Tries), slog.Any("error", err))
}

// backoff returns first, doubled for each try after the first, at most longest, and up to a quarter more.
func backoff(first time.Duration, tries int, longest time.Duration) time.Duration {
	d := min(first<<min(max(tries-1, 0), 16), longest)
	return d + spread(d/8)
}
