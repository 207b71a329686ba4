//go:build go1.25

package checks_test

// How Run holds on to its work: processes that die, databases and claims that are lost, several workers, functions of the
// caller's that hang or panic, and the bounds that hold all the same.

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

// A process is cut off at each call of its store, before or after the call did its work, and another one goes on.
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
					calls, dead := 0, false
					isDead := func(string) error {
						if dead {
							return errAway
						}
						return nil
					}
					dies := func(string) error {
						if calls++; !dead && calls >= at {
							dead = true
							kill()
						}
						return isDead("")
					}
					if after {
						dying.fail(isDead, dies)
					} else {
						dying.fail(dies, nil)
					}
					ended := make(chan error, 1)
					go func() { ended <- service.Run(ctx) }()
					time.Sleep(time.Minute)
					kill()
					require.NoError(s.t, <-ended)

					s.running()
					c := s.becomes(orderNo, 2*time.Minute, done)
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

func TestRun_SeveralWorkersDoNothingTwice(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.cfg.Rate = 50
		orders := s.crowd(s.process(s.store), 60, livetest.Passing())
		for range 3 {
			s.running()
		}
		time.Sleep(3 * time.Minute)
		for _, orderNo := range orders {
			assert.Equal(s.t, []checks.State{checks.Passed}, s.heard(orderNo))
			assert.Equal(s.t, [2]int{1, 1}, s.evidence.of(orderNo))
		}
		assert.Len(s.t, s.queries(), 2*len(orders), "a verdict and its evidence each")
	})
}

func TestRun_AsksWithinItsRate(t *testing.T) {
	inBubble(t, func(s *site) {
		s.crowd(s.process(s.store), 200, livetest.Passing())
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "400506"}, 300)
		s.running()
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
		s.back(web, launch, ann, s.platform.CallbackQuery(launch.OrderNo, "0", ""))
		for range 40 { // workers that come and go
			stop := s.run(s.process(s.store))
			time.Sleep(700 * time.Millisecond)
			stop()
		}
		assert.Greater(s.t, len(s.queries()), 3)
		s.queriesAreApart()
	})
}

// A store rounds times to milliseconds. A worker that asks a moment too early finds nothing, and then sleeps for seconds.
func TestRun_ClaimsAgainAsSoonAsACheckIsDue(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for i := range 20 { // the time until the next query has a random part
			session := fmt.Sprint("session ", i)
			launch := s.start(service, fmt.Sprint("user", i), session)
			query := s.visit(launch, livetest.Passing())
			s.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
			began := time.Now()
			s.back(service, launch, session, query)
			s.ends(launch.OrderNo, time.Minute)
			assert.Less(s.t, time.Since(began), 3*time.Second, "a query that fails, and another two seconds later")
		}
	})
}

// Between the query that failed and the next one the browser returns, or while the platform is asked: the claim ends at
// once, and is no reason to ask at once.
func TestRun_LeavesTwoSecondsAlsoWhenTheBrowserReturnsMeanwhile(t *testing.T) {
	for name, fault := range map[string]livetest.Fault{"after a query": {Status: 502}, "during a query": {Delay: 2 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				service := s.running()
				launch := s.start(service, "ann", ann)
				query := s.visit(launch, livetest.Passing())
				s.platform.Fail(livetest.LiveResult, fault, 1)
				s.becomes(launch.OrderNo, 20*time.Minute, func(checks.Check) bool { return len(s.queries()) == 1 })
				s.back(service, launch, ann, query)
				assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, 10*time.Second).State)
				asked := s.queries()
				assert.GreaterOrEqual(s.t, asked[1].Sub(asked[0]), 2*time.Second)
			})
		})
	}
}

