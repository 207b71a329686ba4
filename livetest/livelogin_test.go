package livetest_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestLink_IsRefusedWhenOneThingIsWrong(t *testing.T) {
	t.Parallel()
	resigned := func(r *rig, ticket, name, value string) url.Values {
		q := with(r.linkQuery(ticket, "alice", "A1"), name, value)
		q.Set("sign", livetest.Sign(q.Get("webankAppId"), q.Get("userId"), q.Get("orderNo"), q.Get("version"), q.Get("nonce"), ticket))
		return q
	}
	for _, c := range []struct{ name, value, reason string }{
		{"webankAppId", "IDAother", "AppID"},
		{"version", "1.0", "version"},
		{"nonce", "short", "nonce is not 32"},
		{"orderNo", "with-dash", "orderNo"},
		{"orderNo", strings.Repeat("a", 33), "orderNo"},
		{"orderNo", "taken", "used before"},
		{"url", "/done", "absolute"},
		{"url", "ftp://shop.example/done", "absolute"},
		{"url", "https%3A%2F%2Fshop.example%2Fdone", "encoded once"},
		{"webankAppId", "", "missing"}, {"version", "", "missing"}, {"nonce", "", "missing"}, {"orderNo", "", "missing"},
		{"url", "", "missing"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t)
			r.AddResult("taken", livetest.Passing())
			ticket := r.ticket(r.token(), "NONCE", "alice")
			status, why := r.open(r.link(resigned(r, ticket, c.name, c.value)))
			assert.Equal(t, http.StatusForbidden, status)
			assert.Contains(t, why, c.reason)
			status, why = r.open(r.link(r.linkQuery(ticket, "alice", "A1")))
			assert.Equal(t, http.StatusForbidden, status)
			assert.Contains(t, why, "used before: a link opens once", "a refused link consumes its ticket")
		})
	}
	for _, c := range []struct{ name, value, reason string }{
		{"userId", "", "missing"}, {"sign", "", "missing"},
		{"userId", "bob", "matches no ticket"},
		{"orderNo", "A2", "matches no ticket"},
		{"nonce", strings.Repeat("x", 32), "matches no ticket"},
		{"sign", strings.Repeat("0", 40), "matches no ticket"},
	} {
		t.Run("not as signed: "+c.name+"="+c.value, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t)
			ticket := r.ticket(r.token(), "NONCE", "alice")
			good := r.linkQuery(ticket, "alice", "A1")
			status, why := r.open(r.link(with(good, c.name, c.value)))
			assert.Equal(t, http.StatusForbidden, status)
			assert.Contains(t, why, c.reason)
			status, _ = r.open(r.link(good))
			assert.Equal(t, http.StatusOK, status, "a foreign signature consumes nothing")
		})
	}
	for name, spoil := range map[string]func(url.Values, string) url.Values{
		"twice the same parameter": func(q url.Values, _ string) url.Values { return with(q, "url", q.Get("url"), q.Get("url")) },
		"in clear":                 func(q url.Values, ticket string) url.Values { return with(q, "ticket", ticket) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t)
			ticket := r.ticket(r.token(), "NONCE", "alice")
			status, _ := r.open(r.link(spoil(r.linkQuery(ticket, "alice", "A1"), ticket)))
			assert.Equal(t, http.StatusForbidden, status)
		})
	}
}

