package shop_test

// The shop over HTTP, without scripts.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

func TestShop_EveryReplyIsPrivate(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	c.get(back)
	c.becomes(number, "passed")
	m.platform.Advance(3 * time.Second) // the platform grants one launch in two seconds to each
	redirect := c.start(c.token())
	require.Equal(t, http.StatusSeeOther, redirect.StatusCode)
	replies := []*http.Response{redirect}
	for _, path := range []string{"/", "/liveness/" + number, "/liveness/" + number + "/state", "/liveness/" + number + "/photo", "/liveness/none", "/none", "/static/shop.js"} {
		res, _ := c.get(m.url + path)
		replies = append(replies, res)
	}
	for _, res := range replies {
		path := res.Request.URL.Path
		assert.Equal(t, "no-store", res.Header.Get("Cache-Control"), path)
		assert.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"), path)
		assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		policy := res.Header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", path)
		assert.NotContains(t, policy, "unsafe", path)
	}
}

func TestShop_BelievesNoCookieThatItDidNotSign(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	res, _ := m.customer().get(m.url + "/")
	require.Len(t, res.Cookies(), 1)
	cookie := res.Cookies()[0]
	assert.True(t, cookie.HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	assert.Equal(t, "/", cookie.Path)

	ann := m.customer()
	number, _ := ann.check(livetest.Passing())
	at, err := url.Parse(m.url)
	require.NoError(t, err)
	genuine := ann.client.Jar.Cookies(at)[0].Value
	id, mac, _ := strings.Cut(genuine, ".")
	require.Equal(t, "launched", ann.stage(number))
	for _, forged := range []string{id, id + ".", id + "." + strings.Repeat("0", len(mac)), "." + mac, id + "x." + mac, ""} {
		eve := m.customer()
		eve.client.Jar.SetCookies(at, []*http.Cookie{{Name: cookie.Name, Value: forged}})
		assert.Empty(t, eve.stage(number), "cookie %q", forged)
	}
}

func TestClose_EndsTheWorkBehind(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, -1)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	c.get(back)
	m.shop.Close()
	assert.Equal(t, "returned", c.stage(number), "pages can still be read")
	m.shop.Close()
}

func TestNew_ChecksItsConfig(t *testing.T) {
	t.Parallel()
	_, err := shop.New(shop.Config{})
	require.Error(t, err)
	_, err = shop.New(shop.Config{PublicURL: "http://%zz"})
	require.Error(t, err)
}
