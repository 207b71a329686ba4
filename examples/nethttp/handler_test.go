package nethttp

// The test that a partner writes: the vendor's own numbers, and every way a check can go, on the fake platform.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

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
			assert.Empty(t, w.Header().Get("Refresh"), "a verdict does not change")
			assert.NotContains(t, w.Body.String(), "-5", "an attack is not explained")
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
		"tampered":      with(failed.Query(), "code", "0"),
		"foreign":       passed.Query(),
		"renamed":       with(passed.Query(), "orderNo", order),
		"no signature":  {"code": {"0"}, "orderNo": {order}},
		"empty":         {},
		"rejoined":      with(with(failed.Query(), "code", "0"), "orderNo", order+"-5016"),
		"twice a value": {"code": {"0", "0"}, "orderNo": {order}},
	} {
		w := ann.do(http.MethodGet, "/liveness/"+order+"/done?"+query.Encode())
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Empty(t, w.Header().Get("Refresh"), name)
		assert.Equal(t, checks.Launched, ann.state(order), name)
	}
	assert.Equal(t, http.StatusNotFound, eve.do(http.MethodGet, failed.RequestURI()).Code, "another session's callback")
	assert.Equal(t, http.StatusNotFound, eve.do(http.MethodGet, "/liveness/"+order).Code, "another session's page")
	assert.Empty(t, eve.state(order))
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

	// A replay for a new order.
	_, next := bob.start()
	assert.Equal(t, http.StatusBadRequest, bob.do(http.MethodGet, "/liveness/"+next+"/done?"+signed.Encode()).Code)
	assert.Equal(t, checks.Launched, bob.state(next))
}

func TestLiveness_TheCallbackMayReachAnotherReplica(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	other := s.replica()
	order, back := ann.check(livetest.Passing())

	// The other one has no credential yet, and the credential store is away: the signature cannot be judged, so nothing is
	// final.
	s.tokens.away.Store(true)
	w := ann.at(other, http.MethodGet, back.RequestURI())
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "3", w.Header().Get("Retry-After"))
	assert.Equal(t, "3", w.Header().Get("Refresh"), "the browser repeats the callback")
	assert.NotContains(t, w.Body.String(), "重新开始")
	s.tokens.away.Store(false)
	require.Eventually(t, func() bool { // the failure is remembered for seconds
		return ann.at(other, http.MethodGet, back.RequestURI()).Code == http.StatusSeeOther
	}, 30*time.Second, 100*time.Millisecond)
	ann.becomes(order, checks.Passed)
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
		assert.NotContains(t, w.Body.String(), "重新开始", target)
	}
	assert.Equal(t, http.StatusServiceUnavailable, s.browser("bob").do(http.MethodPost, "/liveness/start").Code)
	s.store.away.Store(false)
	assert.Equal(t, http.StatusSeeOther, ann.do(http.MethodGet, back.RequestURI()).Code)
	ann.becomes(order, checks.Passed)
}

func TestLiveness_ASwipeBackFindsTheCheckUnderWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	link, order := ann.start()
	w := ann.do(http.MethodPost, "/liveness/start") // a swipe back and another tap
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"))
	assert.Contains(t, ann.page(order), "请回到验证页面完成")
	assert.Equal(t, 1, s.platform.Calls(livetest.NonceTicket))
	assert.Equal(t, http.StatusConflict, s.browser("ann").do(http.MethodPost, "/liveness/start").Code, "the same user elsewhere")

	ann.do(http.MethodGet, ann.visit(link, livetest.Failing("-5013")).RequestURI())
	ann.becomes(order, checks.NotPassed)
	_, next := ann.start()
	assert.NotEqual(t, order, next)
}

func TestLiveness_NobodySignedInStartsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.browser("").do(http.MethodPost, "/liveness/start")
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Equal(t, http.StatusNotFound, s.browser("ann").do(http.MethodGet, "/liveness/start").Code, "a link that somebody preloads")
	assert.Zero(t, s.platform.Calls(livetest.NonceTicket))
}

func TestNewSessionCookie_ComesHomeFromThePlatform(t *testing.T) {
	t.Parallel()
	c := NewSessionCookie(siteURL, "x")
	assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
	assert.True(t, c.HttpOnly)
	assert.True(t, c.Secure)
	assert.False(t, NewSessionCookie("http://localhost:8080", "x").Secure)
}

func TestNewServer_HasTimeouts(t *testing.T) {
	t.Parallel()
	s := NewServer(":0", http.NotFoundHandler())
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		assert.Positive(t, d)
	}
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
	assert.Equal(t, http.StatusServiceUnavailable, s.browser("bob").do(http.MethodPost, "/liveness/start").Code)
	require.Contains(t, s.log.String(), "http_status=502", "the failure is logged")
	for _, secret := range []string{"SECRETMARKER", back.Query().Get("newSignature"), "sign=", "newSignature=", ann.session} {
		require.NotEmpty(t, secret)
		assert.NotContains(t, s.log.String(), secret)
	}
	sent := s.platform.Requests(livetest.AccessToken)
	require.True(t, strings.HasPrefix(sent[0].Query.Get("secret"), "SECRETMARKER"), "the marker was sent")
}

// with returns a copy of query with one value changed.
func with(query url.Values, name, value string) url.Values {
	changed := url.Values{}
	for k, v := range query {
		changed[k] = v
	}
	changed.Set(name, value)
	return changed
}
