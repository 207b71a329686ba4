package conformance_test

// What an attacker, or a careless caller, puts into callbacks, order numbers, URLs and replies is refused before it reaches
// the network, a disk or a log.

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// signedPair is what the platform signs in a callback.
type signedPair struct{ order, code string }

// pairsOf returns every pair of order number and code that are joined, in either order, to the same text.
func pairsOf(joined string) (pairs []signedPair) {
	for i := 1; i < len(joined); i++ {
		for _, pair := range []signedPair{{joined[:i], joined[i:]}, {joined[i:], joined[:i]}} {
			if strings.Trim(pair.code, "0123456789") == "" { // the platform signs no other
				pairs = append(pairs, pair)
			}
		}
	}
	return pairs
}

// The vendor's join has no separator, so one signature may belong to several pairs of order number and code. What that
// is worth to a forger: he shows each pair with the signature of each other pair to a session that expects each order.
func TestVerifyCallback_RefusesEveryAmbiguousSplit(t *testing.T) {
	t.Parallel()
	const ticket = "ZTICKET"
	c, err := webanklive.NewClient("TIDAtest", "secret",
		webanklive.WithCredentialSource(&clienttest.Source{Held: webanklive.Credential{AccessToken: "token", SignTicket: ticket}}))
	require.NoError(t, err)
	for joined, forgeries := range map[string]int{
		// An order number that begins with 0: its failure is the success of another order. That is why every order number
		// should begin with a letter, and why getLiveResult decides.
		"012366660015": 19,
		// Two codes for the order 010: 01 and 10. The code 0 has no such twin.
		"01010": 6,
		// The letter does not help the one order while others have none.
		"0Order66660015": 6,
		// With a letter in front of both there is nothing to split.
		"Order66660015": 0, "a12366660015": 0, "a1230": 0,
	} {
		t.Run(joined, func(t *testing.T) {
			t.Parallel()
			worked := map[string]bool{}
			for _, signed := range pairsOf(joined) {
				signature := webanklive.Sign("TIDAtest", signed.order, ticket, signed.code)
				for _, shown := range pairsOf(joined) {
					query := url.Values{"orderNo": {shown.order}, "code": {shown.code}, "newSignature": {signature}}
					for _, expected := range pairsOf(joined) {
						cb, err := c.VerifyCallback(t.Context(), query, expected.order)
						if err != nil {
							require.ErrorIs(t, err, webanklive.ErrBadCallback)
							require.Nil(t, cb)
							continue
						}
						require.Equal(t, expected.order, shown.order, "another order than the session's")
						require.Equal(t, signature, webanklive.Sign("TIDAtest", shown.order, ticket, shown.code))
						if shown.code == "0" && signed != shown {
							require.NotEqual(t, shown.order, signed.order, "a failed order has passed")
							require.True(t, signed.order[0] == '0' || signed.code[0] == '0', "%v", signed) // and no vendor code does
							worked[fmt.Sprint(signed, " as ", shown)] = true
						}
					}
				}
			}
			assert.Len(t, worked, forgeries)
		})
	}
}

// The advice to let every order number begin with a letter, over all short ones: none has a twin that failed. One partner's
// order number that begins with a digit is enough to lose that: 0B with code 1 is signed as B1 with code 0 is.
func TestVerifyCallback_OrdersThatBeginWithALetterHaveNoTwins(t *testing.T) {
	t.Parallel()
	var orders []string
	for last := []string{"B", "a"}; len(last[0]) < 5; {
		var next []string
		for _, o := range last {
			next = append(next, o+"0", o+"1", o+"B", o+"a")
		}
		orders, last = append(orders, last...), next
	}
	for _, account := range []struct{ appID, ticket string }{
		{"TIDAtest", "0kM3Ticket"}, {"TIDAtest", "MTicket"}, {"TIDAtest", "zTicket"}, {"appId001", "9Ticket"}, {"0app", "Ticket"},
	} {
		failed := map[string]signedPair{}
		for _, o := range orders {
			for _, code := range []string{"1", "10", "00", "01", "-1", "100"} {
				failed[webanklive.Sign(account.appID, o, account.ticket, code)] = signedPair{o, code}
			}
		}
		for _, o := range orders {
			twin, ok := failed[webanklive.Sign(account.appID, o, account.ticket, "0")]
			assert.False(t, ok, "%s passed as %v failed, for %v", o, twin, account)
		}
		if account.ticket == "MTicket" {
			assert.Equal(t, webanklive.Sign(account.appID, "0B", account.ticket, "1"), webanklive.Sign(account.appID, "B1", account.ticket, "0"))
		}
	}
}

