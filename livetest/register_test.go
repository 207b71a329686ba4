package livetest_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestRegister_EachAppIDHasItsOwn(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	const app, secret = "TIDAsecond", "secret-of-the-second"
	r.Register(app, secret)
	as := func(query url.Values, appID string) url.Values { return with(query, "app_id", appID) }
	first, firstSign := r.mint()
	second := r.call(tokenPath, with(as(r.tokenQuery(), app), "secret", secret))["access_token"].(string)

	assert.Equal(t, "400103", r.code(tokenPath, as(r.tokenQuery(), app)), "the first one's secret")
	assert.Equal(t, "66660001", r.code(tokenPath, as(r.tokenQuery(), "TIDAthird")))
	assert.Equal(t, "15", r.code(ticketPath, as(r.ticketQuery(first, "SIGN", ""), app)), "the first one's token")
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(second, "SIGN", "")), "the second one's token")
	secondSign := r.ticketOf(as(r.ticketQuery(second, "SIGN", ""), app))["value"].(string)

	// The same order number is another order, and its callback and result are the second one's.
	once := r.ticketOf(as(r.ticketQuery(second, "NONCE", "alice"), app))["value"].(string)
	r.AddResult("A1", livetest.Failing("-5013"))
	link := with(r.linkQuery(once, "alice", "A1"), "webankAppId", app)
	link.Set("sign", livetest.Sign(app, "alice", "A1", "1.0.0", once, nonce))
	back, err := r.Visit(t.Context(), r.link(link), livetest.Passing())
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	assert.Equal(t, livetest.Sign(app, "A1", secondSign, "0"), u.Query().Get("newSignature"))

	query := as(r.resultQuery(secondSign, "A1", ""), app)
	query.Set("sign", livetest.Sign(app, "A1", "1.0.0", secondSign, nonce))
	got := r.call(resultPath, query)
	assert.Equal(t, []any{"0", app, "A1"}, []any{got["code"], got["app_id"], got["orderNo"]})
	assert.Equal(t, "-5013", r.result(firstSign, "A1")["code"])
}

func TestRegister_ANewSecretEndsWhatTheOldOneMade(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	old := r.Secret()
	token, sign := r.mint()
	r.Register(r.AppID(), "another-secret")
	assert.Equal(t, "another-secret", r.Secret())
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
	assert.Equal(t, "400101", r.result(sign, "A1")["code"])
	assert.Equal(t, "400103", r.code(tokenPath, with(r.tokenQuery(), "secret", old)))
	assert.NotEmpty(t, r.token())
}

func TestBadResults_AreJSONAndNoTwoTheSame(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	all := livetest.BadResults(r.AppID(), "A1")
	assert.GreaterOrEqual(t, len(all), 20)
	seen := map[string]bool{}
	for _, bad := range all {
		assert.True(t, json.Valid([]byte(bad.Body)), bad.Name)
		assert.False(t, seen[bad.Body] || seen[bad.Name], bad.Name)
		seen[bad.Body], seen[bad.Name] = true, true
		r.Fail(livetest.LiveResult, bad.Fault, 1)
		got := r.get(r.api + resultPath)
		assert.Equal(t, bad.Body, got.body)
		assert.Equal(t, bad.Status, got.status)
		assert.Contains(t, got.header.Get("Content-Type"), "application/json")
	}
}

func TestLostPlus_MakesBlanks(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	_, sign := r.mint()
	r.AddResult("A1", livetest.Person{Code: "0", Photo: []byte("\xfb\xef\xbe")})
	r.Fail(livetest.LiveResult, livetest.Fault{Replace: livetest.LostPlus}, 1)
	assert.Equal(t, "    ", r.result(sign, "A1")["photo"])
	assert.Equal(t, "++++", r.result(sign, "A1")["photo"])
}
