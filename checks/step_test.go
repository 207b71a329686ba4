//go:build go1.25

package checks_test

// What Run does with a check that is due, row by row of the table in doc.go.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

func TestRun_ASignedCallbackAndAPassIsPassed(t *testing.T) {
	inBubble(t, func(s *site) {
		s.platform.SetMediaLag(3 * time.Second)
		service := s.running()
		orderNo := s.taken(service, livetest.Passing())
		c := s.ends(orderNo, 5*time.Second)
		assert.Equal(s.t, checks.Passed, c.State)
		assert.Equal(s.t, "0", c.Code)
		assert.Equal(s.t, "95", c.LiveRate)
		assert.NotEmpty(s.t, c.BizSeqNo)
		assert.False(s.t, c.DecidedAt.Before(c.ReturnedAt))
		c = s.becomes(orderNo, 20*time.Second, kept)
		assert.Equal(s.t, [2]int{1, 1}, s.evidence.of(orderNo))
		assert.True(s.t, c.Concluded)
		assert.Equal(s.t, []checks.State{checks.Passed}, s.heard(orderNo))

		done := len(s.queries())
		version := c.Version
		time.Sleep(48 * time.Hour)
		assert.Len(s.t, s.queries(), done)
		assert.Equal(s.t, version, s.stored(orderNo).Version, "a finished check costs nothing")
	})
}

func TestRun_AFailureIsNotPassed(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		orderNo := s.taken(service, livetest.Failing("-5016"))
		c := s.ends(orderNo, 5*time.Second)
		assert.Equal(s.t, checks.NotPassed, c.State)
		assert.Equal(s.t, "-5016", c.Code)
		assert.Equal(s.t, checks.EvidenceNone, c.Evidence, "evidence is kept for passes only")
		s.becomes(orderNo, 5*time.Second, func(c checks.Check) bool { return c.Concluded })
		assert.Equal(s.t, []checks.State{checks.NotPassed}, s.heard(orderNo))
	})
}

func TestRun_ThePlatformDecidesWhateverTheCallbackSays(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for code, who := range map[string]livetest.Person{"0": livetest.Failing("-5013"), "-5013": livetest.Passing()} {
			launch := s.start(service, "ann", ann)
			s.platform.AddResult(launch.OrderNo, who)
			s.back(service, launch, ann, s.platform.CallbackQuery(launch.OrderNo, code, ""))
			end := s.ends(launch.OrderNo, 10*time.Second)
			assert.Equal(s.t, who.Code, end.Code)
			assert.Equal(s.t, who.Code == "0", end.State == checks.Passed)
			time.Sleep(2 * time.Second) // the platform's NONCE interval
		}
	})
}

func TestRun_AnUnsignedFailureIsAskedAboutBeforeAnotherWayIsOffered(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		orderNo := s.taken(service, livetest.WithoutRecorder())
		c := s.ends(orderNo, 10*time.Second)
		assert.Equal(s.t, checks.OtherWay, c.State)
		assert.Equal(s.t, "3001", c.Code)
		assert.Len(s.t, s.queries(), 2)
	})
}

func TestRun_AnUnsignedCallbackBringsNoPassHome(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for _, c := range []struct {
			who  livetest.Person
			want checks.State
			code string
		}{
			{livetest.Passing(), checks.Abandoned, "0"},
			{livetest.Failing("-5016"), checks.NotPassed, "-5016"}, // typed by hand, to choose the weaker way
		} {
			launch := s.start(service, "ann", ann)
			query := s.visit(launch, c.who)
			query.Del("newSignature")
			query.Del("liveRate")
			query.Set("code", "3001")
			s.back(service, launch, ann, query)
			end := s.ends(launch.OrderNo, 10*time.Second)
			assert.Equal(s.t, c.want, end.State)
			assert.Equal(s.t, c.code, end.Code)
			time.Sleep(10 * time.Second)
			assert.Equal(s.t, c.code == "0", s.evidence.of(launch.OrderNo)[0] == 1, "the evidence of a pass is kept")
		}
	})
}

