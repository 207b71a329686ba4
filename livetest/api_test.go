package livetest_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestAccessToken_IsRefusedWhenOneThingIsWrong(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.refusesEach(tokenPath, r.tokenQuery(), []broken{
		{"app_id", "", "400101", `"app_id" is missing`},
		{"secret", "", "400101", `"secret" is missing`},
		{"grant_type", "", "400101", `"grant_type" is missing`},
		{"version", "", "400502", `"version" is missing`},
		{"app_id", "IDAother", "66660001", "AppID"},
		{"secret", "wrong", "400103", "secret is wrong"},
		{"grant_type", "client_credentials", "400502", "grant_type"},
		{"version", "1.0", "400502", "version"},
	})
	assert.Equal(t, "400101", r.code(tokenPath, with(r.tokenQuery(), "version", "1.0.0", "1.0.0")), "twice the same parameter")
	assert.Empty(t, r.Mints(), "nothing was minted on the way")
	r.token()
	assert.Len(t, r.Mints(), 1)
}

func TestTicket_IsRefusedWhenOneThingIsWrong(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token, sign := r.mint()
	r.refusesEach(ticketPath, r.ticketQuery(token, "NONCE", "alice"), []broken{
		{"app_id", "", "400101", "missing"},
		{"access_token", "", "400101", "missing"},
		{"type", "", "400101", "missing"},
		{"version", "", "400502", "missing"},
		{"user_id", "", "400101", `"user_id" is missing`},
		{"app_id", "IDAother", "66660001", "AppID"},
		{"access_token", "guess", "15", "none of this platform's"},
		{"access_token", sign, "15", "a SIGN ticket was sent as access token"},
		{"type", "nonce", "400502", "neither SIGN nor NONCE"},
		{"version", "2", "400502", "version"},
		{"user_id", "用户", "66660013", "user_id"},
		{"user_id", strings.Repeat("u", 33), "66660013", "user_id"},
	})
	r.ticket(token, "NONCE", strings.Repeat("u", 32))
}

func TestNonceTicket_OneForAUserInTwoSeconds(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	r.ticket(token, "NONCE", "alice")
	r.ticket(token, "NONCE", "bob")
	assert.Equal(t, "400504", r.code(ticketPath, r.ticketQuery(token, "NONCE", "alice")))
	r.Advance(2 * time.Second)
	r.ticket(token, "NONCE", "alice")
	assert.Equal(t, 4, r.Calls(livetest.NonceTicket))
	assert.Zero(t, r.Calls(livetest.SignTicket))
}

func TestSignTicket_HasItsOwnLifeWhateverIsSentBesides(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	for kind, life := range map[string]string{"SIGN": "3600", "NONCE": "120"} {
		assert.Equal(t, life, r.ticketOf(r.ticketQuery(r.token(), kind, "alice"))["expire_in"], kind)
	}
}

func TestAccessToken_LivesOneMoreMinuteOnceReplacedAndEndsAtItsExpiry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old  func(r *rig) string
		left time.Duration
	}{
		"replaced": {func(r *rig) string { old := r.token(); r.token(); return old }, time.Minute},
		"replaced twice": {func(r *rig) string {
			old := r.token()
			r.token()
			r.Advance(59 * time.Second)
			r.token()
			return old
		}, time.Second},
		"expired": {func(r *rig) string { r.SetLifetimes(10*time.Minute, 0, 0); return r.token() }, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t)
			old := c.old(r)
			r.Advance(c.left - time.Second)
			r.ticket(old, "NONCE", "alice")
			r.Advance(time.Second)
			r.refusesEach(ticketPath, r.ticketQuery("", "NONCE", "bob"), []broken{{"access_token", old, "15", "the access token is dead: made 1"}})
		})
	}
}

