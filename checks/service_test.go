//go:build go1.25

package checks_test

// What handlers see: Start, Return, Check.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	inBubble(t, func(s *site) {
		good := s.cfg
		for what, change := range map[string]func(*checks.Config){
			"CallbackURL must be set": func(c *checks.Config) { c.CallbackURL = nil },
			"with the order number":   func(c *checks.Config) { c.CallbackURL = func(string) string { return "https://shop.example/done" } },
			"absolute http":           func(c *checks.Config) { c.CallbackURL = func(o string) string { return "/liveness/" + o } },
			"in its path": func(c *checks.Config) {
				c.CallbackURL = func(o string) string { return "https://shop.example/?o=" + o }
			},
			"must not be negative": func(c *checks.Config) { c.Keep = -1 },
		} {
			cfg := good
			change(&cfg)
			_, err := checks.New(&webanklive.Client{}, s.store, cfg)
			require.ErrorIs(s.t, err, webanklive.ErrInvalidRequest)
			require.ErrorContains(s.t, err, what)
		}
		_, err := checks.New(nil, nil, good)
		require.ErrorContains(s.t, err, "client must not be nil; the store")
	})
}

func TestStart_StoresTheCheckBeforeTheRedirect(t *testing.T) {
	inBubble(t, func(s *site) {
		launch := s.start(s.process(s.store), "ann", ann)
		c := s.stored(launch.OrderNo)
		assert.Equal(s.t, checks.Launched, c.State)
		assert.Equal(s.t, "ann", c.UserID)
		sum := sha256.Sum256([]byte(ann))
		assert.Equal(s.t, hex.EncodeToString(sum[:]), c.Session, "the session itself is not kept")
		assert.Regexp(s.t, `^[A-Za-z][0-9A-Za-z]{20,31}$`, launch.OrderNo)
		u, err := url.Parse(launch.URL)
		require.NoError(s.t, err)
		assert.Contains(s.t, u.Query().Get("url"), "/liveness/"+launch.OrderNo+"/done")
		for _, text := range []string{fmt.Sprint(launch), fmt.Sprintf("%+v %#v", launch, launch), slog.AnyValue(launch).Resolve().String()} {
			assert.Contains(s.t, text, launch.OrderNo)
			assert.NotContains(s.t, text, u.Query().Get("sign"))
		}
		req := checks.StartRequest{UserID: "ann", Session: ann}
		for _, text := range []string{fmt.Sprintf("%v %+v %#v", req, req, req), slog.AnyValue(req).Resolve().String()} {
			assert.NotContains(s.t, text, ann)
		}
	})
}

func TestStart_RefusesBadInput(t *testing.T) {
	inBubble(t, func(s *site) {
		for _, req := range []checks.StartRequest{
			{UserID: "ann"}, {Session: ann}, {UserID: "an n", Session: ann}, {UserID: "安", Session: ann},
			{UserID: "u23456789012345678901234567890123", Session: ann}, {UserID: "ann", Session: ann, Entry: 9},
		} {
			_, err := s.process(s.store).Start(s.t.Context(), req)
			require.ErrorIs(s.t, err, webanklive.ErrInvalidRequest, "%+v", req)
		}
		s.start(s.process(s.store), "ann", ann) // nothing of it is under way
	})
}

func TestStart_OneLaunchOfAUserIsUnderWay(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		first := s.start(service, "ann", ann)
		again, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann})
		require.ErrorIs(s.t, err, checks.ErrUnderWay)
		assert.Equal(s.t, first.OrderNo, again.OrderNo, "a second tab or a swipe back can show the first one's page")
		again, err = service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: "another"})
		require.ErrorIs(s.t, err, checks.ErrUnderWay)
		assert.Empty(s.t, again.OrderNo, "another session learns nothing")
		s.start(service, "bob", "session of bob")
		time.Sleep(15 * time.Minute)
		s.start(service, "ann", ann)
	})
}