func TestNonceTicket_KeepsTheVendorsRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link   func(r *rig, token string) url.Values
		reason string
	}{
		"a SIGN ticket": {func(r *rig, token string) url.Values {
			return r.linkQuery(r.ticket(token, "SIGN", ""), "alice", "A1")
		}, "signed with the SIGN ticket, a NONCE ticket is needed"},
		"another user's": {func(r *rig, token string) url.Values {
			return r.linkQuery(r.ticket(token, "NONCE", "bob"), "alice", "A1")
		}, `made for user "bob", the request names "alice"`},
		"used": {func(r *rig, token string) url.Values {
			ticket := r.ticket(token, "NONCE", "alice")
			status, _ := r.open(r.link(r.linkQuery(ticket, "alice", "B2")))
			require.Equal(r.t, http.StatusOK, status)
			return r.linkQuery(ticket, "alice", "A1")
		}, "used before"},
		"expired": {func(r *rig, token string) url.Values {
			q := r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1")
			r.Advance(2 * time.Minute)
			return q
		}, "the NONCE ticket is dead: made 2m0"},
		"its token died": {func(r *rig, token string) url.Values {
			q := r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1")
			r.token()
			r.Advance(time.Minute)
			return q
		}, "died with its access token"},
		"probed with HEAD": {func(r *rig, token string) url.Values {
			q := r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1")
			status, _, body, err := r.do(context.Background(), http.MethodHead, r.link(q))
			require.NoError(r.t, err)
			require.Equal(r.t, http.StatusOK, status)
			require.Empty(r.t, body)
			return q
		}, "used before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				q := c.link(r, r.token())
				status, why := r.open(r.link(q))
				assert.Equal(t, http.StatusForbidden, status)
				assert.Contains(t, why, c.reason)
			})
		})
	}
	t.Run("lives 119 seconds, at every entry", func(t *testing.T) {
		t.Parallel()
		r := inMemory(t)
		token := r.token()
		for user, entry := range map[string]string{"a": "web", "b": "wx", "c": "pc"} {
			q := r.linkQuery(r.ticket(token, "NONCE", user), user, "order"+user)
			r.Advance(119 * time.Second)
			status, why := r.open(r.h5 + "/api/" + entry + "/livelogin?" + q.Encode())
			assert.Equal(t, http.StatusOK, status, why)
		}
	})
	t.Run("two live tickets of one user both work", func(t *testing.T) {
		t.Parallel()
		r := inMemory(t)
		token := r.token()
		first := r.launch(token, "alice", "A1")
		r.Advance(2 * time.Second)
		second := r.launch(token, "alice", "A2")
		for _, link := range []string{second, first} {
			status, why := r.open(link)
			assert.Equal(t, http.StatusOK, status, why)
		}
	})
}

func TestVisit_EndsAsThePersonDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		person   livetest.Person
		callback string // without the signature
		signed   bool
		code     string // of getLiveResult
	}{
		"passing":          {livetest.Passing(), "https://shop.example/done?code=0&orderNo=A1&liveRate=95", true, "0"},
		"failing":          {livetest.Failing("-5012"), "https://shop.example/done?code=-5012&orderNo=A1", true, "-5012"},
		"odd score":        {livetest.Person{Code: "1", LiveRate: "分数为空"}, "https://shop.example/done?code=1&orderNo=A1&liveRate=%E5%88%86%E6%95%B0%E4%B8%BA%E7%A9%BA", true, "1"},
		"without recorder": {livetest.WithoutRecorder(), "https://shop.example/done?code=3001&orderNo=A1", false, "66660011"},
		"quitting":         {livetest.Quitting(), "", false, "66660011"},
	} {
		for resultType, label := range map[string]string{"": "result page", "1": "straight back"} {
			t.Run(name+", "+label, func(t *testing.T) {
				t.Parallel()
				r := overHTTP(t)
				token := r.token()
				ticket := r.ticket(token, "SIGN", "")
				q := with(r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1"), "resultType", resultType)
				back, err := r.Visit(context.Background(), r.link(q), c.person)
				require.NoError(t, err)
				want := c.callback
				if c.signed {
					want += "&&newSignature=" + livetest.Sign(r.AppID(), "A1", ticket, c.person.Code)
					want += "&signature=" + livetest.Sign(r.AppID(), "A1", ticket) // of three values, from before 2018
				}
				assert.Equal(t, want, back)
				assert.Equal(t, c.code, r.code(resultPath, r.resultQuery(ticket, "A1", "")))
				if c.signed {
					u, err := url.Parse(back)
					require.NoError(t, err)
					assert.Equal(t, u.Query().Get("newSignature"), r.CallbackQuery("A1", c.person.Code, "").Get("newSignature"))
				}
			})
		}
	}
}