func TestRun_WaitsForTheLeaseOfAClaimThatWasLost(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, 1)
		cut := &faultyStore{Store: s.store.Store} // the first process loses its way to the database
		first := s.process(cut)
		orderNo := s.taken(first, livetest.Passing())
		calls := 0
		cut.fail(func(string) error {
			if calls++; calls > 1 { // it still got to claim
				return errAway
			}
			return nil
		}, nil)
		defer s.run(first)()
		time.Sleep(time.Second)
		s.running()
		assert.Equal(s.t, checks.Passed, s.ends(orderNo, time.Minute).State)
		asked := s.queries()
		require.GreaterOrEqual(s.t, len(asked), 2)
		assert.GreaterOrEqual(s.t, asked[1].Sub(asked[0]), 27*time.Second, "while the claim was held")
	})
}

func TestRun_ADatabaseThatIsAwayForAMinuteLosesNobody(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for phase := range 12 { // it goes away at another moment of a check each time
			orderNo := s.taken(service, livetest.Passing())
			n := 0
			s.store.fail(func(string) error {
				if n++; n > phase {
					return errAway
				}
				return nil
			}, nil)
			time.Sleep(time.Minute)
			s.store.fail(nil, nil)
			c := s.becomes(orderNo, 2*time.Minute, done)
			assert.Equal(s.t, checks.Passed, c.State)
			_, err := s.store.Update(s.t.Context(), c, "", -1)
			require.NoError(s.t, err)
			time.Sleep(3 * time.Hour) // ten attempts in a day
		}
	})
}

func TestRun_AVerdictSurvivesAWriteThatFails(t *testing.T) {
	inBubble(t, func(s *site) {
		orderNo := s.taken(s.process(s.store), livetest.Failing("-5016"))
		updates := 0
		s.store.fail(func(method string) error {
			if method == "Update" {
				if updates++; updates == 1 {
					return errAway
				}
			}
			return nil
		}, nil)
		s.running()
		s.ends(orderNo, 10*time.Second)
		assert.Len(s.t, s.queries(), 1, "the platform need not say it again")
	})
}

func TestRun_AWorkerThatCannotRenewGivesUp(t *testing.T) {
	inBubble(t, func(s *site) {
		gaveUp := make(chan time.Duration, 1)
		s.cfg.Evidence = slowEvidence{take: time.Hour, gaveUp: gaveUp}
		service := s.running()
		s.store.fail(away("Renew"), nil)
		s.taken(service, livetest.Passing())
		held := (<-gaveUp).Seconds()
		assert.Greater(s.t, held, 20.0)
		assert.Less(s.t, held, 28.1, "the next owner, 30 seconds after the claim, asks two seconds later at the earliest")
	})
}

func TestRun_RenewsWhileMediaTakeMinutes(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.cfg.Evidence = slowEvidence{take: 8 * time.Minute}
		web := s.running()
		s.running()
		orderNo := s.taken(web, livetest.Passing())
		time.Sleep(7 * time.Minute)
		claimed, _, err := s.store.Claim(s.t.Context(), "another", time.Minute, 10, false)
		require.NoError(s.t, err)
		assert.Empty(s.t, claimed)
		s.becomes(orderNo, 3*time.Minute, kept)
	})
}

// slowEvidence takes its time, and tells how long it had when it was told to give up.
type slowEvidence struct {
	take   time.Duration
	gaveUp chan time.Duration
}

func (e slowEvidence) Save(ctx context.Context, _ string, _ func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (bool, error) {
	began := time.Now()
	select {
	case <-time.After(e.take):
		return true, nil
	case <-ctx.Done():
	}
	select {
	case e.gaveUp <- time.Since(began):
	default:
	}
	return false, ctx.Err()
}

func (slowEvidence) Remove(context.Context, string) error { return nil }

func TestRun_StopsAtOnceAndFreesWhatItHeld(t *testing.T) {
	inBubble(t, func(s *site) {
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, -1)
		service := s.process(s.store)
		stop := s.run(service)
		orderNo := s.taken(service, livetest.Passing())
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		assert.Less(s.t, time.Since(began), time.Second)
		s.platform.Fail(livetest.LiveResult, livetest.Fault{}, 0)
		s.running()
		assert.Equal(s.t, checks.Passed, s.ends(orderNo, 10*time.Second).State)
	})
}

