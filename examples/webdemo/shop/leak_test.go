package shop_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// Pages, headers and the log show no secret, and no link but the redirect itself.
func TestShop_ServesAndLogsNothingSecret(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	var signatures []string
	assertHarmless := func(what, text string) {
		for _, secret := range append(signatures, "SECRETMARKER", "sign=", "newSignature", "app_id=") {
			assert.NotContains(t, text, secret, what)
		}
	}
	look := func(res *http.Response, body string) {
		for name, values := range res.Header {
			body += "\n" + name + ": " + strings.Join(values, " ")
		}
		assertHarmless(res.Request.Method+" "+res.Request.URL.Path, body)
	}
	for stage, person := range map[string]livetest.Person{
		"passed": livetest.Passing(), "not_passed": livetest.Failing("-5016"), "other_way": livetest.WithoutRecorder(),
	} {
		c := m.customer()
		look(c.get(m.url + "/"))
		redirect := c.start(c.token())
		require.Equal(t, http.StatusSeeOther, redirect.StatusCode)
		link, err := redirect.Location()
		require.NoError(t, err)
		assert.Equal(t, []string{"nonce", "orderNo", "resultType", "sign", "url", "userId", "version", "webankAppId"},
			slices.Sorted(maps.Keys(link.Query())), "what the protocol wants, and no more")
		assert.NotContains(t, link.String(), "SECRETMARKER")
		redirect.Header.Del("Location")
		signatures = append(signatures, link.Query().Get("sign"))
		look(redirect, "")

		back, err := m.platform.Visit(t.Context(), link.String(), person)
		require.NoError(t, err)
		u, err := url.Parse(back)
		require.NoError(t, err)
		if signature := u.Query().Get("newSignature"); signature != "" {
			signatures = append(signatures, signature)
		}
		number := link.Query().Get("orderNo")
		look(c.get(strings.Replace(back, "code=", "code=7", 1)))
		look(c.get(back))
		c.becomes(number, stage)
		look(c.get(m.url + "/liveness/" + number))
		look(c.get(m.url + "/liveness/" + number + "/state"))
	}
	c := m.customer()
	m.platform.Revoke()
	m.platform.Fail(livetest.AccessToken, livetest.Fault{Status: http.StatusBadGateway}, -1)
	failed := c.start(c.token())
	require.Equal(t, http.StatusServiceUnavailable, failed.StatusCode)
	look(failed, "")
	require.Contains(t, m.log.String(), "http_status=502", "the failure is logged")
	assertHarmless("log", m.log.String())
	require.Contains(t, m.platform.Requests(livetest.AccessToken)[0].Query.Get("secret"), "SECRETMARKER", "the marker was sent")
}
