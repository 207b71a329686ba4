package checks

// What is done with a check that is due: one step of the table in doc.go.

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/webanklive/webanklive"
)

const (
	noResultFor   = 10 * time.Minute   // a check without a result is abandoned after this time and
	noResults     = 22                 // this number of answers that there is none, which usually take as long
	refusedFor    = 3 * 24 * time.Hour // how long a check is asked about that the platform refuses to answer for
	refusedDue    = time.Hour          // between two such queries
	evidenceFor   = 3 * 24 * time.Hour // how long evidence is asked for
	keepAtLeast   = 24 * time.Hour     // rows count the attempts of a day
	askLimit      = 5 * time.Minute    // for one GetLiveResult, credential and repeats included
	concludeLimit = time.Minute        // for one call of OnConcluded
	evidenceLimit = 15 * time.Minute   // for one call of Evidence.Save: a media call may take ten minutes
)

// errDeleted says that the check was deleted on purpose, so that there is nothing to write.
var errDeleted = errors.New("deleted")

// step does the work that is due for the check. It returns the check as it is to be written, and when it is due again. With an
// error nothing is written.
func (s *Service) step(ctx context.Context, w work) (next Check, due time.Duration, err error) {
	c := w.check
	switch {
	case !c.State.Final():
		return s.decide(ctx, w)
	case c.Concluded && s.sweepDue(w) == 0:
		return s.sweep(ctx, c)
	case !c.Concluded:
		if err := s.conclude(ctx, c); err == nil {
			c.Concluded, c.Tries = true, 0
			return c, s.nextDue(c, w), nil
		} else if ctx.Err() == nil {
			s.logCheck(ctx, slog.LevelError, "checks: OnConcluded failed; calling it again", c, err)
		}
	}
	if c.Evidence == EvidencePending && ctx.Err() == nil { // also when OnConcluded fails: the platform does not keep it for long
		c.Evidence = s.fetch(ctx, w)
	}
	c.Tries++
	return c, s.nextDue(c, w), ctx.Err()
}

// nextDue returns when a check that is decided is due again; negative: never.
func (s *Service) nextDue(c Check, w work) time.Duration {
	sweep := s.sweepDue(w)
	switch {
	case c.Concluded && c.Evidence != EvidencePending:
		return sweep
	case c.Tries == 0:
		return 0
	case !c.Concluded:
		return backoff(time.Second, c.Tries, 10*time.Minute)
	}
	retry := backoff(askEvery, c.Tries, time.Hour)
	if sweep >= 0 {
		retry = min(retry, sweep)
	}
	return retry
}

// decide asks the platform for the verdict, and returns the check and when it is due again.
func (s *Service) decide(ctx context.Context, w work) (Check, time.Duration, error) {
	c := w.check
	if err := s.limit.Wait(ctx); err != nil {
		return c, 0, err
	}
	res, err := call(ctx, askLimit, func(ctx context.Context) (*webanklive.LiveResult, error) {
		return s.cfg.Worker.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: c.OrderNo})
	})
	since := c.ReturnedAt
	if c.State == Launched {
		since = c.CreatedAt.Add(s.cfg.AskAfter)
	}
	age := max(w.age(since), 0)
	switch {
	case err == nil && res != nil:
		end := Abandoned // a pass without a signed callback in its session
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
		c.Tries++
		switch pageError := !c.Signed || isPageError(c.Code); {
		case c.State == Launched:
			c = c.decided(Abandoned, nil)
		case pageError && c.Tries < 2: // the result may lag
			return c, askEvery, nil
		case pageError:
			c = c.decided(OtherWay, nil)
		case age < noResultFor || c.Tries < noResults: // both, because the platform may have been away
			return c, backoff(askEvery, c.Tries, 30*time.Second), nil
		default:
			c = c.decided(Abandoned, answer(err))
		}
	case errors.Is(err, webanklive.ErrInvalidRequest), errors.Is(err, webanklive.ErrAccount):
		s.logCheck(ctx, slog.LevelError, "checks: the platform refuses to answer for a check", c, err)
		if age < refusedFor {
			return c, refusedDue, nil
		}
		c = c.decided(Abandoned, answer(err))
	case ctx.Err() != nil: // written all the same: the new version tells Return that the platform was asked
		return c, askEvery, nil
	default:
		s.logCheck(ctx, slog.LevelWarn, "checks: no verdict yet; asking again", c, err)
		return c, min(max(age/4, askEvery), time.Minute) + spread(askEvery/8), nil
	}
	c.Concluded = s.cfg.OnConcluded == nil
	w.check.DecidedAt = w.now.Add(time.Since(w.since)) // as the store is about to stamp it
	return c, s.nextDue(c, w), nil
}