func TestRun_StopsWithinTenSecondsAlsoWhenOnConcludedDoesNot(t *testing.T) {
	inBubble(t, func(s *site) {
		release, called := make(chan struct{}), make(chan struct{}, 1)
		s.cfg.OnConcluded = func(context.Context, checks.Check) error {
			called <- struct{}{}
			<-release
			return nil
		}
		service := s.process(s.store)
		stop := s.run(service)
		s.taken(service, livetest.Passing())
		<-called
		began := time.Now()
		stop()
		assert.Less(s.t, time.Since(began), 10*time.Second)
		close(release)
		time.Sleep(time.Minute)
	})
}

func TestRun_StopsWithinTenSecondsAlsoWhenTheStoreHangs(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		orderNo := s.taken(service, livetest.Passing())
		release := make(chan struct{})
		for _, method := range []string{"Claim", "Update", "Release"} {
			s.store.hangs.Store(&hanging{method, release})
			stop := s.run(service)
			time.Sleep(15 * time.Second)
			began := time.Now()
			stop()
			assert.LessOrEqual(s.t, time.Since(began), 10*time.Second, method)
		}
		s.store.hangs.Store(nil)
		close(release)
		s.running()
		s.becomes(orderNo, 2*time.Minute, done)
	})
}

func TestRun_AnOnConcludedThatIgnoresItsContextHoldsUpNobody(t *testing.T) {
	inBubble(t, func(s *site) {
		heard, release := s.cfg.OnConcluded, make(chan struct{})
		defer close(release)
		s.cfg.OnConcluded = func(ctx context.Context, c checks.Check) error {
			if c.UserID != "ann" {
				<-release
			}
			return heard(ctx, c)
		}
		service := s.process(s.store)
		defer s.run(service)()
		s.crowd(service, 20, livetest.Failing("-5016"))
		time.Sleep(time.Minute)
		orderNo := s.taken(service, livetest.Passing())
		s.becomes(orderNo, 5*time.Minute, done)
	})
}

func TestRun_AStoreThatPanicsEndsNoProcess(t *testing.T) {
	inBubble(t, func(s *site) {
		orderNo := s.taken(s.running(), livetest.Passing())
		s.store.fail(func(string) error { panic("driver") }, nil)
		time.Sleep(time.Minute)
		s.store.fail(nil, nil)
		assert.Equal(s.t, checks.Passed, s.ends(orderNo, time.Minute).State)
	})
}

// panickingHandler is a logger that cannot log.
type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool { panic("log") }

func TestRun_ALoggerThatPanicsEndsNoProcess(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Logger = slog.New(panickingHandler{})
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 2)
		assert.Equal(s.t, checks.Passed, s.ends(s.taken(s.running(), livetest.Passing()), time.Minute).State)
	})
}

func TestRun_CostsTheDatabaseLittle(t *testing.T) {
	inBubble(t, func(s *site) {
		calls := map[string]int{}
		s.store.fail(func(method string) error { calls[method]++; return nil }, nil)
		service := s.process(s.store)
		stop := s.run(service)
		time.Sleep(10 * time.Minute)
		stop()
		assert.Len(s.t, calls, 1, "idle")
		assert.InDelta(s.t, 120, calls["Claim"], 15)

		clear(calls)
		orderNo := s.taken(service, livetest.Passing())
		stop = s.run(service)
		s.becomes(orderNo, time.Minute, kept)
		stop()
		synctest.Wait()
		assert.LessOrEqual(s.t, calls["Claim"], 6)
		delete(calls, "Claim")
		assert.Equal(s.t, map[string]int{"Create": 1, "Get": 1, "Update": 4}, calls, "the return, the verdict, OnConcluded, the evidence")
	})
}
