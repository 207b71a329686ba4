package shop_test

// The shop over HTTP, without scripts: what a browser, two of them, or somebody with a keyboard can send.

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

func TestEveryReplyIsPrivate(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	c.get(back)
	c.becomes(number, "passed")
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
	assert.Contains(t, m.log.String(), "launched", "the log is on")
	for _, secret := range []string{"SECRETMARKER", "sign=", "newSignature", "nonce="} {
		assert.NotContains(t, m.log.String(), secret)
	}
}

func TestSessionCookie(t *testing.T) {
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

func TestOneFormIsOneLaunch(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	token := c.token()
	var wait sync.WaitGroup
	links := make([]string, 8)
	for i := range links {
		wait.Add(1)
		go func() {
			defer wait.Done()
			body := strings.NewReader(url.Values{"token": {token}}.Encode())
			res, err := c.client.Post(m.url+"/liveness/start", "application/x-www-form-urlencoded", body)
			if assert.NoError(t, err) {
				links[i] = res.Header.Get("Location")
				res.Body.Close()
			}
		}()
	}
	wait.Wait()
	for _, link := range links {
		assert.Equal(t, links[0], link)
	}
	assert.Equal(t, 1, m.platform.Calls(livetest.NonceTicket))
}

func TestSecondClickMayCancelTheFirst(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	token := c.token()
	m.platform.Fail(livetest.NonceTicket, livetest.Fault{Delay: 300 * time.Millisecond}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/liveness/start", strings.NewReader("token="+token))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	first := make(chan error, 1)
	go func() {
		res, err := c.client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		first <- err
	}()
	require.Eventually(t, func() bool { return m.platform.Calls(livetest.NonceTicket) == 1 }, 20*time.Second, time.Millisecond)
	sent := make(chan struct{})
	second := make(chan *http.Response, 1)
	go func() {
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }}
		req := req.Clone(httptrace.WithClientTrace(t.Context(), trace))
		req.Body = io.NopCloser(strings.NewReader("token=" + token))
		res, err := c.client.Do(req)
		if assert.NoError(t, err) {
			res.Body.Close()
		}
		second <- res
	}()
	<-sent
	m.customer().get(m.url + "/") // meanwhile the second click has arrived, too
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	res := <-second
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	_, err = m.platform.Visit(t.Context(), res.Header.Get("Location"), livetest.Passing())
	require.NoError(t, err)
	assert.Equal(t, 1, m.platform.Calls(livetest.NonceTicket))
}

func TestFormOfAnotherBrowserOrNoneIsRefused(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann, eve := m.customer(), m.customer()
	eve.token()
	for name, token := range map[string]string{"foreign": ann.token(), "empty": "", "made up": "a.b", "no mac": "a"} {
		assert.Equal(t, http.StatusForbidden, eve.start(token).StatusCode, name)
	}
	assert.Equal(t, http.StatusForbidden, m.customer().start(ann.token()).StatusCode, "without a cookie")
	res, _ := ann.send(http.MethodGet, m.url+"/liveness/start", nil)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "a link that somebody preloads starts nothing")
	assert.Zero(t, m.platform.Calls(livetest.NonceTicket))
}

func TestLaunchThatFailedCanBeTriedAgainWithTheSameForm(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	token := c.token()
	m.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: 502}, 1)
	assert.Equal(t, http.StatusServiceUnavailable, c.start(token).StatusCode)
	assert.Equal(t, http.StatusSeeOther, c.start(token).StatusCode)
}

func TestCallbackDecidesNothing(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *shop.Config) { c.Patience = 700 * time.Millisecond })
	ann, eve := m.customer(), m.customer()
	failed, back := ann.check(livetest.Failing("-5016"))
	passed, passing := eve.check(livetest.Passing())
	genuine, err := url.Parse(back)
	require.NoError(t, err)
	at := func(number string, query url.Values) string {
		return m.url + "/liveness/" + number + "/done?" + query.Encode()
	}
	other, err := url.Parse(passing)
	require.NoError(t, err)

	for name, address := range map[string]string{
		"tampered code":         strings.Replace(back, "code=-5016", "code=0", 1),
		"passed, no signature":  at(failed, url.Values{"code": {"0"}, "orderNo": {failed}}),
		"somebody else's":       at(failed, other.Query()),
		"digits moved":          at(failed, url.Values{"code": {"0"}, "orderNo": {failed + "-5016"}, "newSignature": genuine.Query()["newSignature"]}),
		"code given twice":      back + "&code=0",
		"nothing":               at(failed, nil),
		"signature of all zero": at(failed, url.Values{"code": {"0"}, "orderNo": {failed}, "newSignature": {strings.Repeat("0", 40)}}),
	} {
		res, page := ann.get(address)
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, name)
		assert.NotContains(t, page, "验证通过", name)
		assert.Equal(t, "launched", ann.stage(failed), name)
	}
	res, _ := ann.get(passing)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "another browser's callback")
	assert.Empty(t, ann.stage(passed))
	assert.Zero(t, m.platform.Calls(livetest.LiveResult), "no bad callback wakes anybody")

	// Signed, but the person is still in front of the camera.
	_, early := ann.launch()
	res, _ = ann.get(at(early, m.platform.CallbackQuery(early, "0", "100")))
	assert.Equal(t, http.StatusSeeOther, res.StatusCode)
	ann.becomes(early, "noResult")

	// A signed 0 for a person who failed: the platform is asked, and believed.
	_, liar := ann.launch()
	m.platform.AddResult(liar, livetest.Failing("-5013"))
	ann.get(at(liar, m.platform.CallbackQuery(liar, "0", "100")))
	ann.becomes(liar, "notPassed")

	// And a signed failure for a person who passed.
	ann.get(at(liar, m.platform.CallbackQuery(liar, "-5016", "")))
	assert.Equal(t, "notPassed", ann.stage(liar))
	_, lucky := ann.launch()
	m.platform.AddResult(lucky, livetest.Passing())
	ann.get(at(lucky, m.platform.CallbackQuery(lucky, "-5016", "")))
	ann.becomes(lucky, "passed")
}

