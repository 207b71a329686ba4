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
			good := r.linkQuery(ticket, "alice", "A1")
			q := with(good, c.name, c.value)
			q.Set("sign", livetest.Sign(q.Get("webankAppId"), q.Get("userId"), q.Get("orderNo"), q.Get("version"), q.Get("nonce"), ticket))
			assert.Contains(t, r.open(http.StatusForbidden, r.link(q)), c.reason)
			assert.Contains(t, r.open(http.StatusForbidden, r.link(good)), "used before: a link opens once", "a refused link consumes its ticket")
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
			good := r.launch(r.token(), "alice", "A1")
			assert.Contains(t, r.open(http.StatusForbidden, r.link(with(good, c.name, c.value))), c.reason)
			r.open(http.StatusOK, r.link(good)) // a foreign signature consumes nothing
		})
	}
	t.Run("twice the same parameter, or in clear", func(t *testing.T) {
		t.Parallel()
		r := inMemory(t)
		ticket := r.ticket(r.token(), "NONCE", "alice")
		good := r.linkQuery(ticket, "alice", "A1")
		r.open(http.StatusForbidden, r.link(with(good, "url", good.Get("url"), good.Get("url"))))
		r.open(http.StatusForbidden, r.link(with(good, "ticket", ticket)))
	})
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
			r.open(http.StatusOK, r.link(r.linkQuery(ticket, "alice", "B2")))
			return r.linkQuery(ticket, "alice", "A1")
		}, "used before"},
		"expired": {func(r *rig, token string) url.Values {
			q := r.launch(token, "alice", "A1")
			r.Advance(2 * time.Minute)
			return q
		}, "the NONCE ticket is dead: made 2m0"},
		"its token died": {func(r *rig, token string) url.Values {
			q := r.launch(token, "alice", "A1")
			r.token()
			r.Advance(time.Minute)
			return q
		}, "died with its access token"},
		"probed with HEAD": {func(r *rig, token string) url.Values {
			q := r.launch(token, "alice", "A1")
			got := r.do(r.t.Context(), http.MethodHead, r.link(q))
			require.NoError(r.t, got.err)
			require.Equal(r.t, http.StatusOK, got.status)
			require.Empty(r.t, got.body)
			return q
		}, "used before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				assert.Contains(t, r.open(http.StatusForbidden, r.link(c.link(r, r.token()))), c.reason)
			})
		})
	}
	t.Run("lives 119 seconds, at every entry", func(t *testing.T) {
		t.Parallel()
		r := inMemory(t)
		token := r.token()
		for user, entry := range map[string]string{"a": "web", "b": "wx", "c": "pc"} {
			q := r.launch(token, user, "order"+user)
			r.Advance(119 * time.Second)
			r.open(http.StatusOK, r.h5+"/api/"+entry+"/livelogin?"+q.Encode())
		}
	})
	t.Run("two live tickets of one user both work", func(t *testing.T) {
		t.Parallel()
		r := inMemory(t)
		token := r.token()
		first := r.launch(token, "alice", "A1")
		r.Advance(2 * time.Second)
		r.open(http.StatusOK, r.link(r.launch(token, "alice", "A2")))
		r.open(http.StatusOK, r.link(first))
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
				token, sign := r.mint()
				back, err := r.Visit(t.Context(), r.link(with(r.launch(token, "alice", "A1"), "resultType", resultType)), c.person)
				require.NoError(t, err)
				want := c.callback
				if c.signed {
					signature := livetest.Sign(r.AppID(), "A1", sign, c.person.Code)
					want += "&&newSignature=" + signature
					want += "&signature=" + livetest.Sign(r.AppID(), "A1", sign) // of three values, from before 2018
					assert.Equal(t, signature, r.CallbackQuery("A1", c.person.Code, "").Get("newSignature"))
				}
				assert.Equal(t, want, back)
				assert.Equal(t, c.code, r.result(sign, "A1")["code"])
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
		back, err := r.Visit(t.Context(), r.link(with(r.launch(token, user, user), "url", c.url)), livetest.Person{Code: "0"})
		require.NoError(t, err)
		assert.Equal(t, c.want, back, "unsigned: the platform holds no SIGN ticket")
	}
}

func TestCallbackQuery_IsSignedWithTheNewestSignTicket(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.mint()
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
	link := r.link(r.launch(r.token(), "alice", "A1"))
	_, err := r.Visit(t.Context(), link, livetest.Passing())
	require.NoError(t, err)
	_, err = r.Visit(t.Context(), link, livetest.Passing())
	require.ErrorContains(t, err, "a link opens once")
	assert.NotContains(t, err.Error(), "sign=")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.Visit(ctx, link, livetest.Passing())
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Visit(t.Context(), "http://%zz?sign=s", livetest.Passing())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "sign=")
}

func TestVisit_LargeMediaGoThroughTheBrowser(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token, sign := r.mint()
	video := bytes.Repeat(livetest.SampleVideo(), 500)
	_, err := r.Visit(t.Context(), r.link(r.launch(token, "alice", "A1")), livetest.Person{Code: "0", Video: video})
	require.NoError(t, err)
	got := r.result(sign, "A1")
	assert.True(t, bytes.Equal(video, decode(t, got["video"])))
	assert.NotContains(t, got, "photo")
}