// A callback has no time: it can be shown again, to the session of its own order and to no other, and proves nothing.
func TestVerifyCallback_AReplayedOneIsGoodForItsOwnOrderOnly(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	srv.AddResult(clienttest.Order, livetest.Failing("66660014"))
	query := srv.CallbackQuery(clienttest.Order, "0", "99")
	for range 3 {
		_, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
		require.NoError(t, err)
	}
	_, err := c.VerifyCallback(t.Context(), query, "order43")
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorIs(t, err, webanklive.ErrNotPassed, "the platform decides, not the callback")
}

var tricks = []string{
	"", strings.Repeat("a", 33), "../../etc/passwd", "..", "a/b", `a\b`, "a%2fb", "a%00", "a\x00b", "a\n", "a\r\nX: y", " a", "a ",
	"a\tb", "a b", "a?b", "a#b", "a&code=0", "a=b", "a;b", "１２３", "٣", "a\u00a0", "a\u200b", "\u202ea", "Ａ", "é", "\xff", "a\ufeff",
	"<script>", "${jndi:x}", "a'--", `a"b`, "a,b", "a.b", "a:b", "a*", "~a", "$(a)", "`a`",
}

func TestOrderNo_TricksAreRefusedBeforeTheNetworkAndTheDisk(t *testing.T) {
	t.Parallel()
	c, p := clienttest.NewInMemory(t)
	dir := t.TempDir()
	for _, trick := range append([]string{"a_b", "a-b"}, tricks...) { // which a user ID may have
		_, launched := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(trick, "user"))
		_, mini := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: trick, UserID: "user"})
		_, verified := c.VerifyCallback(t.Context(), clienttest.With(forged(), "orderNo", trick), trick)
		_, asked := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: trick})
		_, streamed := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: trick, Photo: io.Discard})
		for _, err := range []error{launched, mini, verified, asked, streamed} {
			clienttest.RequireInvalid(t, err, "OrderNo")
			assert.NotContains(t, err.Error(), "passwd")
		}
		// A name of a file that has a NUL in it is refused by the system itself.
		_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: trick, Dir: dir})
		require.Error(t, err, "%q", trick)
	}
	assertEmpty(t, dir)
	assert.Zero(t, p.Calls(livetest.AccessToken))
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBuildLiveLoginURL_RefusesTricksInUserIDsAndCallbackURLsBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	c, p := clienttest.NewInMemory(t)
	for _, trick := range tricks {
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, trick))
		clienttest.RequireInvalid(t, err, "UserID")
		_, err = c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: clienttest.Order, UserID: trick})
		clienttest.RequireInvalid(t, err, "UserID")
	}
	for _, trick := range []string{
		"../done", "/done", "//evil.example/", "done", "?x", "#x", "https:/evil.example/", "https:evil.example",
		`https:\\evil.example\`, "https://", "https:///done", "https://:443/",
		"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://shop.example/",
		"ht\ntps://shop.example/", " https://shop.example/", "https://shop.example/ ",
		"https://shop.example/\n", "https://shop.example/\r\nSet-Cookie: x", "https://shop.example/\x00",
		"https://shop.example/\u00a0", "https://shop.example/\u2028", "https://shop.example/\xff",
		`https://shop.example\@evil.example/`, `https://shop.example\.evil.example/`,
		"https://shop.example@evil.example/", "https://user:hunter2@shop.example/", "https://%73hop.example/",
		"https://[::1/", "https://shop.example:port/", "https://shop.example/%zz",
		"https://shop.example/?code=0", "https://shop.example/?%63ode=0", "https://shop.example/?a=b&newSignature",
		"https://shop.example/?orderNo=x", "https://shop.example/?liveRate=1", "https://shop.example/?newSign=x",
	} {
		req := clienttest.Launch(clienttest.Order, "user")
		req.CallbackURL = trick
		_, err := c.BuildLiveLoginURL(t.Context(), req)
		clienttest.RequireInvalid(t, err, "CallbackURL")
		assert.NotContains(t, err.Error(), "hunter2")
	}
	assert.Zero(t, p.Calls(livetest.AccessToken))
}