func TestRun_AsksOnceAboutABrowserThatNeverReturned(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for _, c := range []struct {
			who  livetest.Person
			want checks.State
			code string
		}{
			{livetest.Passing(), checks.Abandoned, "0"},
			{livetest.Failing("-5016"), checks.NotPassed, "-5016"},
			{livetest.Quitting(), checks.Abandoned, ""},
		} {
			before := len(s.queries())
			launch := s.start(service, "ann", ann)
			query := s.visit(launch, c.who)
			time.Sleep(15*time.Minute - time.Second)
			assert.Len(s.t, s.queries(), before)
			end := s.ends(launch.OrderNo, 20*time.Second)
			assert.Equal(s.t, c.want, end.State)
			assert.Equal(s.t, c.code, end.Code)
			assert.True(s.t, end.ReturnedAt.IsZero())
			time.Sleep(time.Hour)
			if c.code == "0" {
				assert.Equal(s.t, [2]int{1, 1}, s.evidence.of(launch.OrderNo), "its evidence is kept")
				assert.Len(s.t, s.queries(), before+2)
			} else {
				assert.Len(s.t, s.queries(), before+1)
			}
			if query != nil { // Abandoned is final, also for a later callback
				assert.Equal(s.t, c.want, s.back(service, launch, ann, query).State)
			}
			assert.Equal(s.t, []checks.State{c.want}, s.heard(launch.OrderNo))
		}
	})
}

func TestRun_NoResultAfterASignedZeroIsAskedAboutForTenMinutes(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		launch := s.start(service, "ann", ann)
		began := time.Now()
		s.back(service, launch, ann, s.platform.CallbackQuery(launch.OrderNo, "0", "95"))
		c := s.ends(launch.OrderNo, 12*time.Minute)
		assert.Equal(s.t, checks.Abandoned, c.State)
		assert.GreaterOrEqual(s.t, time.Since(began), 10*time.Minute)
		assert.Greater(s.t, len(s.queries()), 10)
		assert.Less(s.t, len(s.queries()), 40, "backing off")
		s.queriesAreApart()
	})
}

