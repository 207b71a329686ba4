package shop

// The decision: what GetLiveResult says, and nothing else.

import (
	"context"
	"errors"
	"time"

	"github.com/webanklive/webanklive"
)

// wake asks the platform about an order whose browser came back, in the background and once at a time. A decided order
// sleeps on, so that a replayed callback changes nothing.
func (s *Shop) wake(number, code string) {
	asleep := func(o order) bool { return undecided(o) && o.stage != waiting }
	if s.background.Err() != nil || !s.change(number, asleep, func(o *order) { o.stage, o.code = waiting, code }) {
		return
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		s.decide(s.background, number, code)
	}()
}

// decide asks until the platform has an answer or patience ends. After a callback with another code than 0 a missing
// result is final.
func (s *Shop) decide(ctx context.Context, number, code string) {
	end := time.Now().Add(s.Patience)
	for delay := 300 * time.Millisecond; ; delay = min(2*delay, 3*time.Second) {
		res, err := s.Client.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: number})
		notReady := errors.Is(err, webanklive.ErrNotReady)
		switch {
		case err == nil:
			s.conclude(number, passed, res)
			s.fetchEvidence(ctx, number)
			return
		case errors.Is(err, webanklive.ErrNotPassed):
			s.conclude(number, notPassed, res)
			return
		case notReady && code != "0":
			s.conclude(number, noResult, nil)
			return
		case !notReady && !webanklive.Retryable(err):
			s.Log.ErrorContext(ctx, "result not available", "order", number, "err", err)
			s.conclude(number, trouble, nil)
			return
		}
		s.Log.InfoContext(ctx, "result later", "order", number, "err", err)
		if !pause(ctx, min(delay, time.Until(end))) {
			if notReady {
				s.conclude(number, noResult, nil)
			} else {
				s.conclude(number, trouble, nil)
			}
			return
		}
	}
}

// conclude writes the verdict down. res is nil when there is none.
func (s *Shop) conclude(number string, st stage, res *webanklive.LiveResult) {
	s.change(number, undecided, func(o *order) {
		o.stage = st
		if res != nil {
			o.code, o.result = res.Code, *res
		}
		if st == passed {
			o.evidence = coming
		}
	})
	s.Log.Info("concluded", "order", number, "stage", string(st))
}

// fetchEvidence gets photo and video in a call of their own: the decision must not wait for megabytes.
func (s *Shop) fetchEvidence(ctx context.Context, number string) {
	res, err := s.Client.GetLiveResult(ctx, webanklive.LiveResultRequest{
		OrderNo: number, GetFile: webanklive.GetFileAll, WaitForMedia: s.MediaPatience,
	})
	if err != nil {
		s.Log.Error("evidence not available", "order", number, "err", err)
	}
	s.change(number, func(o order) bool { return o.stage == passed }, func(o *order) {
		o.evidence = missing
		if err == nil && res.PhotoSize+res.VideoSize > 0 {
			o.evidence, o.result = here, *res
		}
	})
}

// pause waits for d, and reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