func TestWithBaseURLs_RefusesTricks(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"http://idasc.webank.com", "HTTP://idasc.webank.com", "http://localhost.evil.example",
		"http://127.0.0.1.evil.example", "http://localhost@evil.example", "http://evil.example#@localhost",
		"http://0.0.0.0", "http://2130706433", "http://0x7f.1", "http://127.1", "http://[::]", "http://localhost.",
		"http://localhos\u200bt", "http://10.0.0.1",
		"https://user@h", "https://user:hunter2@h", "https://@h", "https://h?", "https://h?q=hunter2",
		"https://h#hunter2", "https://h/?", "https:h", "https:/h", "//h", "h", "",
		"ftp://h", "ws://h", "unix:///run/x", "file:///etc/passwd", `https:\\h`, "https://h\n", "https://h\x00",
		"https://h h", " https://h", "https://%zz", "https://:443", "https://h:port",
	} {
		_, err := webanklive.NewClient("app", "secret", webanklive.WithBaseURLs(base, base))
		clienttest.RequireInvalid(t, err, "api base URL", "h5 base URL")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestGetLiveResult_RefusesAnotherOrderHoweverItIsSpelt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"code":"0","orderNo":"order43",PHOTO}`, `{"code":"0","order_no":"order43",PHOTO}`, `{PHOTO,"order_no":"order43","code":"0"}`,
		`{"code":"0","result":{"orderNo":"order43",PHOTO}}`, `{"code":"0","result":{"order_no":"order43",PHOTO}}`,
		`{"code":"0","orderNo":"order42","result":{"orderNo":"order43",PHOTO}}`,
		`{"code":"0","order_no":"order43","result":{"orderNo":"order42",PHOTO}}`,
		`{"code":"0","orderNo":"order42","order_no":"order43",PHOTO}`,
		`{"result":{"code":"0","orderNo":"order42","order_no":"order43",PHOTO}}`,
		`{"code":"0","\u006frderNo":"order43",PHOTO}`, `{"code":"0","order\u005fno":"order43",PHOTO}`,
		`{"code":"0","orderNo":"ORDER42",PHOTO}`, `{"code":"0","orderNo":"order42\u0000",PHOTO}`, `{"code":"0","orderNo":"order４２",PHOTO}`,
		`{"code":"0","orderNo":42,PHOTO}`, `{"code":"0","orderNo":false,PHOTO}`,
		`{"code":"0","orderNo":["order42"],PHOTO}`, `{"code":"0","orderNo":{},PHOTO}`,
		`{"code":"0","orderNo":"order42","orderNo":"order43",PHOTO}`, `{"code":"0","orderNo":"order43","orderNo":"order42",PHOTO}`,
		`{"code":"66660014","orderNo":"order43",PHOTO}`, `{"code":"0","orderNo":"order43","photo":"Q*"}`,
	} {
		body = strings.ReplaceAll(body, "PHOTO", `"photo":"`+clienttest.SixtyFour+`"`)
		c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, body))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NotErrorIs(t, err, webanklive.ErrMedia, "which would say that the person passed")
		assert.Nil(t, res, body)
		assert.NotContains(t, err.Error(), "order43", "somebody else's order")

		res, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Nil(t, res, body)

		dir := t.TempDir()
		_, _, err = evidence.Save(t.Context(), c, evidence.Request{OrderNo: clienttest.Order, Dir: dir})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assertEmpty(t, dir) // of somebody else's face
	}
}

// What the vendor sends must not forge a log line, nor colour or reverse one, in whichever handler a program uses.
func TestLogger_TheVendorsTextsForgeNoLine(t *testing.T) {
	t.Parallel()
	const evil = "x\\r\\nlevel=ERROR msg=forged\\u0000\\u001b[31m\\u009b31m\\u202e\\u2066\\u2028\\u2029\\u200b\\ufeff\\u007f\\u0085\xff\xed\xa0\x80"
	long := evil + strings.Repeat("失败", 600) // of 4096 bytes and more a reply is refused as a whole
	for _, code := range []string{"999995", "-5013", evil} {
		body := `{"code":"` + code + `","msg":"` + long + `","bizSeqNo":"` + long[:600] +
			`","liveRate":"` + evil + `","app_id":"` + evil + `","occurredTime":"` + evil + `"}`
		var log, plain, json bytes.Buffer
		c, _ := clienttest.NewMock(t, func(*http.Request) (*http.Response, error) {
			res := httpmock.NewStringResponse(200, body)
			res.Header.Set("Content-Type", "text/x\x1b[31m\r\n; "+evil)
			res.Header.Set("Date", evil)
			return res, nil
		}, webanklive.WithMaxRetries(1), webanklive.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		slog.New(slog.NewTextHandler(&plain, nil)).Error("failed", "error", err, "result", res)
		slog.New(slog.NewJSONHandler(&json, nil)).Error("failed", "error", err, "result", res)
		assert.Equal(t, 1, strings.Count(plain.String(), "\n"))
		assert.Equal(t, 1, strings.Count(json.String(), "\n"))

		var e *webanklive.Error
		require.ErrorAs(t, err, &e)
		assert.LessOrEqual(t, len(e.Code), 32)
		assert.LessOrEqual(t, len(e.Message), 256)
		assert.LessOrEqual(t, len(e.BizSeqNo), 64)
		assertPrintable(t, err.Error()+e.Code+e.Message+e.BizSeqNo)
		if res != nil {
			assertPrintable(t, res.Code+res.Message+res.BizSeqNo+res.AppID+res.LiveRate+res.OccurredTime)
		}
		for line := range strings.Lines(log.String()) {
			assert.Regexp(t, `^time=\S+ level=INFO msg="webanklive: `, line)
			assertPrintable(t, strings.TrimSuffix(line, "\n"))
		}
	}
}
