//go:build go1.25

package checks_test

// Bad days: processes that die, databases and claims that are lost, several workers, and the bounds that hold all the same.

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

// TestRun_AProcessThatDiesBetweenAnyTwoLinesLosesNothing cuts a process off at each call of its store, before and after the
// call did its work, and lets another one go on.
func TestRun_AProcessThatDiesBetweenAnyTwoLinesLosesNothing(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; at <= 14; at++ {
			t.Run(fmt.Sprintf("call %d, after %v", at, after), func(t *testing.T) {
				inBubble(t, func(s *site) {
					s.sharedCredential()
					dying := &faultyStore{Store: s.store.Store}
					service := s.process(dying)
					orderNo := s.taken(service, livetest.Passing())

					ctx, kill := context.WithCancel(s.t.Context())
					calls := 0
					var dead atomic.Bool
					hook := func(string) error {
						if dead.Load() {
							return errAway
						}
						if calls++; calls >= at {
							dead.Store(true)
							kill()
							return errAway
						}
						return nil
					}
					if after {
						dying.fail(func(string) error {
							if dead.Load() {
								return errAway
							}
							return nil
						}, hook)
					} else {
						dying.fail(hook, nil)
					}
					ended := make(chan error, 1)
					go func() { ended <- service.Run(ctx) }()
					time.Sleep(time.Minute)
					kill()
					require.NoError(s.t, <-ended)

					defer s.run(s.process(s.store))()
					c := s.becomes(orderNo, 2*time.Minute, func(c checks.Check) bool { return c.Concluded && c.Evidence == checks.EvidenceKept })
					assert.Equal(s.t, checks.Passed, c.State)
					for _, state := range s.heard(orderNo) {
						assert.Equal(s.t, checks.Passed, state)
					}
					assert.NotEmpty(s.t, s.heard(orderNo))
				})
			})
		}
	}
}

func TestRun_TwoWorkersNeverHaveOneCheckInHand(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.cfg.Rate = 50
		var inHand, most atomic.Int32
		s.cfg.OnConcluded = func(_ context.Context, c checks.Check) error {
			most.Store(max(most.Load(), inHand.Add(1)))
			defer inHand.Add(-1)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.concluded = append(s.concluded, c)
			return nil
		}
		web := s.process(s.store)
		var orders []string
		for i := range 60 {
			session := fmt.Sprint("session ", i)
			launch := s.start(web, fmt.Sprint("user", i), session)
			_, err := web.Return(s.t.Context(), launch.OrderNo, session, s.visit(launch, livetest.Passing()))
			require.NoError(s.t, err)
			orders = append(orders, launch.OrderNo)
		}
		for range 3 {
			defer s.run(s.process(s.store))()
		}
		time.Sleep(3 * time.Minute)
		for _, orderNo := range orders {
			assert.Equal(s.t, checks.Passed, s.stored(orderNo).State)
			assert.Len(s.t, s.heard(orderNo), 1)
			photos, videos := s.evidence.of(orderNo)
			assert.Equal(s.t, []int{1, 1}, []int{photos, videos})
		}
		assert.Len(s.t, s.queries(), 2*len(orders), "a verdict and its evidence each, and nothing twice")
	})
}

func TestRun_AsksWithinItsRate(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		web := s.process(s.store)
		for i := range 200 {
			session := fmt.Sprint("session ", i)
			launch := s.start(web, fmt.Sprint("user", i), session)
			_, err := web.Return(s.t.Context(), launch.OrderNo, session, s.visit(launch, livetest.Passing()))
			require.NoError(s.t, err)
		}
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "400506"}, 300)
		defer s.run(s.process(s.store))()
		time.Sleep(10 * time.Minute)
		asked := s.queries()
		assert.Greater(s.t, len(asked), 400)
		for i := range asked { // 5 a second, and a burst of one second's worth
			n := 0
			for j := i; j < len(asked) && asked[j].Sub(asked[i]) < 10*time.Second; j++ {
				n++
			}
			assert.LessOrEqual(s.t, n, 55, "in ten seconds")
		}
	})
}

func TestRun_LeavesTwoSecondsBetweenQueriesForOneCheck(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		web := s.process(s.store)
		launch := s.start(web, "ann", ann)
		_, err := web.Return(s.t.Context(), launch.OrderNo, ann, s.platform.CallbackQuery(launch.OrderNo, "0", ""))
		require.NoError(s.t, err)
		for range 40 { // workers that come and go
			stop := s.run(s.process(s.store))
			time.Sleep(700 * time.Millisecond)
			stop()
		}
		asked := s.queries()
		assert.Greater(s.t, len(asked), 3)
		for i := 1; i < len(asked); i++ {
			assert.GreaterOrEqual(s.t, asked[i].Sub(asked[i-1]), 2*time.Second)
		}
	})
}

func TestRun_ADatabaseThatIsAwayForAMinuteLosesNobody(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		defer s.run(service)()
		for phase := range 12 { // it goes away at another moment of a check each time
			launch := s.start(service, "ann", ann)
			query := s.visit(launch, livetest.Passing())
			_, err := service.Return(s.t.Context(), launch.OrderNo, ann, query)
			require.NoError(s.t, err)
			n := 0
			s.store.fail(func(string) error {
				if n++; n > phase {
					return errAway
				}
				return nil
			}, nil)
			time.Sleep(time.Minute)
			s.store.fail(nil, nil)
			c := s.becomes(launch.OrderNo, 2*time.Minute, func(c checks.Check) bool { return c.Concluded && c.Evidence == checks.EvidenceKept })
			assert.Equal(s.t, checks.Passed, c.State)
			_, err = s.store.Store.Update(s.t.Context(), c, "", -1)
			require.NoError(s.t, err)
			time.Sleep(3 * time.Hour) // ten attempts in a day
		}
	})
}

