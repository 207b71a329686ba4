package webanklive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
)

func TestNewClient_ReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		appID, secret string
		opts          []webanklive.Option
		named         []string
	}{
		"nothing":               {"", "", nil, []string{"app ID", "secret"}},
		"blanks":                {"a b", "hunter2\n", nil, []string{"app ID", "secret"}},
		"plain http":            {"a", "s", []webanklive.Option{webanklive.WithBaseURLs("http://idasc.webank.com", "http://192.0.2.1")}, []string{"api base URL", "h5 base URL"}},
		"relative URLs":         {"a", "s", []webanklive.Option{webanklive.WithBaseURLs("", "/h5")}, []string{"api base URL", "h5 base URL"}},
		"unreadable URL":        {"a", "s", []webanklive.Option{webanklive.WithBaseURLs("https://%zz", "https://:443")}, []string{"api base URL", "h5 base URL"}},
		"user info and a query": {"a", "s", []webanklive.Option{webanklive.WithBaseURLs("https://u:hunter2@h", "https://h?q=hunter2")}, []string{"api base URL", "h5 base URL"}},
		"a fragment":            {"a", "s", []webanklive.Option{webanklive.WithBaseURLs("https://h#f", "https://h?")}, []string{"api base URL", "h5 base URL"}},
		"nil values": {"a", "s", []webanklive.Option{
			webanklive.WithHTTPClient(nil), webanklive.WithCredentialStore(nil), webanklive.WithCredentialSource(nil), webanklive.WithLogger(nil),
		}, []string{"HTTP client", "credential store", "credential source", "logger"}},
		"numbers": {"a", "s", []webanklive.Option{webanklive.WithMaxRetries(-1), webanklive.WithMaxResponseBytes(0)},
			[]string{"max retries", "max response bytes"}},
		"store and source": {"a", "s", []webanklive.Option{
			webanklive.WithCredentialStore(webanklive.NewMemoryStore()), webanklive.WithCredentialSource(&clienttest.Source{}),
		}, []string{"credential store and source"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := webanklive.NewClient(tc.appID, tc.secret, tc.opts...)
			assert.Nil(t, c)
			clienttest.RequireInvalid(t, err, tc.named...)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestNewClient_TakesLoopbackAndPathPrefixes(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"https://example.com", "https://example.com/", "https://example.com:8443/a/b/", "https://example.com/a%2Fb",
		"http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1/x",
	} {
		_, err := webanklive.NewClient("a", "s", webanklive.WithBaseURLs(base, base), nil)
		require.NoError(t, err, base)
	}
}

// Users activate httpmock on the client they passed in, before or after.
func TestWithHTTPClient_MayBeMockedAfterNewClient(t *testing.T) {
	t.Parallel()
	hc := &http.Client{}
	c, err := webanklive.NewClient("app", "secret", webanklive.WithHTTPClient(hc))
	require.NoError(t, err)
	httpmock.ActivateNonDefault(hc)
	httpmock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/access_token",
		httpmock.NewStringResponder(200, `{"code":"0","access_token":"TOKEN","expire_in":7200}`))
	httpmock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/api_ticket",
		httpmock.NewStringResponder(200, `{"code":"0","tickets":[{"value":"TICKET","expire_in":3600}]}`))
	cred := clienttest.Credential(t, c)
	assert.Equal(t, "TOKEN", cred.AccessToken)
	assert.Equal(t, "TICKET", cred.SignTicket)
	assert.Nil(t, hc.CheckRedirect, "the caller's client is not modified")
}

func TestClient_PrintsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := webanklive.NewClient("app-id", "hunter2")
	require.NoError(t, err)
	text, err := json.Marshal([]any{c})
	require.NoError(t, err)
	for _, text := range []string{string(text), clienttest.EveryPrint(c)} {
		assert.NotContains(t, text, "hunter2")
		assert.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
	}
	assert.Equal(t, `webanklive.Client{AppID: "app-id", API: "https://idasc.webank.com", H5: "https://ida.webank.com"}`, fmt.Sprint(c))
	assert.Equal(t, "webanklive.Client(nil)", fmt.Sprint((*webanklive.Client)(nil)))
}

func TestCredential_PrintsMasked(t *testing.T) {
	t.Parallel()
	c := webanklive.Credential{AccessToken: "hunter2", SignTicket: "hunter3", PreviousSignTicket: "hunter4"}
	for _, text := range []string{clienttest.EveryPrint(c), clienttest.EveryPrint(&c), fmt.Sprint([]any{c, &c})} {
		assert.NotContains(t, text, "hunter")
		assert.NotContains(t, text, fmt.Sprintf("%x", "hunter"))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		assert.Contains(t, fmt.Sprintf(verb, c), "***", verb)
		assert.Contains(t, fmt.Sprintf(verb, &c), "***", verb)
	}
	assert.Contains(t, fmt.Sprint(webanklive.Credential{}), `AccessToken: ""`, "absent is told from masked")
	pieces := fmt.Sprint(webanklive.Credential{AccessToken: "qqqqqqqqqq", SignTicket: "QQQQQQQQQQ", PreviousSignTicket: "jjjjjjjjjj"})
	assert.NotRegexp(t, `[qQj]`, pieces)
}