func TestRun_TimeThatThePlatformWasAwayIsNoAnswer(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for _, signed := range []bool{true, false} {
			launch := s.start(service, "ann", ann)
			query := s.platform.CallbackQuery(launch.OrderNo, "0", "95")
			if !signed {
				query = unsigned(launch.OrderNo, "3003")
			}
			s.back(service, launch, ann, query)
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

func TestRun_APlatformThatIsAwayForAnHourLosesNobody(t *testing.T) {
	for name, fault := range map[string]livetest.Fault{
		"502": {Status: 502}, "throttled": {Code: "400506"}, "reset": {Reset: true}, "no order": {Body: `{"code":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				service := s.running()
				s.platform.Fail(livetest.LiveResult, fault, -1)
				orderNo := s.taken(service, livetest.Passing())
				time.Sleep(time.Hour)
				c, err := service.Check(s.t.Context(), orderNo, ann)
				require.NoError(s.t, err)
				assert.Equal(s.t, checks.Returned, c.State, "temporary is not final")
				assert.Less(s.t, len(s.queries()), 80, "backing off to a minute")
				s.platform.Fail(livetest.LiveResult, livetest.Fault{}, 0)
				assert.Equal(s.t, checks.Passed, s.ends(orderNo, 2*time.Minute).State)
			})
		})
	}
}

func TestRun_WhatThePlatformRefusesToAnswerIsAskedHourlyForThreeDays(t *testing.T) {
	for _, code := range []string{"66660000", "66660002"} {
		t.Run(code, func(t *testing.T) {
			inBubble(t, func(s *site) {
				var log bytes.Buffer
				s.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				service := s.running()
				s.platform.Fail(livetest.LiveResult, livetest.Fault{Code: code}, -1)
				orderNo := s.taken(service, livetest.Passing())
				began := time.Now()
				c := s.ends(orderNo, 74*time.Hour)
				assert.Equal(s.t, checks.Abandoned, c.State)
				assert.GreaterOrEqual(s.t, time.Since(began), 72*time.Hour)
				assert.InDelta(s.t, 73, len(s.queries()), 3)
				assert.Contains(s.t, log.String(), "level=ERROR")
				assert.NotContains(s.t, log.String(), "ann")
			})
		})
	}
}

func TestRun_TheVerdictIsWrittenOnce(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		s.back(service, launch, ann, query)
		c := s.ends(launch.OrderNo, time.Minute)
		s.platform.AddResult(launch.OrderNo, livetest.Failing("-5016"))
		done := len(s.queries())
		for range 10 { // replays, also as an unsigned failure
			s.back(service, launch, ann, query)
			s.back(service, launch, ann, unsigned(launch.OrderNo, "3001"))
			time.Sleep(time.Minute)
		}
		end := s.stored(launch.OrderNo)
		assert.Equal(s.t, []any{checks.Passed, "0", c.DecidedAt}, []any{end.State, end.Code, end.DecidedAt})
		assert.LessOrEqual(s.t, len(s.queries()), done+1, "the evidence; nothing of it asks again")
	})
}

func TestRun_OnConcludedIsCalledUntilItSucceeds(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context) error{
		"an error": func(context.Context) error { return errors.New("the core banking system is away") },
		"a panic":  func(context.Context) error { panic("nil map") },
		"Goexit":   func(context.Context) error { runtime.Goexit(); return nil },
		"a hang":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				heard := s.cfg.OnConcluded
				var tries atomic.Int32
				s.cfg.OnConcluded = func(ctx context.Context, c checks.Check) error {
					if tries.Add(1) <= 3 {
						return fail(ctx)
					}
					return heard(ctx, c)
				}
				service := s.running()
				orderNo := s.taken(service, livetest.Passing())
				s.becomes(orderNo, 10*time.Minute, done)
				assert.EqualValues(s.t, 4, tries.Load())
				assert.Equal(s.t, []checks.State{checks.Passed}, s.heard(orderNo))
			})
		})
	}
}

func TestRun_EvidenceIsFetchedWithinSecondsAndForThreeDays(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		s.platform.SetMediaLag(4 * time.Second)
		late := s.taken(service, livetest.Passing())
		s.becomes(late, 15*time.Second, kept)

		who := livetest.Passing()
		who.Video = nil
		never := s.taken(service, who)
		time.Sleep(71 * time.Hour)
		assert.Equal(s.t, checks.EvidencePending, s.stored(never).Evidence)
		time.Sleep(3 * time.Hour)
		c := s.stored(never)
		assert.Equal(s.t, checks.EvidenceMissing, c.Evidence)
		assert.Equal(s.t, checks.Passed, c.State)
		assert.Equal(s.t, [2]int{1, 0}, s.evidence.of(never))
		assert.Less(s.t, len(s.queries()), 120, "backing off to an hour")
	})
}

func TestRun_EvidenceDoesNotWaitForOnConcluded(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.OnConcluded = func(context.Context, checks.Check) error { return errAway }
		service := s.running()
		s.platform.SetMediaLag(3 * time.Second)
		orderNo := s.taken(service, livetest.Passing())
		c := s.becomes(orderNo, 15*time.Second, kept)
		assert.False(s.t, c.Concluded)
	})
}

func TestRun_WithoutEvidenceNoneIsFetched(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Evidence, s.cfg.OnConcluded = nil, nil
		service := s.running()
		orderNo := s.taken(service, livetest.Passing())
		c := s.ends(orderNo, time.Minute)
		assert.Equal(s.t, checks.EvidenceNone, c.Evidence)
		assert.True(s.t, c.Concluded)
		time.Sleep(time.Hour)
		assert.Len(s.t, s.queries(), 1)
	})
}

func TestRun_KeepRemovesFilesAndRow(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Keep = time.Hour
		service := s.running()
		orderNo := s.taken(service, livetest.Passing())
		time.Sleep(23 * time.Hour)
		s.stored(orderNo) // attempts of a day are counted by it
		time.Sleep(2 * time.Hour)
		_, err := service.Check(s.t.Context(), orderNo, ann)
		require.ErrorIs(s.t, err, checks.ErrNotFound)
		assert.Equal(s.t, [2]int{0, 0}, s.evidence.of(orderNo))
	})
}

func TestRun_KeepWaitsForOnConcluded(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Keep = time.Hour
		heard := s.cfg.OnConcluded
		var away atomic.Bool
		away.Store(true)
		s.cfg.OnConcluded = func(ctx context.Context, c checks.Check) error {
			if away.Load() {
				return errors.New("away")
			}
			return heard(ctx, c)
		}
		service := s.running()
		orderNo := s.taken(service, livetest.Passing())
		time.Sleep(10 * 24 * time.Hour)
		s.stored(orderNo)
		away.Store(false)
		time.Sleep(time.Hour)
		assert.Equal(s.t, []checks.State{checks.Passed}, s.heard(orderNo))
		_, err := service.Check(s.t.Context(), orderNo, ann)
		require.ErrorIs(s.t, err, checks.ErrNotFound)
	})
}

func TestRun_EvidenceThatCannotBeRemovedIsTriedAgainEverLessOften(t *testing.T) {
	inBubble(t, func(s *site) {
		s.cfg.Keep = 24 * time.Hour
		service := s.process(s.store)
		stop := s.run(service)
		orderNo := s.taken(service, livetest.Passing())
		s.becomes(orderNo, time.Minute, kept)
		stop()
		var log bytes.Buffer
		s.cfg.Evidence, s.cfg.Logger = nil, slog.New(slog.NewTextHandler(&log, nil)) // a mistake in the program
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