func TestVisit_TheCallbackKeepsQueryAndFragmentOfTheURL(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	for user, c := range map[string]struct{ url, want string }{
		"a": {"https://shop.example/done?x=1", "https://shop.example/done?x=1&code=0&orderNo=a"},
		"b": {"https://shop.example/#/done", "https://shop.example/?code=0&orderNo=b#/done"},
	} {
		q := with(r.linkQuery(r.ticket(token, "NONCE", user), user, user), "url", c.url)
		back, err := r.Visit(context.Background(), r.link(q), livetest.Person{Code: "0"})
		require.NoError(t, err)
		assert.Equal(t, c.want, back, "unsigned: the platform holds no SIGN ticket")
	}
}

func TestVisit_TheCallbackIsSignedWithTheNewestSignTicket(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	r.ticket(token, "SIGN", "")
	_, foreign := r.Rotate()
	assert.Equal(t, livetest.Sign(r.AppID(), "A1", foreign, "0"), r.CallbackQuery("A1", "0", "80").Get("newSignature"))
	assert.Equal(t, "80", r.CallbackQuery("A1", "0", "80").Get("liveRate"))
	assert.NotContains(t, r.CallbackQuery("A1", "0", ""), "liveRate")
	r.Advance(time.Hour)
	assert.Equal(t, url.Values{"code": {"0"}, "orderNo": {"A1"}}, r.CallbackQuery("A1", "0", ""), "no ticket, no signature")
}

func TestVisit_ItsErrorCarriesTheReasonAndNotTheLink(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	link := r.launch(r.token(), "alice", "A1")
	_, err := r.Visit(context.Background(), link, livetest.Passing())
	require.NoError(t, err)
	_, err = r.Visit(context.Background(), link, livetest.Passing())
	require.ErrorContains(t, err, "a link opens once")
	assert.NotContains(t, err.Error(), "sign=")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = r.Visit(ctx, link, livetest.Passing())
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Visit(context.Background(), "http://%zz?sign=s", livetest.Passing())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "sign=")
}

func TestPage_ReportsOnceAndAPlainBrowserGetsSampleMedia(t *testing.T) {
	t.Parallel()
	r := overHTTP(t)
	token := r.token()
	ticket := r.ticket(token, "SIGN", "")
	_, _, body, err := r.do(context.Background(), http.MethodGet, r.launch(token, "alice", "A1"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(body), `name="session" value="`)
	require.True(t, found)
	session, _, _ := strings.Cut(rest, `"`)
	post := func(form url.Values) int {
		res, err := r.client.PostForm(r.h5+"/api/livelogin/finish", form)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	assert.Equal(t, 403, post(url.Values{"session": {"guess"}, "code": {"0"}}))
	assert.Equal(t, 403, post(url.Values{"session": {session}}))
	assert.Equal(t, 200, post(url.Values{"session": {session}, "code": {"0"}, "sample": {"1"}}))
	assert.Equal(t, 403, post(url.Values{"session": {session}, "code": {"1"}}))
	reply := r.call(resultPath, r.resultQuery(ticket, "A1", "1"))
	assert.Equal(t, "0", reply["code"])
	assert.Equal(t, livetest.SamplePhoto(), decode(t, reply["photo"]))
	assert.Equal(t, livetest.SampleVideo(), decode(t, reply["video"]))
}

func TestPage_LargeMediaGoThroughTheBrowser(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	ticket := r.ticket(token, "SIGN", "")
	video := bytes.Repeat(livetest.SampleVideo(), 500)
	person := livetest.Person{Code: "0", Video: video}
	_, err := r.Visit(context.Background(), r.launch(token, "alice", "A1"), person)
	require.NoError(t, err)
	reply := r.call(resultPath, r.resultQuery(ticket, "A1", "1"))
	assert.True(t, bytes.Equal(video, decode(t, reply["video"])))
	assert.NotContains(t, reply, "photo")
}
