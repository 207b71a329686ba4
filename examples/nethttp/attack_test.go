package nethttp

// What people tried against handlers that kept order and verdict in the session, and asked the platform from their pages.

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

// The platform does not sign the url of a link. Mallory sends her own link, with another url, to a victim who passes, and
// brings the callback home herself. No server can see that; that is why the photo must be compared where identity
// matters. What her browser gets says nothing about the victim.
func TestAttack_ARelayedPassShowsNothingOfThePerson(t *testing.T) {
	t.Parallel()
	mallory := newSite(t).browser("mallory")
	link, order := mallory.start()
	query := link.Query()
	query.Set("url", "https://evil.example/thanks")
	link.RawQuery = query.Encode()
	back := mallory.visit(link, livetest.Passing())
	require.Equal(t, "evil.example", back.Host)
	mallory.do(http.MethodGet, "/liveness/"+order+"/done?"+back.RawQuery)
	mallory.becomes(order, checks.Passed)
	for _, target := range []string{"/liveness/" + order, "/liveness/" + order + "/state"} {
		assert.Less(t, mallory.do(http.MethodGet, target).Body.Len(), 100)
	}
	for _, media := range []string{"photo", "video"} {
		assert.Equal(t, http.StatusNotFound, mallory.do(http.MethodGet, "/liveness/"+order+"/"+media).Code)
	}
}

func TestAttack_ReloadsCostThePlatformNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for user, person := range map[string]livetest.Person{"ann": livetest.Passing(), "bob": livetest.Failing("-5016")} {
		b := s.browser(user)
		order, back := b.check(person)
		b.do(http.MethodGet, back.RequestURI())
		require.Eventually(t, func() bool { return b.state(order).Final() }, 30*time.Second, 10*time.Millisecond)
		state, before := b.state(order), s.platform.Calls(livetest.LiveResult)
		for range 200 {
			b.page(order)
			b.do(http.MethodGet, back.RequestURI())
		}
		assert.Equal(t, before, s.platform.Calls(livetest.LiveResult), user)

		s.platform.Advance(96 * time.Hour) // the platform has forgotten it
		assert.Equal(t, state, b.state(order), user)
	}
}

// A browser that stays open while another user signs in.
func TestAttack_APassDoesNotGoToWhoSignedInMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser("mallory")
	order, back := b.check(livetest.Passing())
	b.user = "victim" // with a password that was phished
	assert.Equal(t, http.StatusNotFound, b.do(http.MethodGet, back.RequestURI()).Code)
	assert.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/liveness/"+order).Code)
	assert.Empty(t, s.verdict("victim"))
	b.user = "mallory"
	assert.Equal(t, checks.Launched, b.state(order), "nothing was changed")
}

// Signing out while the platform is slow, and an old tab beside a new check: there is no session to write back.
func TestAttack_ASlowAnswerWritesNoSessionBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann := s.browser("ann")
	order, back := ann.check(livetest.Passing())
	s.platform.Fail(livetest.LiveResult, livetest.Fault{Delay: 300 * time.Millisecond}, 1)
	ann.do(http.MethodGet, back.RequestURI())
	ann.page(order)
	gone := s.browser("ann") // signed out and in again: another session
	assert.Empty(t, gone.state(order))
	ann.becomes(order, checks.Passed)

	s.platform.Advance(3 * time.Second)
	bob := s.browser("bob")
	order, back = bob.check(livetest.Passing())
	s.platform.Fail(livetest.LiveResult, livetest.Fault{Delay: 300 * time.Millisecond}, 1)
	bob.do(http.MethodGet, back.RequestURI())
	w := bob.do(http.MethodPost, "/liveness/start") // the other tab
	assert.Equal(t, "/liveness/"+order, w.Header().Get("Location"), "one check at a time")
	bob.becomes(order, checks.Passed)
	s.platform.Advance(3 * time.Second)
	next, back := bob.check(livetest.Failing("-5016"))
	bob.page(order)
	assert.Equal(t, http.StatusSeeOther, bob.do(http.MethodGet, back.RequestURI()).Code)
	bob.becomes(next, checks.NotPassed)
	assert.Equal(t, checks.Passed, bob.state(order), "each check has its own verdict")
}

// The weaker way, chosen by typing it.
func TestAttack_NobodyChoosesTheOtherWayByTypingACode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mallory := s.browser("mallory")
	order, _ := mallory.check(livetest.Failing("-5016")) // she drops the signed callback
	w := mallory.do(http.MethodGet, "/liveness/"+order+"/done?code=3001&orderNo="+order)
	assert.Equal(t, http.StatusSeeOther, w.Code)
	mallory.becomes(order, checks.NotPassed)

	eve := s.browser("eve")
	order, back := eve.check(livetest.Failing("-5016"))
	eve.do(http.MethodGet, back.RequestURI())
	eve.becomes(order, checks.NotPassed)
	eve.do(http.MethodGet, "/liveness/"+order+"/done?code=3004&orderNo="+order)
	assert.Equal(t, checks.NotPassed, eve.state(order), "after the verdict, too")
}

// A cookie of yesterday, restored from a text file, brings no old verdict back.
func TestAttack_AnOldCookieIsNoOldVerdict(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mallory := s.browser("mallory")
	order, back := mallory.check(livetest.Passing())
	mallory.do(http.MethodGet, back.RequestURI())
	mallory.becomes(order, checks.Passed)
	old := *mallory

	s.platform.Advance(3 * time.Second)
	mallory.session = "a new sign-in"
	next, back := mallory.check(livetest.Failing("-5016")) // a fresh check is demanded, and fails
	mallory.do(http.MethodGet, back.RequestURI())
	mallory.becomes(next, checks.NotPassed)
	assert.Empty(t, old.state(next))
	assert.Equal(t, checks.NotPassed, s.verdict("mallory"), "the account is what counts")
}
