package shop_test

// What a browser, two of them, or a person with a keyboard can send.

import (
	"context"
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

func TestStart_OneFormIsOneLaunch(t *testing.T) {
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
	// The second request of a double click may also come when the first was answered, and the browser dropped the answer.
	links = append(links, c.start(token).Header.Get("Location"))
	require.Contains(t, links[0], "/livelogin?")
	for _, link := range links {
		assert.Equal(t, links[0], link)
	}
	assert.Equal(t, 1, m.platform.Calls(livetest.NonceTicket))
}

func TestStart_SecondClickMayCancelTheFirst(t *testing.T) {
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

func TestStart_RefusesTheFormOfAnotherBrowserOrNone(t *testing.T) {
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

func TestStart_ThatFailedCanBeTriedAgainWithTheSameForm(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	token := c.token()
	m.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: 502}, 1)
	res := c.start(token)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.Equal(t, "3", res.Header.Get("Retry-After"))
	assert.Equal(t, http.StatusSeeOther, c.start(token).StatusCode)
}

func TestStart_ShowsTheCheckUnderWay(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *shop.Config) { c.UnderWay = 4 * time.Second })
	c := m.customer()
	_, number := c.launch()
	res := c.start(c.token()) // a swipe back, or a second tab
	assert.Equal(t, "/liveness/"+number, res.Header.Get("Location"))
	assert.Equal(t, "launched", c.stage(number))
	assert.Equal(t, 1, m.platform.Calls(livetest.NonceTicket))
	require.Eventually(t, func() bool {
		res := c.start(c.token())
		return strings.Contains(res.Header.Get("Location"), "/livelogin?")
	}, 30*time.Second, 100*time.Millisecond, "when the link is dead, another check may begin")
}

func TestStart_TakesThePageThatTheVisitorChooses(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	for entry, path := range map[string]string{"": "/ida/api/web/livelogin", "pc": "/ida/api/pc/livelogin", "wechat": "/ida/api/wx/livelogin"} {
		c := m.customer()
		c.agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15" // an iPad
		res, _ := c.send(http.MethodPost, m.url+"/liveness/start", url.Values{"token": {c.token()}, "entry": {entry}})
		location, err := res.Location()
		require.NoError(t, err)
		assert.Equal(t, path, location.Path)
	}
	c := m.customer()
	res, _ := c.send(http.MethodPost, m.url+"/liveness/start", url.Values{"token": {c.token()}, "entry": {"else"}})
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestCallback_DecidesNothing(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann, eve := m.customer(), m.customer()
	failed, back := ann.check(livetest.Failing("-5016"))
	passed, passing := eve.check(livetest.Passing())
	at := func(number string, query url.Values) string {
		return m.url + "/liveness/" + number + "/done?" + query.Encode()
	}
	for name, address := range map[string]string{
		"tampered code":   strings.Replace(back, "code=-5016", "code=0", 1),
		"another order's": strings.Replace(passing, passed, failed, 1),
		"nothing":         at(failed, nil),
	} {
		res, page := ann.get(address)
		assert.Equal(t, http.StatusBadRequest, res.StatusCode, name)
		assert.NotContains(t, page, "验证通过", name)
		assert.Equal(t, "launched", ann.stage(failed), name)
	}
	res, _ := ann.get(passing)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "another browser's callback")
	assert.Empty(t, ann.stage(passed))
	assert.Zero(t, m.platform.Calls(livetest.LiveResult), "no bad callback makes anybody ask")

	// Signed, but the person is still in front of the camera.
	bob := m.customer()
	_, early := bob.launch()
	res, _ = bob.get(at(early, m.platform.CallbackQuery(early, "0", "100")))
	assert.Equal(t, http.StatusSeeOther, res.StatusCode)
	assert.Equal(t, "/liveness/"+early, res.Header.Get("Location"), "no query goes along")
	assert.Equal(t, "returned", bob.stage(early))
}

func TestMedia_AreForThePersonAtThisMachine(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann, eve := m.customer(), m.customer()
	eve.token()
	number, back := ann.check(livetest.Passing())
	photo := m.url + "/liveness/" + number + "/photo"
	res, _ := ann.get(photo)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "nothing before the decision")
	ann.get(back)
	require.Eventually(t, func() bool {
		res, _ := ann.get(photo)
		return res.StatusCode == http.StatusOK
	}, 40*time.Second, 20*time.Millisecond)
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
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via"} { // by a tunnel, from elsewhere
		ann.header = header
		res, _ := ann.get(photo)
		assert.Equal(t, http.StatusNotFound, res.StatusCode, header)
		_, page := ann.get(m.url + "/liveness/" + number)
		assert.NotContains(t, page, "/photo")
	}
}

func TestMedia_AreNotAskedForOnTheRealPlatform(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *shop.Config) { c.Fake = false })
	mallory := m.customer()
	number, back := mallory.check(livetest.Passing()) // perhaps a victim, to whom she sent her link
	mallory.get(back)
	mallory.becomes(number, "passed")
	for _, media := range []string{"photo", "video"} {
		res, _ := mallory.get(m.url + "/liveness/" + number + "/" + media)
		assert.Equal(t, http.StatusNotFound, res.StatusCode)
	}
	for _, r := range m.platform.Requests(livetest.LiveResult) {
		assert.NotContains(t, []string{"1", "2", "3"}, r.Query.Get("get_file"))
	}
	_, page := mallory.get(m.url + "/")
	assert.NotContains(t, page, "the platform is a fake")
}
