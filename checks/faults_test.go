//go:build go1.25

package checks_test

// Functions of the caller's that fail, hang, panic or answer late, and what must not wait for them.

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

func TestRun_LeavesTwoSecondsAlsoWhenTheBrowserReturnsRightAfterAQuery(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
		defer s.run(service)()
		s.becomes(launch.OrderNo, 20*time.Minute, func(checks.Check) bool { return len(s.queries()) == 1 })
		_, err := service.Return(s.t.Context(), launch.OrderNo, ann, query)
		require.NoError(s.t, err)
		assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, 10*time.Second).State)
		asked := s.queries()
		assert.GreaterOrEqual(s.t, asked[1].Sub(asked[0]), 2*time.Second)
	})
}

func TestRun_EvidenceDoesNotWaitForOnConcluded(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.OnConcluded = func(context.Context, checks.Check) error { return errAway }
		service := s.process(s.store)
		defer s.run(service)()
		s.platform.SetMediaLag(3 * time.Second)
		orderNo := s.taken(service, livetest.Passing())
		c := s.becomes(orderNo, 15*time.Second, func(c checks.Check) bool { return c.Evidence == checks.EvidenceKept })
		assert.False(s.t, c.Concluded)
	})
}

func TestRun_TimeThatThePlatformWasAwayIsNoAnswer(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		defer s.run(service)()
		for _, signed := range []bool{true, false} {
			launch := s.start(service, "ann", ann)
			query := s.platform.CallbackQuery(launch.OrderNo, "0", "95")
			if !signed {
				query = url.Values{"orderNo": {launch.OrderNo}, "code": {"3003"}}
			}
			_, err := service.Return(s.t.Context(), launch.OrderNo, ann, query)
			require.NoError(s.t, err)
			s.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
			time.Sleep(time.Hour)
			asked := len(s.queries())
			s.platform.Fail(livetest.LiveResult, livetest.Fault{}, 0)
			s.becomes(launch.OrderNo, 2*time.Minute, func(checks.Check) bool { return len(s.queries()) > asked })
			assert.Equal(s.t, checks.Returned, s.stored(launch.OrderNo).State, "the result may lag")
			if signed {
				s.platform.AddResult(launch.OrderNo, livetest.Passing())
				assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, time.Minute).State)
			} else {
				assert.Equal(s.t, checks.OtherWay, s.ends(launch.OrderNo, time.Minute).State)
			}
		}
	})
}

func TestStart_WhoseAnswerOfTheStoreWasLostLeavesNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		s.store.fail(nil, func(method string) error {
			if method == "Create" {
				return errAway
			}
			return nil
		})
		_, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann})
		require.ErrorIs(s.t, err, errAway)
		s.store.fail(nil, nil)
		s.start(service, "ann", ann)
	})
}

func TestReturn_WaitsForARowAlsoWhenTheCallbackIsUnsigned(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		var reads atomic.Int32
		s.store.fail(func(method string) error {
			if method == "Get" && reads.Add(1) < 3 {
				return checks.ErrNotFound
			}
			return nil
		}, nil)
		c, err := service.Return(s.t.Context(), launch.OrderNo, ann, s.visit(launch, livetest.WithoutRecorder()))
		require.NoError(s.t, err)
		assert.Equal(s.t, checks.Returned, c.State)
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
		for i := range 20 {
			session := string(rune('a' + i))
			launch := s.start(service, "user"+session, session)
			_, err := service.Return(s.t.Context(), launch.OrderNo, session, s.visit(launch, livetest.Failing("-5016")))
			require.NoError(s.t, err)
		}
		time.Sleep(time.Minute)
		orderNo := s.taken(service, livetest.Passing())
		s.becomes(orderNo, 5*time.Minute, func(c checks.Check) bool { return c.Concluded && c.Evidence == checks.EvidenceKept })
	})
}

// hangingStore is a store of which one method hangs, whatever its context says.
type hangingStore struct {
	checks.Store
	hangs   atomic.Value // the method's name
	release chan struct{}
}

func (h *hangingStore) hang(method string) {
	if h.hangs.Load() == method {
		<-h.release
	}
}

func (h *hangingStore) Update(ctx context.Context, c checks.Check, owner string, due time.Duration) (checks.Check, error) {
	h.hang("Update")
	return h.Store.Update(ctx, c, owner, due)
}

func (h *hangingStore) Claim(ctx context.Context, owner string, lease time.Duration, limit int, undecided bool) ([]checks.Check, time.Time, error) {
	h.hang("Claim")
	return h.Store.Claim(ctx, owner, lease, limit, undecided)
}

func (h *hangingStore) Release(ctx context.Context, orderNo, owner string, due time.Duration) error {
	h.hang("Release")
	return h.Store.Release(ctx, orderNo, owner, due)
}