func TestCredential_OfAFreshClientIsMinted(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewServed(t)
	cred := clienttest.Credential(t, c)
	assert.Empty(t, cred.PreviousSignTicket)
	assert.WithinDuration(t, time.Now().Add(20*time.Minute), cred.RefreshAt, 2*time.Minute+5*time.Second)
	assert.WithinDuration(t, time.Now().Add(59*time.Minute), cred.ExpiresAt, 5*time.Second)
	again := clienttest.Credential(t, c)
	assert.Equal(t, cred, again)
}

func TestNewClient_NamesWhatCreptIntoAnAppIDOrSecret(t *testing.T) {
	t.Parallel()
	for value, kind := range map[string]string{
		"\ufeffhunter2":           "a byte order mark",
		"hunter2\ufeff":           "a byte order mark",
		"\xff\xfeh\x00":           "a byte order mark of UTF-16",
		"\u200bhunter2":           "a zero-width blank",
		"hunter2\u200d":           "a zero-width blank",
		"hun\u2060ter2":           "a zero-width blank",
		`"hunter2"`:               "quotes around it",
		"'hunter2'":               "quotes around it",
		"`hunter2`":               "quotes around it",
		`hunter2"`:                "quotes around it",
		"\ufeff'hunter2'":         "a byte order mark, quotes around it",
		"\ufeff\"hunter2\"\u200b": "a byte order mark, a zero-width blank, quotes around it",
		"“hunter2”":               "typographic quotes",
		"「hunter2」":               "typographic quotes",
		"hunter\u00a02":           "a blank that is not ASCII",
		"hunter\u30002":           "a blank that is not ASCII",
		"hunter2\n":               "a line break",
		"hunter2\r\n":             "a line break",
		"hunter2\x00":             "a control character",
		"hunter2\x7f":             "a control character",
		"hunter\u202e2":           "an invisible character",
		"hunter\u00ad2":           "an invisible character",
		"hunter２":                 "a full-width character",
		"hunterä":                 "a character that is not ASCII",
		"hunter密":                 "a character that is not ASCII",
		"hunter\xe4":              "bytes that are not UTF-8",
		"hunter 2":                "must not be empty or contain blanks",
		" hunter2":                "must not be empty or contain blanks",
		"hunter2\t":               "must not be empty or contain blanks",
		"":                        "must not be empty or contain blanks",
		`""`:                      "quotes around it",
	} {
		for field, pair := range map[string][2]string{"app ID": {value, "secret"}, "secret": {"app", value}} {
			_, err := webanklive.NewClient(pair[0], pair[1])
			clienttest.RequireInvalid(t, err, field)
			require.ErrorContains(t, err, kind, "%q", value)
			assert.NotContains(t, err.Error(), "hunter")
		}
	}
	for _, value := range []string{"TIDA0001", `a"b`, "it's", "!#$%&()*+,-./:;<=>?@[]^_{|}~"} {
		_, err := webanklive.NewClient(value, value)
		require.NoError(t, err, value)
	}
}

func TestClient_ThatNewClientDidNotMakeIsAnError(t *testing.T) {
	t.Parallel()
	var zero webanklive.Client
	_, err := zero.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	clienttest.RequireClass(t, err, webanklive.ErrInvalidRequest)
	_, err = zero.Credential(t.Context())
	clienttest.RequireClass(t, err, webanklive.ErrInvalidRequest)
	clienttest.RequireClass(t, zero.Refresh(t.Context()), webanklive.ErrInvalidRequest)
	zero.Invalidate(t.Context(), webanklive.Credential{})
	require.ErrorIs(t, zero.Status().LastError, webanklive.ErrInvalidRequest)
	assert.NotPanics(t, func() { _ = fmt.Sprintf("%+v", &zero) })
}

func TestNewClient_WarnsOfAnotherPlatformThanTheVendors(t *testing.T) {
	t.Parallel()
	for api, warns := range map[string]bool{
		"https://idasc.webank.com": false, "https://kyc1.qcloud.com/sub": false, "https://miniprogram-kyc.tencentcloudapi.com": false,
		"https://webank.com.example": true, "http://127.0.0.1:8080": true,
	} {
		var log bytes.Buffer
		_, err := webanklive.NewClient("app", "secret", webanklive.WithBaseURLs(api, "https://ida.webank.com"),
			webanklive.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		require.NoError(t, err)
		assert.Equal(t, warns, strings.Contains(log.String(), "level=WARN"), "%s: %s", api, log.String())
	}
}
