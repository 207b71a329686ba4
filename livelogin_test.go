package webanklive_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestBuildLiveLoginURL_AThousandShareOneCredentialAndNoTicket(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.SetMarker("MARKER")
	c := clienttest.NewClient(t, srv)

	const builds, workers = 1000, 64
	const callback = "https://shop.example/活体/done?来源=微信 支付&next=%2Fcart&plus=a+b#片段"
	raw := strings.ReplaceAll(callback, " ", "%20")
	links := make([]string, builds)
	errs := make([]error, builds)
	work := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range work {
				links[i], errs[i] = c.BuildLiveLoginURL(t.Context(), webanklive.LiveLoginRequest{
					OrderNo: fmt.Sprint("order", i), UserID: fmt.Sprint("user_", i), CallbackURL: raw,
				})
			}
		}()
	}
	for i := range builds {
		work <- i
	}
	close(work)
	wg.Wait()

	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
	assert.Equal(t, 1, srv.Calls(livetest.SignTicket))
	assert.Equal(t, builds, srv.Calls(livetest.NonceTicket))
	nonces := map[string]bool{}
	for i, link := range links {
		require.NoError(t, errs[i])
		u, err := url.Parse(link)
		require.NoError(t, err)
		query := u.Query()
		assert.Regexp(t, `^[0-9A-Za-z]{32}$`, query.Get("nonce"))
		nonces[query.Get("nonce")] = true
		require.Equal(t, raw, query.Get("url"), "the callback URL must round-trip, encoded once")
		require.NotContains(t, link, "MARKER", "a secret, token or ticket in the link")
		require.NotContains(t, link, srv.Secret())
		back, err := srv.Visit(t.Context(), link, livetest.Passing())
		require.NoError(t, err, "the platform must accept the link")
		require.Contains(t, back, "code=0")
	}
	assert.Len(t, nonces, builds)
	require.Contains(t, srv.Requests(livetest.NonceTicket)[0].Query.Get("access_token"), "MARKER", "the marker was sent")
}

func TestBuildLiveLoginURL_KnowsEveryEntry(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	for entry, path := range map[webanklive.Entry]string{
		webanklive.EntryH5:     "/ida/api/web/livelogin",
		webanklive.EntryWeChat: "/ida/api/wx/livelogin",
		webanklive.EntryPC:     "/ida/api/pc/livelogin",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			req := clienttest.Launch(fmt.Sprint("entry", int(entry)), fmt.Sprint("user", int(entry)))
			req.Entry = entry
			link, err := c.BuildLiveLoginURL(t.Context(), req)
			require.NoError(t, err)
			u, err := url.Parse(link)
			require.NoError(t, err)
			assert.Equal(t, path, u.Path)
			_, err = srv.Visit(t.Context(), link, livetest.Passing())
			require.NoError(t, err)
		})
	}
}

// The values are those of the vendor's page, so the first link carries the signature that the page prints.
func TestBuildLiveLoginURL_IsGolden(t *testing.T) {
	t.Parallel()
	const order, user = "aabc1457895464", "userID19959248596551"
	for _, tc := range []struct {
		name string
		req  webanklive.LiveLoginRequest
	}{
		{"as documented", webanklive.LiveLoginRequest{OrderNo: order, UserID: user, CallbackURL: "https://cloud.tencent.com"}},
		{"skip result page", webanklive.LiveLoginRequest{
			OrderNo: order, UserID: user, CallbackURL: "http://127.0.0.1:8080/done", SkipResultPage: true}},
		{"query and blanks", webanklive.LiveLoginRequest{
			OrderNo: order, UserID: user, CallbackURL: "https://shop.example/a%20b?x=1+2&y=%E4%BD%A0#top"}},
		{"Chinese", webanklive.LiveLoginRequest{OrderNo: order, UserID: user, CallbackURL: "https://商店.example/完成"}},
		{"WeChat", webanklive.LiveLoginRequest{
			OrderNo: order, UserID: user, CallbackURL: "https://shop.example/", Entry: webanklive.EntryWeChat}},
		{"PC", webanklive.LiveLoginRequest{
			OrderNo: order, UserID: user, CallbackURL: "https://shop.example/", Entry: webanklive.EntryPC}},
		{"32 characters each", webanklive.LiveLoginRequest{
			OrderNo: strings.Repeat("Z9", 16), UserID: strings.Repeat("u_", 16), CallbackURL: "https://shop.example/"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/access_token", httpmock.NewStringResponder(200,
				`{"code":"0","msg":"请求成功","access_token":"accessToken_string","expire_in":"7200"}`))
			mock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/api_ticket", httpmock.NewStringResponder(200,
				`{"code":"0","tickets":[{"value":"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS","expire_in":"120"}]}`))
			c, err := webanklive.NewClient("appId001", "secret", webanklive.WithHTTPClient(&http.Client{Transport: mock}),
				webanklive.WithNonce("kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T"))
			require.NoError(t, err)
			link, err := c.BuildLiveLoginURL(t.Context(), tc.req)
			require.NoError(t, err)
			golden(t, "testdata/livelogin/"+strings.ReplaceAll(tc.name, " ", "-")+".golden", link+"\n")
			if tc.req.OrderNo == order {
				assert.Contains(t, link, "&sign=BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1&")
			}
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll("testdata/livelogin", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestBuildLiveLoginURL_SendsEverySignedValue(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("signed1", "user1"))
	require.NoError(t, err)
	u, err := url.Parse(link)
	require.NoError(t, err)
	for _, name := range []string{"webankAppId", "userId", "orderNo", "version", "nonce", "url", "sign"} {
		assert.NotEmpty(t, u.Query().Get(name), name)
	}

	back, err := srv.Visit(t.Context(), link, livetest.Passing())
	require.NoError(t, err)
	require.NotEmpty(t, back)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "signed1"})
	require.NoError(t, err)
	sent := srv.Requests(livetest.LiveResult)[0].Query
	for _, name := range []string{"app_id", "order_no", "version", "nonce", "sign"} {
		assert.NotEmpty(t, sent.Get(name), name)
	}
	assert.NotContains(t, sent, "get_file")
}