func TestRun_AStoreThatHangsDoesNotKeepItFromEnding(t *testing.T) {
	inBubble(t, func(s *site) {
		store := &hangingStore{Store: s.store, release: make(chan struct{})}
		service := s.process(store)
		orderNo := s.taken(service, livetest.Passing())
		for _, method := range []string{"Claim", "Update", "Release"} {
			ctx, cancel := context.WithCancel(s.t.Context())
			ended := make(chan error, 1)
			store.hangs.Store(method)
			go func() { ended <- service.Run(ctx) }()
			time.Sleep(15 * time.Second)
			began := time.Now()
			cancel()
			require.NoError(s.t, <-ended, method)
			assert.LessOrEqual(s.t, time.Since(began), 10*time.Second, method)
		}
		store.hangs.Store("")
		close(store.release)
		defer s.run(service)()
		s.becomes(orderNo, 2*time.Minute, func(c checks.Check) bool { return c.Concluded && c.Evidence == checks.EvidenceKept })
	})
}

// panickingHandler is a logger that cannot log.
type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool { panic("log") }

func TestRun_ALoggerThatPanicsEndsNoProcess(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Logger = slog.New(panickingHandler{})
		service := s.process(s.store)
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 2)
		defer s.run(service)()
		assert.Equal(s.t, checks.Passed, s.ends(s.taken(service, livetest.Passing()), time.Minute).State)
	})
}

func TestRun_EvidenceThatNobodyCanRemoveIsTriedAgainEverLessOften(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Keep = 24 * time.Hour
		service := s.process(s.store)
		stop := s.run(service)
		orderNo := s.taken(service, livetest.Passing())
		s.becomes(orderNo, time.Minute, func(c checks.Check) bool { return c.Evidence == checks.EvidenceKept })
		stop()
		var log bytes.Buffer
		s.cfg.Evidence, s.cfg.Logger = nil, slog.New(slog.NewTextHandler(&log, nil)) // somebody's mistake
		stop = s.run(s.process(s.store))
		time.Sleep(48 * time.Hour)
		stop()
		assert.Equal(s.t, checks.EvidenceKept, s.stored(orderNo).Evidence, "the row is there, and so is the hint that files are")
		lines := strings.Count(log.String(), "level=ERROR")
		assert.Greater(s.t, lines, 10)
		assert.Less(s.t, lines, 50)
		assert.NotContains(s.t, log.String(), "level=WARN")
	})
}

func TestRun_TwoSecondsAlsoWhenAClaimWasLost(t *testing.T) {
	inBubble(t, func(s *site) {
		s.sharedCredential()
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, 1)
		cut := &faultyStore{Store: s.store.Store} // the first process loses its way to the database
		first := s.process(cut)
		launch := s.start(first, "ann", ann)
		_, err := first.Return(s.t.Context(), launch.OrderNo, ann, s.visit(launch, livetest.Passing()))
		require.NoError(s.t, err)
		calls := 0
		cut.fail(func(string) error {
			if calls++; calls > 1 { // it still got to claim
				return errAway
			}
			return nil
		}, nil)
		defer s.run(first)()
		time.Sleep(time.Second)
		defer s.run(s.process(s.store))()
		assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, time.Minute).State)
		asked := s.queries()
		require.GreaterOrEqual(s.t, len(asked), 2)
		assert.GreaterOrEqual(s.t, asked[1].Sub(asked[0]), 27*time.Second, "while the claim was held")
	})
}

func TestRun_AClaimEndsAtOnceWhenTheCheckWasChangedMeanwhile(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Delay: 2 * time.Second}, 1)
		defer s.run(service)()
		s.becomes(launch.OrderNo, 20*time.Minute, func(checks.Check) bool { return len(s.queries()) == 1 })
		_, err := service.Return(s.t.Context(), launch.OrderNo, ann, query) // while the platform is asked
		require.NoError(s.t, err)
		assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, 12*time.Second).State)
	})
}

func TestRun_AVerdictSurvivesAWriteThatFails(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		orderNo := s.taken(service, livetest.Failing("-5016"))
		updates := 0
		s.store.fail(func(method string) error {
			if method == "Update" {
				if updates++; updates == 1 {
					return errAway
				}
			}
			return nil
		}, nil)
		defer s.run(service)()
		s.ends(orderNo, 10*time.Second)
		assert.Len(s.t, s.queries(), 1, "the platform need not say it again")
	})
}

// strictStore does nothing for a context that has ended, as a database does.
type strictStore struct{ checks.Store }

func (s strictStore) Update(ctx context.Context, c checks.Check, owner string, due time.Duration) (checks.Check, error) {
	if ctx.Err() != nil {
		return checks.Check{}, ctx.Err()
	}
	return s.Store.Update(ctx, c, owner, due)
}

func (s strictStore) Release(ctx context.Context, orderNo, owner string, due time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.Store.Release(ctx, orderNo, owner, due)
}

func TestRun_FreesWhatItHeldAlsoInAStoreThatLooksAtContexts(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(strictStore{s.store})
		s.platform.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, -1)
		s.taken(service, livetest.Passing())
		stop := s.run(service)
		time.Sleep(time.Second)
		stop()
		time.Sleep(3 * time.Second)
		claimed, _, err := s.store.Claim(s.t.Context(), "another", time.Minute, 1, false)
		require.NoError(s.t, err)
		assert.Len(s.t, claimed, 1)
	})
}