func TestRun_AWorkerThatCannotRenewGivesUp(t *testing.T) {
	inBubble(t, func(s *site) {
		gaveUp := make(chan time.Duration, 1)
		s.cfg.Evidence = hangingEvidence{gaveUp: gaveUp}
		service := s.process(s.store)
		defer s.run(service)()
		s.store.fail(func(method string) error {
			if method == "Renew" {
				return errAway
			}
			return nil
		}, nil)
		s.taken(service, livetest.Passing())
		held := (<-gaveUp).Seconds()
		assert.Greater(s.t, held, 20.0)
		assert.Less(s.t, held, 28.1, "the next owner, 30 seconds after the claim, asks two seconds later at the earliest")
	})
}

func TestRun_RenewsWhileMediaTakeMinutes(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.cfg.Evidence = hangingEvidence{take: 8 * time.Minute}
		web := s.process(s.store)
		defer s.run(web)()
		defer s.run(s.process(s.store))()
		orderNo := s.taken(web, livetest.Passing())
		time.Sleep(7 * time.Minute)
		claimed, _, err := s.store.Claim(s.t.Context(), "somebody", time.Minute, 10, false)
		require.NoError(s.t, err)
		assert.Empty(s.t, claimed)
		s.becomes(orderNo, 3*time.Minute, func(c checks.Check) bool { return c.Evidence == checks.EvidenceKept })
	})
}

// hangingEvidence takes its time, or waits until it is told to give up.
type hangingEvidence struct {
	take   time.Duration
	gaveUp chan time.Duration
}

func (h hangingEvidence) Save(ctx context.Context, _ string, _ func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (bool, error) {
	if h.take > 0 {
		select {
		case <-time.After(h.take):
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	began := time.Now()
	<-ctx.Done()
	select {
	case h.gaveUp <- time.Since(began):
	default:
	}
	return false, ctx.Err()
}

func (hangingEvidence) Remove(context.Context, string) error { return nil }

func TestRun_StopsWithinTenSecondsAndFreesWhatItHeld(t *testing.T) {
	inBubble(t, func(s *site) {
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, -1)
		service := s.process(s.store)
		ctx, cancel := context.WithCancel(s.t.Context())
		ended := make(chan error, 1)
		go func() { ended <- service.Run(ctx) }()
		orderNo := s.taken(service, livetest.Passing())
		time.Sleep(time.Second)
		began := time.Now()
		cancel()
		require.NoError(s.t, <-ended)
		assert.Less(s.t, time.Since(began), time.Second)
		s.platform.Fail(livetest.LiveResult, livetest.Fault{}, 0)
		defer s.run(s.process(s.store))()
		assert.Equal(s.t, checks.Passed, s.ends(orderNo, 10*time.Second).State)
	})
}

func TestRun_StopsAlsoWhenOnConcludedDoesNot(t *testing.T) {
	inBubble(t, func(s *site) {
		release, called := make(chan struct{}), make(chan struct{}, 1)
		s.cfg.OnConcluded = func(context.Context, checks.Check) error {
			called <- struct{}{}
			<-release
			return nil
		}
		service := s.process(s.store)
		ctx, cancel := context.WithCancel(s.t.Context())
		ended := make(chan error, 1)
		go func() { ended <- service.Run(ctx) }()
		s.taken(service, livetest.Passing())
		<-called
		began := time.Now()
		cancel()
		require.NoError(s.t, <-ended)
		assert.Less(s.t, time.Since(began), 10*time.Second)
		close(release)
		time.Sleep(time.Minute)
	})
}

func TestRun_AStoreThatPanicsEndsNoProcess(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		defer s.run(service)()
		orderNo := s.taken(service, livetest.Passing())
		s.store.fail(func(string) error { panic("driver") }, nil)
		time.Sleep(time.Minute)
		s.store.fail(nil, nil)
		assert.Equal(s.t, checks.Passed, s.ends(orderNo, time.Minute).State)
	})
}

func TestRun_IdleCostsOneQueryInSeconds(t *testing.T) {
	inBubble(t, func(s *site) {
		calls := map[string]int{}
		s.store.fail(func(method string) error { calls[method]++; return nil }, nil)
		service := s.process(s.store)
		stop := s.run(service)
		time.Sleep(10 * time.Minute)
		stop()
		assert.Len(s.t, calls, 1)
		assert.InDelta(s.t, 120, calls["Claim"], 15)
	})
}

func TestRun_WhatOneCheckCostsTheDatabase(t *testing.T) {
	inBubble(t, func(s *site) {
		calls := map[string]int{}
		s.store.fail(func(method string) error { calls[method]++; return nil }, nil)
		service := s.process(s.store)
		orderNo := s.taken(service, livetest.Passing())
		stop := s.run(service)
		s.becomes(orderNo, time.Minute, func(c checks.Check) bool { return c.Evidence == checks.EvidenceKept })
		stop()
		synctest.Wait()
		s.t.Log(calls)
		assert.Equal(s.t, 1, calls["Create"])
		assert.Equal(s.t, 1, calls["Get"])
		assert.Equal(s.t, 4, calls["Update"], "the return, the verdict, OnConcluded, the evidence")
		assert.LessOrEqual(s.t, calls["Claim"], 6)
		assert.Zero(s.t, calls["Renew"]+calls["Release"]+calls["Delete"])
	})
}

func TestErrors_TellTemporaryFromFinal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{checks.ErrUnderWay, checks.ErrTooMany, checks.ErrExists, checks.ErrConflict} {
		require.NotErrorIs(t, err, checks.ErrNotFound)
		require.NotErrorIs(t, err, webanklive.ErrBadCallback)
	}
}