func TestUnsignedCallbackOffersAnotherWayAndEndsNothing(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	_, number := c.launch()
	unsigned := url.Values{"code": {"3001"}, "orderNo": {number}}
	res, _ := c.get(m.url + "/liveness/" + number + "/done?" + unsigned.Encode())
	assert.Equal(t, http.StatusSeeOther, res.StatusCode)
	_, page := c.get(m.url + "/liveness/" + number)
	assert.Contains(t, page, "该浏览器不支持视频录制")
	assert.Contains(t, page, "choose another way to identify")

	m.platform.AddResult(number, livetest.Passing())
	c.get(m.url + "/liveness/" + number + "/done?" + m.platform.CallbackQuery(number, "0", "").Encode())
	c.becomes(number, "passed")
	c.get(m.url + "/liveness/" + number + "/done?" + unsigned.Encode())
	assert.Equal(t, "passed", c.stage(number))
}

func TestManyCallbacksAskOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.Failing("-5013"))
	for range 5 {
		res, _ := c.get(back)
		assert.Equal(t, "/liveness/"+number, res.Header.Get("Location"), "no query goes along")
	}
	c.becomes(number, "notPassed")
	c.get(back)
	assert.Equal(t, 1, m.platform.Calls(livetest.LiveResult))
}

func TestMediaAreForTheBrowserThatOwnsTheOrder(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann, eve := m.customer(), m.customer()
	eve.token()
	number, back := ann.check(livetest.Passing())
	photo := m.url + "/liveness/" + number + "/photo"
	res, _ := ann.get(photo)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "nothing before the decision")
	ann.get(back)
	ann.becomes(number, "passed")
	require.Eventually(t, func() bool {
		res, _ := ann.get(photo)
		return res.StatusCode == http.StatusOK
	}, 20*time.Second, 20*time.Millisecond)
	res, body := ann.get(photo)
	assert.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
	assert.Equal(t, string(livetest.SamplePhoto()), body)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.url+"/liveness/"+number+"/video", nil)
	require.NoError(t, err)
	req.Header.Set("Range", "bytes=4-7")
	res, err = ann.client.Do(req)
	require.NoError(t, err)
	part, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Equal(t, "video/mp4", res.Header.Get("Content-Type"))
	assert.Equal(t, "ftyp", string(part))

	for _, media := range []string{"photo", "video", "else", "state"} {
		res, body := eve.get(m.url + "/liveness/" + number + "/" + media)
		assert.Equal(t, http.StatusNotFound, res.StatusCode, media)
		assert.NotContains(t, body, "ftyp")
	}
}

func TestLateThingsAreWaitedFor(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *shop.Config) { c.MediaPatience = 600 * time.Millisecond })
	m.platform.SetMediaLag(time.Hour)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, 1)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	version := func() (v struct{ Version int }) {
		_, body := c.get(m.url + "/liveness/" + number + "/state")
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		return v
	}
	before := version()
	c.get(back)
	assert.Equal(t, "waiting", c.stage(number))
	assert.NotEqual(t, before, version(), "a waiting page hears of the change")
	c.becomes(number, "passed")
	require.Eventually(t, func() bool {
		_, page := c.get(m.url + "/liveness/" + number)
		return strings.Contains(page, "没有照片和视频") && !strings.Contains(page, "data-pending")
	}, 20*time.Second, 20*time.Millisecond)
}

func TestTroubleIsNoVerdict(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660002"}, 1) // the contract has expired
	c.get(back)
	c.becomes(number, "trouble")
	assert.Contains(t, m.log.String(), "result not available")
	c.get(back) // the callback wakes the shop up again
	c.becomes(number, "passed")
}

func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *shop.Config) { c.Patience = time.Hour })
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, -1)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	c.get(back)
	assert.Equal(t, "waiting", c.stage(number))
	m.shop.Close()
	assert.NotEqual(t, "waiting", c.stage(number))
	assert.NotEqual(t, "passed", c.stage(number))
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := shop.New(shop.Config{})
	require.Error(t, err)
	_, err = shop.New(shop.Config{PublicURL: "http://%zz"})
	require.Error(t, err)
}
