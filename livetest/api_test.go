package livetest_test

import (
	"context"
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
	for _, c := range []struct{ name, value, code, reason string }{
		{"app_id", "", "400101", `"app_id" is missing`},
		{"secret", "", "400101", `"secret" is missing`},
		{"grant_type", "", "400101", `"grant_type" is missing`},
		{"version", "", "400502", `"version" is missing`},
		{"app_id", "IDAother", "66660001", "AppID"},
		{"secret", "wrong", "400103", "secret is wrong"},
		{"grant_type", "client_credentials", "400502", "grant_type"},
		{"version", "1.0", "400502", "version"},
	} {
		assert.Equal(t, c.code, r.code(tokenPath, with(r.tokenQuery(), c.name, c.value)), c)
		assert.Contains(t, r.lastRefusal(), c.reason)
	}
	assert.Equal(t, "400101", r.code(tokenPath, with(r.tokenQuery(), "version", "1.0.0", "1.0.0")), "twice the same parameter")
	assert.Empty(t, r.Mints(), "nothing was minted on the way")
	assert.Equal(t, "0", r.code(tokenPath, r.tokenQuery()))
	assert.Len(t, r.Mints(), 1)
}

func TestTicket_IsRefusedWhenOneThingIsWrong(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	sign := r.ticket(token, "SIGN", "")
	for _, c := range []struct{ name, value, code, reason string }{
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
	} {
		assert.Equal(t, c.code, r.code(ticketPath, with(r.ticketQuery(token, "NONCE", "alice"), c.name, c.value)), c)
		assert.Contains(t, r.lastRefusal(), c.reason)
	}
	assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(token, "NONCE", strings.Repeat("u", 32))))
}

func TestNonceTicket_OneForAUserInTwoSeconds(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	r.ticket(token, "NONCE", "alice")
	r.ticket(token, "NONCE", "bob")
	assert.Equal(t, "400504", r.code(ticketPath, r.ticketQuery(token, "NONCE", "alice")))
	r.Advance(2 * time.Second)
	assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(token, "NONCE", "alice")))
	assert.Equal(t, 4, r.Calls(livetest.NonceTicket))
	assert.Zero(t, r.Calls(livetest.SignTicket))
}

func TestSignTicket_HasItsOwnLifeWhateverIsSentBesides(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	for kind, life := range map[string]string{"SIGN": "3600", "NONCE": "120"} {
		reply := r.call(ticketPath, r.ticketQuery(r.token(), kind, "alice"))
		assert.Equal(t, life, reply["tickets"].([]any)[0].(map[string]any)["expire_in"], kind)
	}
}

func TestAccessToken_LivesOneMoreMinuteOnceReplaced(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		old := r.token()
		r.token()
		r.Advance(59 * time.Second)
		assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(old, "NONCE", "alice")))
		r.Advance(time.Second)
		assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(old, "NONCE", "bob")))
		assert.Contains(t, r.lastRefusal(), "the access token is dead: made 1m0")
	})
}

func TestAccessToken_TheThirdDoesNotProlongTheFirst(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	old := r.token()
	r.token()
	r.Advance(59 * time.Second)
	r.token()
	r.Advance(time.Second)
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(old, "SIGN", "")))
}

func TestAccessToken_DiesAtItsOwnExpiry(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetLifetimes(10*time.Minute, 0, 0)
	token := r.token()
	r.Advance(10*time.Minute - time.Second)
	assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
	r.Advance(time.Second)
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
}

