package webanklive_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestBuildLiveLoginURL_AThousandShareOneCredentialAndNoTicket(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.SetMarker(clienttest.Marker)
	c := clienttest.NewClient(t, srv)

	const builds = 1000
	const callback = "https://shop.example/活体/done?来源=微信%20支付&next=%2Fcart&plus=a+b#片段"
	links := make([]string, builds)
	var work errgroup.Group
	work.SetLimit(64)
	for i := range builds {
		work.Go(func() (err error) {
			links[i], err = c.BuildLiveLoginURL(t.Context(), webanklive.LiveLoginRequest{
				OrderNo: fmt.Sprint("order", i), UserID: fmt.Sprint("user_", i), CallbackURL: callback,
			})
			return err
		})
	}
	require.NoError(t, work.Wait())

	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
	assert.Equal(t, 1, srv.Calls(livetest.SignTicket))
	assert.Equal(t, builds, srv.Calls(livetest.NonceTicket))
	nonces := map[string]bool{}
	for _, link := range links {
		u, err := url.Parse(link)
		require.NoError(t, err)
		query := u.Query()
		assert.Regexp(t, `^[0-9A-Za-z]{32}$`, query.Get("nonce"))
		nonces[query.Get("nonce")] = true
		require.Equal(t, callback, query.Get("url"), "the callback URL must round-trip, encoded once")
		require.NotContains(t, link, clienttest.Marker, "a secret, token or ticket in the link")
		require.NotContains(t, link, srv.Secret())
		back, err := srv.Visit(t.Context(), link, livetest.Passing())
		require.NoError(t, err, "the platform must accept the link")
		require.Contains(t, back, "code=0")
	}
	assert.Len(t, nonces, builds)
	require.Contains(t, srv.Requests(livetest.NonceTicket)[0].Query.Get("access_token"), clienttest.Marker, "the marker was sent")
}

// The values are those of the vendor's page, so the first link carries the signature that the page prints.
func TestBuildLiveLoginURL_IsGolden(t *testing.T) {
	t.Parallel()
	const order, user = "aabc1457895464", "userID19959248596551"
	for name, req := range map[string]webanklive.LiveLoginRequest{
		"as-documented":      {CallbackURL: "https://cloud.tencent.com"},
		"skip-result-page":   {CallbackURL: "http://127.0.0.1:8080/done", SkipResultPage: true},
		"query-and-blanks":   {CallbackURL: "https://shop.example/a%20b?x=1+2&y=%E4%BD%A0#top"},
		"Chinese":            {CallbackURL: "https://商店.example/完成"},
		"WeChat":             {CallbackURL: "https://shop.example/", Entry: webanklive.EntryWeChat},
		"PC":                 {CallbackURL: "https://shop.example/", Entry: webanklive.EntryPC},
		"32-characters-each": {CallbackURL: "https://shop.example/", OrderNo: strings.Repeat("Z9", 16), UserID: strings.Repeat("u_", 16)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/access_token", httpmock.NewStringResponder(200,
				`{"code":"0","msg":"请求成功","access_token":"accessToken_string","expire_in":"7200"}`))
			mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/api_ticket", httpmock.NewStringResponder(200,
				`{"code":"0","tickets":[{"value":"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS","expire_in":"120"}]}`))
			c, err := webanklive.NewClient("appId001", "secret", clienttest.WithTransport(mock),
				webanklive.WithNonce("kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T"))
			require.NoError(t, err)
			req.OrderNo, req.UserID = cmp.Or(req.OrderNo, order), cmp.Or(req.UserID, user)
			link, err := c.BuildLiveLoginURL(t.Context(), req)
			require.NoError(t, err)
			file := "testdata/livelogin/" + name + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(link+"\n"), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), link+"\n")
			if req.OrderNo == order {
				assert.Contains(t, link, "&sign=BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1&")
			}
		})
	}
}

func TestBuildMiniProgramLaunch_CarriesTheSixSignedValues(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	l, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{
		OrderNo: "mini1", UserID: "user1", SkipResultPage: true,
	})
	require.NoError(t, err)
	data := l.ExtraData
	assert.Regexp(t, `^[0-9A-Za-z]{32}$`, data["nonce"])
	assert.Regexp(t, `^[0-9A-F]{40}$`, data["sign"])

	// The signature is that of a livelogin link with the same values, which the platform can check.
	link := srv.H5URL + "/api/web/livelogin?" + url.Values{
		"webankAppId": {data["webankAppId"]}, "version": {data["version"]}, "nonce": {data["nonce"]},
		"orderNo": {data["orderNo"]}, "userId": {data["userId"]}, "sign": {data["sign"]}, "url": {"https://shop.example/"},
	}.Encode()
	_, err = srv.Visit(t.Context(), link, livetest.Passing())
	require.NoError(t, err)

	delete(data, "nonce")
	delete(data, "sign")
	assert.Equal(t, map[string]string{
		"webankAppId": srv.AppID(), "version": "1.0.0", "orderNo": "mini1", "userId": "user1", "resultType": "1", "mode": "digitlive",
	}, data)
	l.ExtraData = map[string]string{"orderNo": "mini1"}
	text, err := json.Marshal(l) // the argument of wx.navigateToMiniProgram
	require.NoError(t, err)
	assert.JSONEq(t, `{"appId":"wx7ccfa42a2a641035","path":"pages/pre","extraData":{"orderNo":"mini1"}}`, string(text))
	for _, text := range []string{fmt.Sprintf("%+v", l), fmt.Sprintf("%#v", *l), l.LogValue().String()} {
		assert.Equal(t, `webanklive.MiniProgramLaunch{AppID: "wx7ccfa42a2a641035", Path: "pages/pre", OrderNo: "mini1"}`, text)
	}
}

func TestBuildLiveLoginURL_RefusesInvalidOnesBeforeTheNetworkNamingEveryProblem(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	long := strings.Repeat("a", 33)
	for field, values := range map[string][]string{
		"OrderNo": {"", long, "a-1", "订单"},
		"UserID":  {"", long, "a b", "a@b"},
		"CallbackURL": {
			"", "/done", "https:///done", "shop://done", "javascript:alert(1)",
			"https://shop.example/a b", "https://shop.example/\n", "https://shop.example/\xff",
		},
		"CallbackURL must have no user info":                                               {"https://u:hunter2@shop.example/"},
		"CallbackURL must not have a query parameter that the platform's answer has: code": {"https://shop.example/?code=1"},
	} {
		for _, value := range values {
			req := webanklive.LiveLoginRequest{OrderNo: "a1", UserID: "u1", CallbackURL: "https://shop.example/done"}
			switch field {
			case "OrderNo":
				req.OrderNo = value
			case "UserID":
				req.UserID = value
			default:
				req.CallbackURL = value
			}
			link, err := c.BuildLiveLoginURL(t.Context(), req)
			assert.Empty(t, link, value)
			clienttest.RequireInvalid(t, err, field)
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
	req := clienttest.Launch("a1", "u1")
	req.Entry = 7
	_, err := c.BuildLiveLoginURL(t.Context(), req)
	clienttest.RequireInvalid(t, err, "Entry")
	_, err = c.BuildLiveLoginURL(t.Context(), webanklive.LiveLoginRequest{Entry: -1})
	clienttest.RequireInvalid(t, err, "OrderNo", "UserID", "CallbackURL", "Entry")
	l, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: "-", UserID: " "})
	assert.Nil(t, l)
	clienttest.RequireInvalid(t, err, "OrderNo", "UserID")
	assert.Zero(t, srv.Calls(livetest.AccessToken)+srv.Calls(livetest.NonceTicket), "the network was used")
}