func TestStart_AUserHasTenAttemptsInADay(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		for range 10 {
			s.ends(s.taken(service, livetest.Failing("-5016")), time.Minute)
			time.Sleep(2 * time.Second) // the platform's NONCE interval
		}
		_, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann})
		require.ErrorIs(s.t, err, checks.ErrTooMany)
		time.Sleep(24 * time.Hour)
		s.start(service, "ann", ann)
	})
}

func TestStart_ThatGivesNoLinkLeavesNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		for range 12 { // none of them counts as an attempt
			s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: 502}, 1)
			_, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann})
			require.ErrorIs(s.t, err, webanklive.ErrUnavailable)
			time.Sleep(3 * time.Second)
		}
		s.platform.Fail(livetest.NonceTicket, livetest.Fault{Hang: true}, 1)
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		_, err := service.Start(ctx, checks.StartRequest{UserID: "ann", Session: ann})
		require.ErrorIs(s.t, err, context.DeadlineExceeded)
		time.Sleep(3 * time.Second)
		s.store.fail(nil, away("Create")) // the store's answer is lost
		_, err = service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann})
		require.ErrorIs(s.t, err, errAway)
		s.store.fail(nil, nil)
		s.start(service, "ann", ann)
	})
}

func TestStart_LaunchesAMiniProgram(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "ann", Session: ann, MiniProgram: true})
		require.NoError(s.t, err)
		assert.Empty(s.t, launch.URL)
		assert.Equal(s.t, launch.OrderNo, launch.MiniProgram.ExtraData["orderNo"])
	})
}

func TestReturn_IsBoundToItsSession(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		for _, session := range []string{"", "session of bob", ann + " ", "Session of ann"} { // bob signed in meanwhile
			_, err := service.Return(s.t.Context(), launch.OrderNo, session, query)
			require.ErrorIs(s.t, err, checks.ErrNotFound)
			_, err = service.Check(s.t.Context(), launch.OrderNo, session)
			require.ErrorIs(s.t, err, checks.ErrNotFound)
		}
		for _, orderNo := range []string{"", "L1", "l" + launch.OrderNo[1:], launch.OrderNo + "/", "../" + launch.OrderNo} {
			_, err := service.Check(s.t.Context(), orderNo, ann)
			require.ErrorIs(s.t, err, checks.ErrNotFound, orderNo)
		}
		assert.Equal(s.t, checks.Launched, s.stored(launch.OrderNo).State)
	})
}

func TestReturn_RefusesABadCallbackAndChangesNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		good := s.visit(launch, livetest.Failing("-5016"))
		for _, bad := range []struct {
			name, value string
			want        error
		}{
			{"code", "0", webanklive.ErrBadSignature},
			{"code", "passed", webanklive.ErrMalformedCallback},
			{"orderNo", "L1", webanklive.ErrOtherOrder},
			{"orderNo", "", webanklive.ErrMalformedCallback},
		} {
			_, err := service.Return(s.t.Context(), launch.OrderNo, ann, clienttest.With(good, bad.name, bad.value))
			require.ErrorIs(s.t, err, webanklive.ErrBadCallback, bad)
			require.ErrorIs(s.t, err, bad.want, bad)
			assert.Equal(s.t, int64(1), s.stored(launch.OrderNo).Version, bad)
		}
		s.back(service, launch, ann, good)
	})
}

func TestReturn_AgainReloadedOrDaysLateFindsTheCheckAsItIs(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		first := s.back(service, launch, ann, query)
		assert.Equal(s.t, first, s.back(service, launch, ann, query))

		defer s.run(service)()
		s.ends(launch.OrderNo, time.Minute)
		time.Sleep(4 * 24 * time.Hour) // the ticket that signed it is long gone
		assert.Equal(s.t, checks.Passed, s.back(service, launch, ann, query).State)
		_, err := service.Return(s.t.Context(), launch.OrderNo, ann, url.Values{"orderNo": {"L1"}, "code": {"0"}, "newSignature": query["newSignature"]})
		require.ErrorIs(s.t, err, webanklive.ErrOtherOrder)
	})
}

