package ginlive

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// The browser gets one thing that is confidential, the redirect to the platform, and nothing that is secret.
func TestNothingSecretIsServed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	visit := func(replies *[]*httptest.ResponseRecorder, person livetest.Person) {
		user := fmt.Sprint("user", len(*replies)) // the platform grants one launch in two seconds to each
		start := s.do(user, http.MethodPost, "/liveness/start")
		*replies = append(*replies, start)
		if start.Code != http.StatusSeeOther {
			return
		}
		link := start.Header().Get("Location")
		u, err := url.Parse(link)
		require.NoError(t, err)
		assert.Equal(t, []string{"nonce", "orderNo", "resultType", "sign", "url", "userId", "version", "webankAppId"},
			slices.Sorted(maps.Keys(u.Query())), "what the protocol wants, and no more")
		assert.NotContains(t, link, "SECRETMARKER")
		start.Header().Del("Location")

		back, err := s.platform.Visit(t.Context(), link, person)
		require.NoError(t, err)
		u, err = url.Parse(back)
		require.NoError(t, err)
		for _, target := range []string{"/liveness/done?" + with(u.Query(), "code", "7").Encode(), u.RequestURI(), "/liveness/result"} {
			*replies = append(*replies, s.do(user, http.MethodGet, target))
		}
	}
	var replies []*httptest.ResponseRecorder
	for _, person := range []livetest.Person{livetest.Passing(), livetest.Failing("-5016"), livetest.WithoutRecorder()} {
		visit(&replies, person)
	}
	require.Len(t, replies, 12)
	for _, broken := range []livetest.Endpoint{livetest.LiveResult, livetest.NonceTicket, livetest.SignTicket, livetest.AccessToken} {
		s.platform.Revoke()
		s.platform.Fail(broken, livetest.Fault{Status: http.StatusBadGateway}, -1)
		visit(&replies, livetest.Passing())
	}
	require.Equal(t, http.StatusServiceUnavailable, replies[len(replies)-1].Code)

	for i, w := range replies {
		text := w.Body.String()
		for name, values := range w.Header() {
			for _, value := range values {
				text += "\n" + name + ": " + value
			}
		}
		for _, secret := range []string{"SECRETMARKER", "sign=", "newSignature", "app_id="} {
			assert.NotContains(t, text, secret, "reply %d", i)
		}
	}
	sent := s.platform.Requests(livetest.AccessToken)
	require.Contains(t, sent[0].Query.Get("secret"), "SECRETMARKER", "the marker was sent")
}
