package nethttp

// The test that a partner writes: the vendor's own numbers, and what people see of every way that a check can go, on the
// fake platform. Which callbacks are refused and which verdict follows is tested in package checks.

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

func TestSign_IsTheVendors(t *testing.T) {
	t.Parallel()
	got := webanklive.Sign("appId001", "userID19959248596551", "aabc1457895464", "1.0.0",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T")
	assert.Equal(t, "BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1", got)
}

func TestLiveness_ShowsAndRecordsEveryOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		person livetest.Person
		state  checks.State
		page   string
	}{
		"passes":             {livetest.Passing(), checks.Passed, "验证通过"},
		"fails":              {livetest.Failing("-5013"), checks.NotPassed, "验证未通过"},
		"fails, unknown":     {livetest.Failing("-99999"), checks.NotPassed, "验证未通过"},
		"browser cannot":     {livetest.WithoutRecorder(), checks.OtherWay, "请到柜台办理"},
		"camera was refused": {livetest.Failing("3004"), checks.OtherWay, "请到柜台办理"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ann := newSite(t).browser("ann")
			order, back := ann.check(c.person)
			assert.Equal(t, "/liveness/"+order+"/done", back.Path, "the order is in the path")
			w := ann.do(http.MethodGet, back.RequestURI())
			assert.Equal(t, http.StatusSeeOther, w.Code)
			assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"), "without the query")
			ann.becomes(order, c.state)
			w = ann.do(http.MethodGet, "/liveness/"+order)
			assert.Contains(t, w.Body.String(), c.page)
			assert.Equal(t, texts[c.state]+"\n", w.Body.String(), "nothing of the person, and no attack is explained")
			assert.Empty(t, w.Header().Get("Refresh"), "a verdict does not change")
			w = ann.do(http.MethodGet, "/liveness/"+order+"/state")
			assert.JSONEq(t, fmt.Sprintf(`{"state":%q}`, c.state), w.Body.String(), "and nothing of the person")
		})
	}
}

func TestLiveness_TheCallbackAloneDecidesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, eve := s.browser("ann"), s.browser("eve")
	order, failed := ann.check(livetest.Failing("-5016"))
	_, passed := eve.check(livetest.Passing())
	for name, query := range map[string]url.Values{
		"tampered": with(failed.Query(), "code", "0"), "another order's": passed.Query(), "empty": {},
	} {
		w := ann.do(http.MethodGet, "/liveness/"+order+"/done?"+query.Encode())
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Empty(t, w.Header().Get("Refresh"), name)
		assert.Equal(t, checks.Launched, ann.state(order), name)
	}
	assert.Equal(t, http.StatusNotFound, eve.do(http.MethodGet, failed.RequestURI()).Code, "another session's callback")
	assert.Equal(t, http.StatusNotFound, eve.do(http.MethodGet, "/liveness/"+order).Code, "another session's page")
	assert.Zero(t, s.platform.Calls(livetest.LiveResult), "nobody came back, nobody is asked")

	// Signed by the platform, and too early: the person is still in front of the camera.
	bob := s.browser("bob")
	_, early := bob.start()
	signed := s.platform.CallbackQuery(early, "0", "100")
	assert.Equal(t, http.StatusSeeOther, bob.do(http.MethodGet, "/liveness/"+early+"/done?"+signed.Encode()).Code)
	w := bob.do(http.MethodGet, "/liveness/"+early)
	assert.Contains(t, w.Body.String(), "请稍候")
	assert.Equal(t, "2", w.Header().Get("Refresh"), "the page polls")
	s.platform.AddResult(early, livetest.Passing())
	bob.becomes(early, checks.Passed)
}

func TestLiveness_TemporaryIsNotFinal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	order, back := ann.check(livetest.Passing())
	s.store.away.Store(true)
	for _, target := range []string{back.RequestURI(), "/liveness/" + order, "/liveness/" + order + "/state"} {
		w := ann.do(http.MethodGet, target)
		assert.Equal(t, http.StatusServiceUnavailable, w.Code, target)
		assert.Equal(t, "3", w.Header().Get("Retry-After"), target)
		assert.Equal(t, "3", w.Header().Get("Refresh"), "the browser repeats the request, callback and all")
		assert.NotContains(t, w.Body.String(), "重新开始", target)
	}
	s.store.away.Store(false)
	assert.Equal(t, http.StatusSeeOther, ann.do(http.MethodGet, back.RequestURI()).Code)
	ann.becomes(order, checks.Passed)
}

// A refresh would ask GET /liveness/start, which tells the person that there is no such check.
func TestLiveness_AStartThatFailsForNowIsPostedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, -1)
	w := ann.do(http.MethodPost, "/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "3", w.Header().Get("Retry-After"))
	assert.Empty(t, w.Header().Get("Refresh"))
	assert.Contains(t, w.Header().Get("Content-Type"), "text/html")
	assert.Contains(t, w.Body.String(), `<form method="post">`, "the button repeats the request")
}

func TestLiveness_ASwipeBackFindsTheCheckUnderWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	_, order := ann.start()
	w := ann.do(http.MethodPost, "/liveness/start") // a swipe back and another tap
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"))
	assert.Contains(t, ann.do(http.MethodGet, "/liveness/"+order).Body.String(), "请回到验证页面完成")
	assert.Equal(t, http.StatusConflict, s.browser("ann").do(http.MethodPost, "/liveness/start").Code, "the same user elsewhere")
}

func TestLiveness_StartsOnlyTheFormOfAUserWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	assert.Equal(t, http.StatusForbidden, s.browser("").do(http.MethodPost, "/liveness/start").Code)
	assert.Equal(t, http.StatusNotFound, s.browser("ann").do(http.MethodGet, "/liveness/start").Code, "a link that is preloaded")
	assert.Zero(t, s.platform.Calls(livetest.NonceTicket))
}

func TestLiveness_LogsNothingSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	order, back := ann.check(livetest.Failing("-5016"))
	ann.do(http.MethodGet, "/liveness/"+order+"/done?"+with(back.Query(), "code", "0").Encode())
	ann.do(http.MethodGet, back.RequestURI())
	ann.becomes(order, checks.NotPassed)
	s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, -1)
	s.browser("bob").do(http.MethodPost, "/liveness/start")
	s.stop()
	require.Contains(t, s.log.String(), "http_status=502", "the failure is logged")
	for _, secret := range []string{"SECRETMARKER", back.Query().Get("newSignature"), "sign=", "newSignature=", ann.session} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, s.log.String(), secret)
	}
	sent := s.platform.Requests(livetest.AccessToken)
	require.Contains(t, sent[0].Query.Get("secret"), "SECRETMARKER", "the marker was sent")
}

// with returns a copy of query with one value changed.
func with(query url.Values, name, value string) url.Values {
	changed := maps.Clone(query)
	changed.Set(name, value)
	return changed
}