// answer returns the code with which the platform said that it has no result.
func answer(err error) *webanklive.LiveResult {
	var e *webanklive.Error
	if !errors.As(err, &e) {
		return nil
	}
	return &webanklive.LiveResult{Code: e.Code, BizSeqNo: e.BizSeqNo}
}

// decided returns c with its verdict; without a result the code of the callback stays.
func (c Check) decided(end State, res *webanklive.LiveResult) Check {
	c.State, c.Tries = end, 0
	if res != nil {
		c.Code, c.LiveRate, c.BizSeqNo = res.Code, res.LiveRate, res.BizSeqNo
	}
	return c
}

// isPageError reports whether a code says that the platform's page could not check at all.
func isPageError(code string) bool {
	info, _ := webanklive.LookupCode(code)
	return info.Reason == "device"
}

// conclude calls OnConcluded.
func (s *Service) conclude(ctx context.Context, c Check) error {
	if s.cfg.OnConcluded == nil {
		return nil
	}
	return try(ctx, concludeLimit, func(ctx context.Context) error { return s.cfg.OnConcluded(ctx, c) })
}

// fetch asks for the evidence, in calls of its own, and returns what is known of it then.
func (s *Service) fetch(ctx context.Context, w work) EvidenceState {
	complete, err := false, errors.New("no Evidence is configured")
	if s.cfg.Evidence != nil {
		complete, err = call(ctx, evidenceLimit, func(ctx context.Context) (bool, error) {
			return s.cfg.Evidence.Save(ctx, w.check.OrderNo, s.stream)
		})
	}
	switch {
	case err == nil && complete:
		return EvidenceKept
	case ctx.Err() != nil:
	case w.age(w.check.DecidedAt) >= evidenceFor:
		s.logCheck(ctx, slog.LevelError, "checks: the evidence is not complete and no longer asked for", w.check, err)
		return EvidenceMissing
	case err != nil:
		s.logCheck(ctx, slog.LevelWarn, "checks: no evidence yet; asking again", w.check, err)
	}
	return EvidencePending
}

// stream is the worker's StreamLiveMedia within the rate.
func (s *Service) stream(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	if err := s.limit.Wait(ctx); err != nil {
		return nil, err
	}
	return s.cfg.Worker.StreamLiveMedia(ctx, req)
}

// sweep removes a check that is old, its evidence first: after a crash between the two, a check without files is still removed
// later, but files without a check would stay for ever.
func (s *Service) sweep(ctx context.Context, c Check) (Check, time.Duration, error) {
	var err error
	switch {
	case c.Evidence == EvidenceNone:
	case s.cfg.Evidence == nil:
		err = errors.New("no Evidence is configured")
	default:
		err = try(ctx, concludeLimit, func(ctx context.Context) error { return s.cfg.Evidence.Remove(ctx, c.OrderNo) })
	}
	if err != nil {
		c.Tries++
		s.logCheck(ctx, slog.LevelError, "checks: the evidence of an old check cannot be removed; trying again", c, err)
		return c, backoff(askEvery, c.Tries, time.Hour), nil
	}
	err = try(ctx, storeTimeout, func(ctx context.Context) error { return s.store.Delete(ctx, c.OrderNo, c.Version) })
	if err == nil {
		err = errDeleted
	}
	return c, 0, err
}

// sweepDue returns when a check is to be removed, 0 when now, and a negative duration for never.
func (s *Service) sweepDue(w work) time.Duration {
	if s.cfg.Keep == 0 {
		return -1
	}
	return max(s.cfg.Keep-w.age(w.check.DecidedAt), keepAtLeast-w.age(w.check.CreatedAt), 0)
}

func (s *Service) logCheck(ctx context.Context, level slog.Level, message string, c Check, err error) {
	s.log(ctx, level, message, slog.String("order_no", c.OrderNo), slog.String("state", string(c.State)),
		slog.Int("tries", c.Tries), slog.Any("error", err))
}

func (s *Service) log(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	_ = try(context.WithoutCancel(ctx), grace, func(ctx context.Context) error {
		s.cfg.Logger.LogAttrs(ctx, level, message, attrs...)
		return nil
	})
}

// backoff returns first, doubled for each try after the first, at most longest, and up to a quarter more.
func backoff(first time.Duration, tries int, longest time.Duration) time.Duration {
	d := min(first<<min(max(tries-1, 0), 16), longest)
	return d + spread(d/8)
}
