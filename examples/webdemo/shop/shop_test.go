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

// The second request of a double click may come when the first was answered, and the browser dropped the answer.
func TestStart_GivesTheSecondClickTheLinkOfTheFirst(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	token := c.token()
	first := c.start(token).Header.Get("Location")
	require.Contains(t, first, "/livelogin?")
	assert.Equal(t, first, c.start(token).Header.Get("Location"))
	assert.Equal(t, 1, m.platform.Calls(livetest.NonceTicket))
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
	assert.Zero(t, m.platform.Calls(livetest.LiveResult), "no bad callback makes anybody ask")

	// Signed, but the person is still in front of the camera.
	bob := m.customer()
	_, early := bob.launch()
	res, _ = bob.get(at(early, m.platform.CallbackQuery(early, "0", "100")))
	assert.Equal(t, http.StatusSeeOther, res.StatusCode)
	assert.Equal(t, "returned", bob.stage(early))

	// A signed 0 for a person who failed: the platform is asked, and believed.
	liar := m.customer()
	_, number := liar.launch()
	m.platform.AddResult(number, livetest.Failing("-5013"))
	liar.get(at(number, m.platform.CallbackQuery(number, "0", "100")))
	liar.becomes(number, "not_passed")
	liar.get(at(number, m.platform.CallbackQuery(number, "-5016", "")))
	assert.Equal(t, "not_passed", liar.stage(number))

	// And a signed failure for a person who passed.
	lucky := m.customer()
	_, number = lucky.launch()
	m.platform.AddResult(number, livetest.Passing())
	lucky.get(at(number, m.platform.CallbackQuery(number, "-5016", "")))
	lucky.becomes(number, "passed")
}

func TestCallback_AnUnsignedFailureIsAskedAbout(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann, mallory := m.customer(), m.customer()
	number, back := ann.check(livetest.WithoutRecorder())
	ann.get(back)
	ann.becomes(number, "other_way")
	_, page := ann.get(m.url + "/liveness/" + number)
	assert.Contains(t, page, "请换一个浏览器打开")
	assert.Contains(t, page, "come to a branch")

	number, _ = mallory.check(livetest.Failing("-5016")) // the weaker way, chosen by typing a code
	mallory.get(m.url + "/liveness/" + number + "/done?code=3001&orderNo=" + number)
	mallory.becomes(number, "not_passed")
}

func TestCallback_ManyTimesAsksOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.Failing("-5013"))
	for range 5 {
		res, _ := c.get(back)
		assert.Equal(t, "/liveness/"+number, res.Header.Get("Location"), "no query goes along")
	}
	c.becomes(number, "not_passed")
	for range 50 {
		c.get(back)
		c.stage(number)
	}
	assert.Equal(t, 1, m.platform.Calls(livetest.LiveResult))
}

// Who fails an attack is not told what to improve; who recorded badly is.
func TestPage_ExplainsNoAttack(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	text := map[string]string{}
	for _, code := range []string{"-5016", "-99999", "-5013"} {
		eve := m.customer()
		number, back := eve.check(livetest.Person{Code: code, LiveRate: "61.5"})
		eve.get(back)
		eve.becomes(number, "not_passed")
		_, page := eve.get(m.url + "/liveness/" + number)
		_, state := eve.get(m.url + "/liveness/" + number + "/state")
		for _, told := range []string{"61.5", code, "翻拍", "活体检测不通过"} {
			assert.NotContains(t, page+state, told)
		}
		text[code] = strings.ReplaceAll(page, number, "")
		require.Eventually(t, func() bool { return strings.Contains(m.log.String(), "code="+code) }, 20*time.Second, 10*time.Millisecond, "the log has it")
	}
	assert.Equal(t, text["-99999"], text["-5016"], "an attack looks like any failure")
	assert.Contains(t, text["-5013"], "quiet place")
	assert.NotEqual(t, text["-5013"], text["-5016"])
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
	link, number := mallory.launch()
	u, err := url.Parse(link)
	require.NoError(t, err)
	query := u.Query()
	query.Set("url", "https://evil.example/") // the platform does not sign it
	u.RawQuery = query.Encode()
	back, err := m.platform.Visit(t.Context(), u.String(), livetest.Passing()) // a victim
	require.NoError(t, err)
	b, err := url.Parse(back)
	require.NoError(t, err)
	mallory.get(m.url + "/liveness/" + number + "/done?" + b.RawQuery)
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

func TestPage_SaysThatThePlatformIsAFake(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	_, number := c.launch()
	for _, path := range []string{"/", "/liveness/" + number, "/liveness/none", "/none", "/liveness/" + number + "/done"} {
		_, page := c.get(m.url + path)
		assert.Contains(t, page, "平台是仿真的", path)
		assert.Contains(t, page, "the platform is a fake", path)
	}
}

func TestPage_WaitsForLateThings(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	m.platform.SetMediaLag(time.Hour)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, 1)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	state := func() (v struct{ State, Evidence string }) {
		_, body := c.get(m.url + "/liveness/" + number + "/state")
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		return v
	}
	before := state()
	c.get(back)
	assert.Equal(t, "returned", c.stage(number))
	assert.NotEqual(t, before, state(), "a waiting page hears of the change")
	c.becomes(number, "passed")
	assert.Equal(t, "coming", state().Evidence)
	_, page := c.get(m.url + "/liveness/" + number)
	assert.Contains(t, page, "data-pending")
}

func TestStart_StrangersDoNotEvictACheck(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	ann := m.customer()
	number, back := ann.check(livetest.Passing())
	for range 250 {
		m.customer().launch()
	}
	res, _ := ann.get(back)
	assert.Equal(t, http.StatusSeeOther, res.StatusCode)
	ann.becomes(number, "passed")
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

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := shop.New(shop.Config{})
	require.Error(t, err)
	_, err = shop.New(shop.Config{PublicURL: "http://%zz"})
	require.Error(t, err)
}