func TestLiveResult_IsRefusedWhenOneThingIsWrong(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.AddResult("A1", livetest.Passing())
	token, sign := r.mint()
	valid := r.resultQuery(sign, "A1", "")
	assert.Equal(t, "0", r.code(resultPath, valid))
	assert.Equal(t, "0", r.code(resultPath, with(valid, "sign", strings.ToLower(valid.Get("sign")))), "hex in either case")
	r.refusesEach(resultPath, valid, []broken{
		{"app_id", "", "400101", "missing"},
		{"nonce", "", "400101", "missing"},
		{"order_no", "", "400101", "missing"},
		{"sign", "", "400101", "missing"},
		{"version", "", "400502", "missing"},
		{"version", "1", "400502", "version"},
		{"app_id", "IDAother", "66660001", "AppID"},
		{"nonce", "short", "66660013", "nonce"},
		{"nonce", strings.Repeat("x", 32), "400101", "matches no ticket"},
		{"order_no", "a-b", "66660000", ""},
		{"order_no", "B2", "400101", "matches no ticket"},
		{"ticket", sign, "400101", "in clear"},
		{"sign", r.resultQuery(r.ticket(token, "NONCE", "alice"), "A1", "").Get("sign"), "400101", "signed with the NONCE ticket, a SIGN ticket is needed"},
	})
}

func TestSignTicket_LivesOneMoreMinuteOnceReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace func(r *rig, token string)
		reason  string
	}{
		"the ticket": {func(r *rig, token string) { r.ticket(token, "SIGN", "") }, "the SIGN ticket is dead"},
		"its token":  {func(r *rig, _ string) { r.token() }, "died with its access token"},
		"its token, by another machine": {func(r *rig, _ string) {
			token, foreign := r.Rotate()
			assert.Equal(r.t, "0", r.result(foreign, "A1")["code"])
			r.ticket(token, "NONCE", "alice")
			assert.Len(r.t, r.Mints(), 1, "a foreign mint is not a request")
		}, "died with its access token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t)
			r.AddResult("A1", livetest.Passing())
			token, sign := r.mint()
			c.replace(r, token)
			r.Advance(59 * time.Second)
			assert.Equal(t, "0", r.result(sign, "A1")["code"])
			r.Advance(time.Second)
			query := r.resultQuery(sign, "A1", "")
			r.refusesEach(resultPath, query, []broken{{"sign", query.Get("sign"), "400101", c.reason}})
		})
	}
}

func TestRevoke_EndsTokenAndTicketAtOnce(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.AddResult("A1", livetest.Passing())
	token, sign := r.mint()
	r.Revoke()
	assert.Equal(t, "400101", r.result(sign, "A1")["code"])
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
	assert.NotContains(t, r.CallbackQuery("A1", "0", ""), "newSignature")
}

func TestLiveResult_ThereIsNoneForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetLifetimes(1000*time.Hour, 1000*time.Hour, 0)
	token, sign := r.mint()
	none := func(order, reason string) {
		t.Helper()
		r.refusesEach(resultPath, r.resultQuery(sign, order, ""), []broken{{"get_file", "1", "66660011", reason}})
	}
	none("never", "no check was launched")
	_, err := r.Visit(t.Context(), r.link(r.launch(token, "alice", "half")), livetest.Quitting())
	require.NoError(t, err)
	none("half", "not finished")
	r.AddResult("old", livetest.Passing())
	r.Advance(72*time.Hour - time.Second)
	assert.Equal(t, "0", r.result(sign, "old")["code"])
	r.Advance(time.Second)
	none("old", "older than the 72 hours")
	r.KeepResults()
	assert.Equal(t, "0", r.result(sign, "old")["code"])
}

func TestNewFor_IsThePartnerThatClientsKnow(t *testing.T) {
	t.Parallel()
	p := livetest.NewFor("TIDA0001", "known")
	assert.Equal(t, "TIDA0001", p.AppID())
	assert.Equal(t, "known", p.Secret())
	assert.Len(t, livetest.NewFor("TIDA0001", "").Secret(), 64)
	p.SetMarker("other")
	assert.NotEqual(t, "known", p.Secret())
}