func TestLiveResult_IsSignedWithASignTicketThatLives(t *testing.T) {
	t.Parallel()
	const order = "A1"
	start := func(t *testing.T) (r *rig, token, ticket string) {
		r = inMemory(t)
		r.AddResult(order, livetest.Passing())
		token = r.token()
		return r, token, r.ticket(token, "SIGN", "")
	}
	t.Run("hex in either case", func(t *testing.T) {
		t.Parallel()
		r, _, ticket := start(t)
		q := r.resultQuery(ticket, order, "")
		assert.Equal(t, "0", r.code(resultPath, q))
		assert.Equal(t, "0", r.code(resultPath, with(q, "sign", strings.ToLower(q.Get("sign")))))
	})
	t.Run("wrong signature", func(t *testing.T) {
		t.Parallel()
		r, _, ticket := start(t)
		q := with(r.resultQuery(ticket, order, ""), "nonce", strings.Repeat("x", 32))
		assert.Equal(t, "400101", r.code(resultPath, q))
		assert.Contains(t, r.lastRefusal(), "matches no ticket")
	})
	t.Run("a NONCE ticket is refused", func(t *testing.T) {
		t.Parallel()
		r, token, _ := start(t)
		assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(r.ticket(token, "NONCE", "alice"), order, "")))
		assert.Contains(t, r.lastRefusal(), "signed with the NONCE ticket, a SIGN ticket is needed")
	})
	t.Run("the old one lives one more minute", func(t *testing.T) {
		t.Parallel()
		r, token, ticket := start(t)
		r.ticket(token, "SIGN", "")
		r.Advance(59 * time.Second)
		assert.Equal(t, "0", r.code(resultPath, r.resultQuery(ticket, order, "")))
		r.Advance(time.Second)
		assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(ticket, order, "")))
		assert.Contains(t, r.lastRefusal(), "the SIGN ticket is dead")
	})
	t.Run("a ticket dies with its token", func(t *testing.T) {
		t.Parallel()
		r, _, ticket := start(t)
		r.token()
		r.Advance(time.Minute)
		assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(ticket, order, "")))
		assert.Contains(t, r.lastRefusal(), "died with its access token")
	})
	t.Run("another machine's rotation leaves a minute", func(t *testing.T) {
		t.Parallel()
		r, _, ticket := start(t)
		token, foreign := r.Rotate()
		assert.Equal(t, "0", r.code(resultPath, r.resultQuery(ticket, order, "")))
		assert.Equal(t, "0", r.code(resultPath, r.resultQuery(foreign, order, "")))
		r.Advance(time.Minute)
		assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(ticket, order, "")))
		assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
		assert.Len(t, r.Mints(), 1, "a foreign mint is not a request")
	})
	t.Run("revoked at once", func(t *testing.T) {
		t.Parallel()
		r, token, ticket := start(t)
		r.Revoke()
		assert.Equal(t, "400101", r.code(resultPath, r.resultQuery(ticket, order, "")))
		assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(token, "SIGN", "")))
		assert.NotContains(t, r.CallbackQuery(order, "0", ""), "newSignature")
	})
	for _, c := range []struct{ name, value, code string }{
		{"app_id", "", "400101"}, {"nonce", "", "400101"}, {"order_no", "", "400101"}, {"sign", "", "400101"},
		{"version", "", "400502"}, {"version", "1", "400502"}, {"app_id", "IDAother", "66660001"},
		{"nonce", "short", "66660013"}, {"order_no", "a-b", "66660000"}, {"order_no", "B2", "400101"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Parallel()
			r, _, ticket := start(t)
			assert.Equal(t, c.code, r.code(resultPath, with(r.resultQuery(ticket, order, ""), c.name, c.value)))
		})
	}
	t.Run("the ticket in clear", func(t *testing.T) {
		t.Parallel()
		r, _, ticket := start(t)
		assert.Equal(t, "400101", r.code(resultPath, with(r.resultQuery(ticket, order, ""), "ticket", ticket)))
		assert.Contains(t, r.lastRefusal(), "in clear")
	})
}

func TestLiveResult_ThereIsNoneForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetLifetimes(1000*time.Hour, 1000*time.Hour, 0)
	token := r.token()
	ticket := r.ticket(token, "SIGN", "")
	ask := func(order string) any { return r.code(resultPath, r.resultQuery(ticket, order, "1")) }

	assert.Equal(t, "66660011", ask("never"))
	assert.Contains(t, r.lastRefusal(), "no check was launched")

	_, err := r.Visit(context.Background(), r.launch(token, "alice", "half"), livetest.Quitting())
	require.NoError(t, err)
	assert.Equal(t, "66660011", ask("half"))
	assert.Contains(t, r.lastRefusal(), "not finished")

	r.AddResult("old", livetest.Passing())
	r.Advance(72*time.Hour - time.Second)
	assert.Equal(t, "0", ask("old"))
	r.Advance(time.Second)
	assert.Equal(t, "66660011", ask("old"))
	assert.Contains(t, r.lastRefusal(), "older than the 72 hours")
}

func TestKeepResults_OutlivesTheRetention(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.KeepResults()
	r.SetLifetimes(1000*time.Hour, 1000*time.Hour, 0)
	ticket := r.ticket(r.token(), "SIGN", "")
	r.AddResult("old", livetest.Passing())
	r.Advance(500 * time.Hour)
	assert.Equal(t, "0", r.code(resultPath, r.resultQuery(ticket, "old", "1")))
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
	ticket := r.ticket(r.token(), "SIGN", "")
	for range 2 {
		r.code(resultPath, r.resultQuery(ticket, "none1", ""))
	}
	assert.Len(t, heard, 2)
	assert.Equal(t, r.Refusals(), heard)
	r.OnRefusal(nil)
	r.code(resultPath, r.resultQuery(ticket, "none1", ""))
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
			status, header, _, err := r.do(context.Background(), c.method, c.address)
			require.NoError(t, err)
			assert.Equal(t, c.status, status, "%s %s", c.method, c.address)
			assert.NotEmpty(t, header.Get("Date"))
		}
		assert.Len(t, r.Refusals(), 10)
	})
}

func TestPlatform_ItsDateHeaderIsItsClock(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.Advance(-90 * time.Minute)
		before := r.Now().Truncate(time.Second)
		_, header, _, err := r.do(context.Background(), http.MethodGet, r.api+tokenPath)
		require.NoError(t, err)
		date, err := http.ParseTime(header.Get("Date"))
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
	r.code(resultPath, r.resultQuery(once, "A1", ""))
	r.code(tokenPath, with(r.tokenQuery(), "secret", r.Secret()+"x"))
	r.open(r.link(r.linkQuery(sign, "alice", "A1")))
	assert.NotContains(t, strings.Join(r.Refusals(), "\n"), marker)
}

func TestPlatform_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		token := r.token()
		ticket := r.ticket(token, "SIGN", "")
		r.AddResult("A1", livetest.Passing())
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				ctx := context.Background()
				user := "u" + string(rune('a'+i))
				_, _, _, err := r.do(ctx, http.MethodGet, r.api+ticketPath+"?"+r.ticketQuery(token, "NONCE", user).Encode())
				assert.NoError(t, err)
				_, _, _, err = r.do(ctx, http.MethodGet, r.api+resultPath+"?"+r.resultQuery(ticket, "A1", "1").Encode())
				assert.NoError(t, err)
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