func TestBuildMiniProgramLaunch_CarriesTheSixSignedValues(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	l, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{
		OrderNo: "mini1", UserID: "user1", SkipResultPage: true,
	})
	require.NoError(t, err)
	assert.Equal(t, "wx7ccfa42a2a641035", l.AppID)
	assert.Equal(t, "pages/pre", l.Path)
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
	_, err = json.Marshal(l)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprintf("%+v", l), fmt.Sprintf("%#v", *l), l.LogValue().String()} {
		assert.Equal(t, `webanklive.MiniProgramLaunch{AppID: "wx7ccfa42a2a641035", Path: "pages/pre", OrderNo: "mini1"}`, text)
	}
}

func TestBuildLiveLoginURL_RefusesInvalidOnesBeforeTheNetworkNamingEveryProblem(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	valid := webanklive.LiveLoginRequest{OrderNo: "a1", UserID: "u1", CallbackURL: "https://shop.example/done"}
	long := strings.Repeat("a", 33)
	for name, tc := range map[string]struct {
		change func(*webanklive.LiveLoginRequest)
		named  []string
	}{
		"empty order":              {func(r *webanklive.LiveLoginRequest) { r.OrderNo = "" }, []string{"OrderNo"}},
		"order of 33":              {func(r *webanklive.LiveLoginRequest) { r.OrderNo = long }, []string{"OrderNo"}},
		"order with a dash":        {func(r *webanklive.LiveLoginRequest) { r.OrderNo = "a-1" }, []string{"OrderNo"}},
		"order in Chinese":         {func(r *webanklive.LiveLoginRequest) { r.OrderNo = "订单" }, []string{"OrderNo"}},
		"empty user":               {func(r *webanklive.LiveLoginRequest) { r.UserID = "" }, []string{"UserID"}},
		"user of 33":               {func(r *webanklive.LiveLoginRequest) { r.UserID = long }, []string{"UserID"}},
		"user with a blank":        {func(r *webanklive.LiveLoginRequest) { r.UserID = "a b" }, []string{"UserID"}},
		"user with an at sign":     {func(r *webanklive.LiveLoginRequest) { r.UserID = "a@b" }, []string{"UserID"}},
		"no callback":              {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "" }, []string{"CallbackURL"}},
		"relative callback":        {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "/done" }, []string{"CallbackURL"}},
		"callback without host":    {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https:///done" }, []string{"CallbackURL"}},
		"callback to an app":       {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "shop://done" }, []string{"CallbackURL"}},
		"javascript callback":      {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "javascript:alert(1)" }, []string{"CallbackURL"}},
		"callback with a password": {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https://u:hunter2@shop.example/" }, []string{"CallbackURL", "user info"}},
		"callback with a blank":    {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https://shop.example/a b" }, []string{"CallbackURL"}},
		"callback with a newline":  {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https://shop.example/\n" }, []string{"CallbackURL"}},
		"callback not in UTF-8":    {func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https://shop.example/\xff" }, []string{"CallbackURL"}},
		"callback with a parameter of the answer": {
			func(r *webanklive.LiveLoginRequest) { r.CallbackURL = "https://shop.example/?code=1" }, []string{"CallbackURL", "code"}},
		"unknown entry": {func(r *webanklive.LiveLoginRequest) { r.Entry = 7 }, []string{"Entry"}},
		"everything": {
			func(r *webanklive.LiveLoginRequest) { *r = webanklive.LiveLoginRequest{Entry: -1} },
			[]string{"OrderNo", "UserID", "CallbackURL", "Entry"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := valid
			tc.change(&req)
			link, err := c.BuildLiveLoginURL(t.Context(), req)
			assert.Empty(t, link)
			clienttest.RequireInvalid(t, err, tc.named...)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	t.Run("mini-program", func(t *testing.T) {
		t.Parallel()
		l, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: "-", UserID: " "})
		assert.Nil(t, l)
		clienttest.RequireInvalid(t, err, "OrderNo", "UserID")
	})
	t.Cleanup(func() {
		assert.Zero(t, srv.Calls(livetest.AccessToken)+srv.Calls(livetest.NonceTicket), "the network was used")
	})
}

func TestBuildMiniProgramLaunch_IsTheArgumentOfNavigateToMiniProgram(t *testing.T) {
	t.Parallel()
	c := clienttest.NewClient(t, livetest.NewServer(t))
	launch, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: clienttest.Order, UserID: "user"})
	require.NoError(t, err)
	text, err := json.Marshal(launch)
	require.NoError(t, err)
	extra, err := json.Marshal(launch.ExtraData)
	require.NoError(t, err)
	assert.JSONEq(t, `{"appId":"wx7ccfa42a2a641035","path":"pages/pre","extraData":`+string(extra)+`}`, string(text))
}