func TestReturn_WaitsForARowThatCannotBeReadYet(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		for user, person := range map[string]livetest.Person{"ann": livetest.Passing(), "bob": livetest.WithoutRecorder()} {
			launch := s.start(service, user, user)
			query := s.visit(launch, person)
			lag := time.Now().Add(time.Second)
			s.store.fail(func(method string) error {
				if method == "Get" && time.Now().Before(lag) {
					return checks.ErrNotFound
				}
				return nil
			}, nil)
			assert.Equal(s.t, checks.Returned, s.back(service, launch, user, query).State)

			// Nobody gets the time for an order number that is made up.
			began := time.Now()
			_, err := service.Return(s.t.Context(), "L1234567890123456789012345A", user, query)
			require.ErrorIs(s.t, err, checks.ErrNotFound)
			assert.Equal(s.t, began, time.Now())
		}
	})
}

func TestReturn_ASignedCallbackAfterAnUnsignedOneCounts(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())
		s.back(service, launch, ann, unsigned(launch.OrderNo, "3003"))
		s.back(service, launch, ann, query)
		defer s.run(service)()
		assert.Equal(s.t, checks.Passed, s.ends(launch.OrderNo, 10*time.Second).State)
	})
}

func TestReturn_IsTemporaryWhileAStoreIsAway(t *testing.T) {
	inBubble(t, func(s *site) {
		credentials := &awayCredentials{CredentialStore: webanklive.NewMemoryStore()}
		s.opts = append(s.opts, webanklive.WithCredentialStore(credentials))
		service := s.process(s.store)
		launch := s.start(service, "ann", ann)
		query := s.visit(launch, livetest.Passing())

		s.store.fail(away(""), nil)
		for _, call := range []func() error{
			func() error { _, err := service.Return(s.t.Context(), launch.OrderNo, ann, query); return err },
			func() error { _, err := service.Check(s.t.Context(), launch.OrderNo, ann); return err },
			func() error {
				_, err := service.Start(s.t.Context(), checks.StartRequest{UserID: "bob", Session: "bob"})
				return err
			},
		} {
			err := call()
			require.ErrorIs(s.t, err, errAway)
			require.NotErrorIs(s.t, err, checks.ErrNotFound)
			require.NotErrorIs(s.t, err, webanklive.ErrBadCallback)
		}
		s.store.fail(nil, nil)

		credentials.away = true
		other := s.process(s.store) // it was just started, and holds no credential
		_, err := other.Return(s.t.Context(), launch.OrderNo, ann, query)
		require.Error(s.t, err)
		require.NotErrorIs(s.t, err, checks.ErrNotFound)
		require.NotErrorIs(s.t, err, webanklive.ErrBadCallback)
		assert.Equal(s.t, checks.Launched, s.stored(launch.OrderNo).State)
		credentials.away = false
		time.Sleep(10 * time.Second)
		_, err = other.Return(s.t.Context(), launch.OrderNo, ann, query)
		require.NoError(s.t, err, "the browser repeats the same request")
	})
}

type awayCredentials struct {
	webanklive.CredentialStore
	away bool
}

func (a *awayCredentials) Load(ctx context.Context, key string) ([]byte, error) {
	if a.away {
		return nil, errAway
	}
	return a.CredentialStore.Load(ctx, key)
}

func TestCheck_AsksNobody(t *testing.T) {
	inBubble(t, func(s *site) {
		service := s.running()
		orderNo := s.taken(service, livetest.Passing())
		s.ends(orderNo, time.Minute)
		time.Sleep(time.Minute)
		before := len(s.queries())
		for range 200 {
			c, err := service.Check(s.t.Context(), orderNo, ann)
			require.NoError(s.t, err)
			assert.Equal(s.t, checks.Passed, c.State)
			time.Sleep(time.Minute)
		}
		assert.Len(s.t, s.queries(), before, "a finished check costs nothing, whoever reloads it")
	})
}

func TestErrors_TellTemporaryFromFinal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{checks.ErrUnderWay, checks.ErrTooMany, checks.ErrExists, checks.ErrConflict} {
		require.NotErrorIs(t, err, checks.ErrNotFound)
		require.NotErrorIs(t, err, webanklive.ErrBadCallback)
	}
}