func TestOnRefusal_HearsWhatRefusalsGets(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	var heard []string
	r.OnRefusal(func(refusal string) { heard = append(heard, refusal) })
	_, sign := r.mint()
	for range 2 {
		r.result(sign, "none1")
	}
	assert.Len(t, heard, 2)
	assert.Equal(t, r.Refusals(), heard)
	r.OnRefusal(nil)
	r.result(sign, "none1")
	assert.Len(t, heard, 2)
}

func TestPlatform_RefusesAWrongMethodOrPath(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		root := strings.TrimSuffix(r.api, "/idasc")
		for _, c := range []struct {
			method, address string
			status          int
		}{
			{http.MethodPost, r.api + tokenPath, 405},
			{http.MethodHead, r.api + resultPath, 405},
			{http.MethodPut, r.h5 + "/api/web/livelogin", 405},
			{http.MethodGet, r.h5 + "/api/livelogin/finish", 405},
			{http.MethodGet, r.h5 + tokenPath, 404},
			{http.MethodGet, r.api + "/api/web/livelogin", 404},
			{http.MethodGet, root + tokenPath, 404},
			{http.MethodGet, root + "/", 404},
			{http.MethodGet, r.api + "/idasc" + tokenPath, 404},
			{http.MethodGet, r.api + tokenPath + "?%zz", 400},
		} {
			got := r.do(t.Context(), c.method, c.address)
			require.NoError(t, got.err)
			assert.Equal(t, c.status, got.status, "%s %s", c.method, c.address)
			assert.NotEmpty(t, got.header.Get("Date"))
		}
		assert.Len(t, r.Refusals(), 10)
	})
}

func TestPlatform_ItsDateHeaderIsItsClock(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.Advance(-90 * time.Minute)
		before := r.Now().Truncate(time.Second)
		date, err := http.ParseTime(r.get(r.tokenURL()).header.Get("Date"))
		require.NoError(t, err)
		assert.WithinRange(t, date, before, r.Now())
		assert.WithinDuration(t, time.Now().Add(-90*time.Minute), date, time.Minute)
	})
}

func TestSetMarker_IsInEverySecretAndNoRefusal(t *testing.T) {
	t.Parallel()
	const marker = "MaRk3r"
	r := inMemory(t)
	before := r.token()
	r.SetMarker(marker)
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(before, "SIGN", "")), "a new secret ends the token")
	token := r.token()
	foreignToken, foreignSign := r.Rotate()
	sign, once := r.ticket(token, "SIGN", ""), r.ticket(token, "NONCE", "alice")
	for name, s := range map[string]string{
		"secret": r.Secret(), "token": token, "SIGN": sign, "NONCE": once, "foreign token": foreignToken, "foreign SIGN": foreignSign,
	} {
		assert.Contains(t, s, marker, name)
		assert.Len(t, s, 64, name)
	}
	assert.Contains(t, r.Requests(livetest.AccessToken)[1].Query.Get("secret"), marker, "the marker was sent")
	r.result(once, "A1")
	r.code(tokenPath, with(r.tokenQuery(), "secret", r.Secret()+"x"))
	r.open(http.StatusForbidden, r.link(r.linkQuery(sign, "alice", "A1")))
	assert.NotContains(t, strings.Join(r.Refusals(), "\n"), marker)
}

func TestPlatform_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		token, sign := r.mint()
		r.AddResult("A1", livetest.Passing())
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				user := "u" + string(rune('a'+i))
				assert.NoError(t, r.do(t.Context(), http.MethodGet, r.api+ticketPath+"?"+r.ticketQuery(token, "NONCE", user).Encode()).err)
				assert.NoError(t, r.do(t.Context(), http.MethodGet, r.api+resultPath+"?"+r.resultQuery(sign, "A1", "1").Encode()).err)
				r.SetStyle(livetest.Styles()[i].Style)
				r.Rotate()
				r.Advance(time.Millisecond)
				r.Fail(livetest.LiveLogin, livetest.Fault{Status: 502}, 1)
				r.AddResult(user, livetest.Failing("-5012"))
				r.Refusals()
			}()
		}
		wg.Wait()
		assert.Equal(t, 16, r.Calls(livetest.NonceTicket))
		assert.Len(t, r.Requests(livetest.LiveResult), 16)
	})
}
