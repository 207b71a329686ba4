package livetest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// as returns query for another app ID and secret.
func as(query url.Values, appID, secret string) url.Values {
	query = with(query, "app_id", appID)
	if query.Has("secret") {
		query.Set("secret", secret)
	}
	return query
}

func TestRegister_EachAppIDHasItsOwn(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	first := r.token()
	r.Register("TIDAsecond", "secret-of-the-second")
	second := r.call(tokenPath, as(r.tokenQuery(), "TIDAsecond", "secret-of-the-second"))["access_token"].(string)

	assert.Equal(t, "400103", r.code(tokenPath, as(r.tokenQuery(), "TIDAsecond", r.Secret())), "the first one's secret")
	assert.Equal(t, "66660001", r.code(tokenPath, as(r.tokenQuery(), "TIDAthird", r.Secret())))
	assert.Equal(t, "15", r.code(ticketPath, as(r.ticketQuery(first, "SIGN", ""), "TIDAsecond", "")), "the first one's token")
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(second, "SIGN", "")), "the second one's token")
	firstSign := r.ticket(first, "SIGN", "")
	reply := r.call(ticketPath, as(r.ticketQuery(second, "SIGN", ""), "TIDAsecond", ""))
	secondSign := reply["tickets"].([]any)[0].(map[string]any)["value"].(string)

	// The same order number is another order, and its callback and result are the second one's.
	nonceReply := r.call(ticketPath, as(r.ticketQuery(second, "NONCE", "alice"), "TIDAsecond", ""))
	nonceTicket := nonceReply["tickets"].([]any)[0].(map[string]any)["value"].(string)
	r.AddResult("A1", livetest.Failing("-5013"))
	link := with(r.linkQuery(nonceTicket, "alice", "A1"), "webankAppId", "TIDAsecond")
	link.Set("sign", livetest.Sign("TIDAsecond", "alice", "A1", "1.0.0", nonceTicket, nonce))
	back, err := r.Visit(context.Background(), r.link(link), livetest.Passing())
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	assert.Equal(t, livetest.Sign("TIDAsecond", "A1", secondSign, "0"), u.Query().Get("newSignature"))

	result := with(r.resultQuery(secondSign, "A1", ""), "app_id", "TIDAsecond")
	result.Set("sign", livetest.Sign("TIDAsecond", "A1", "1.0.0", secondSign, nonce))
	got := r.call(resultPath, result)
	assert.Equal(t, []any{"0", "TIDAsecond", "A1"}, []any{got["code"], got["app_id"], got["orderNo"]})
	assert.Equal(t, "-5013", r.code(resultPath, r.resultQuery(firstSign, "A1", "")))
}

func TestRegister_ANewSecretEndsWhatTheOldOneMade(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	old := r.Secret()
	token := r.token()
	sign := r.ticket(token, "SIGN", "")
	r.Register(r.AppID(), "another-secret")
	assert.Equal(t, "another-secret", r.Secret())
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
	assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(sign, "A1", "")))
	assert.Equal(t, "400103", r.code(tokenPath, with(r.tokenQuery(), "secret", old)))
	assert.NotEmpty(t, r.token())
}

func TestBadResults_AreJSONAndNoTwoTheSame(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	sign := r.ticket(token, "SIGN", "")
	seen := map[string]bool{}
	for _, bad := range livetest.BadResults(r.AppID(), "A1") {
		assert.True(t, json.Valid([]byte(bad.Body)), bad.Name)
		assert.False(t, seen[bad.Body] || seen[bad.Name], bad.Name)
		seen[bad.Body], seen[bad.Name] = true, true
		r.Fail(livetest.LiveResult, bad.Fault, 1)
		status, header, body, err := r.do(context.Background(), http.MethodGet, r.api+resultPath+"?"+r.resultQuery(sign, "A1", "").Encode())
		require.NoError(t, err)
		assert.Equal(t, bad.Body, string(body))
		assert.Equal(t, bad.Status, status)
		assert.Contains(t, header.Get("Content-Type"), "application/json")
	}
	assert.GreaterOrEqual(t, len(livetest.BadResults("a", "b")), 20)
}

func TestLostPlus_MakesBlanks(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	sign := r.ticket(r.token(), "SIGN", "")
	r.AddResult("A1", livetest.Person{Code: "0", Photo: []byte("\xfb\xef\xbe")})
	r.Fail(livetest.LiveResult, livetest.Fault{Replace: livetest.LostPlus}, 1)
	assert.Equal(t, "    ", r.call(resultPath, r.resultQuery(sign, "A1", "2"))["photo"])
	assert.Equal(t, "++++", r.call(resultPath, r.resultQuery(sign, "A1", "2"))["photo"])
}
