package webanklive_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestNewClientReportsEveryProblemAtOnce(t *testing.T) {
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
			webanklive.WithCredentialStore(webanklive.NewMemoryStore()), webanklive.WithCredentialSource(&source{}),
		}, []string{"credential store and source"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := webanklive.NewClient(tc.appID, tc.secret, tc.opts...)
			assert.Nil(t, c)
			requireInvalid(t, err, tc.named...)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestNewClientTakesLoopbackAndPathPrefixes(t *testing.T) {
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
func TestHTTPClientMayBeMockedAfterNewClient(t *testing.T) {
	t.Parallel()
	hc := &http.Client{}
	c, err := webanklive.NewClient("app", "secret", webanklive.WithHTTPClient(hc))
	require.NoError(t, err)
	httpmock.ActivateNonDefault(hc)
	httpmock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/access_token",
		httpmock.NewStringResponder(200, `{"code":"0","access_token":"TOKEN","expire_in":7200}`))
	httpmock.RegisterResponder("GET", "https://idasc.webank.com/api/oauth2/api_ticket",
		httpmock.NewStringResponder(200, `{"code":"0","tickets":[{"value":"TICKET","expire_in":3600}]}`))
	cred, err := c.Credential(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "TOKEN", cred.AccessToken)
	assert.Equal(t, "TICKET", cred.SignTicket)
	assert.Nil(t, hc.CheckRedirect, "the caller's client is not modified")
}

func TestClientIsSilentByDefaultAndPrintsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := webanklive.NewClient("app-id", "hunter2")
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "client", c, "wrapped", struct{ C *webanklive.Client }{c})
	texts := []string{log.String(), fmt.Sprint(struct{ C *webanklive.Client }{c})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c))
	}
	for _, text := range texts {
		assert.NotContains(t, text, "hunter2")
		assert.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
	}
	assert.Equal(t, `webanklive.Client{AppID: "app-id", API: "https://idasc.webank.com", H5: "https://ida.webank.com"}`, fmt.Sprint(c))
	assert.Equal(t, "webanklive.Client(nil)", fmt.Sprint((*webanklive.Client)(nil)))
}

func TestCredentialPrintsMaskedInEveryVerbAndInSlog(t *testing.T) {
	t.Parallel()
	c := webanklive.Credential{AccessToken: "hunter2", SignTicket: "hunter3", PreviousSignTicket: "hunter4"}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "credential", c, "pointer", &c, slog.Any("any", c))
	}
	texts := []string{log.String(), fmt.Sprint([]any{c, &c}), fmt.Sprintf("%+v", struct{ C webanklive.Credential }{c})}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c))
	}
	for _, text := range texts {
		assert.NotContains(t, text, "hunter")
		assert.NotContains(t, text, fmt.Sprintf("%x", "hunter"))
		assert.Contains(t, text, "***")
	}
	assert.Contains(t, fmt.Sprint(webanklive.Credential{}), `AccessToken: ""`, "absent is told from masked")
}

func TestCredentialOfAFreshClient(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := newClient(t, srv)
	cred, err := c.Credential(t.Context())
	require.NoError(t, err)
	assert.Empty(t, cred.PreviousSignTicket)
	assert.WithinDuration(t, time.Now().Add(20*time.Minute), cred.RefreshAt, 2*time.Minute+5*time.Second)
	assert.WithinDuration(t, time.Now().Add(59*time.Minute), cred.ExpiresAt, 5*time.Second)
	again, err := c.Credential(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cred, again)
}

// source is a central token service with one platform credential.
type source struct {
	credential  webanklive.Credential
	err         error
	asked       int
	invalidated []webanklive.Credential
	next        *webanklive.Credential
}

func (s *source) Credential(context.Context) (webanklive.Credential, error) {
	s.asked++
	return s.credential, s.err
}

func (s *source) Invalidate(_ context.Context, refused webanklive.Credential) {
	s.invalidated = append(s.invalidated, refused)
	if s.next != nil {
		s.credential = *s.next
	}
}

func TestClientWithASourceMintsNothing(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	central := &source{credential: webanklive.Credential{AccessToken: token, SignTicket: sign}}
	c := newClient(t, srv, webanklive.WithCredentialSource(central))
	query := complete(t, srv.Platform, c, order, livetest.Passing())
	_, err := c.VerifyCallback(t.Context(), query, order)
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
	require.NoError(t, err)
	assert.Equal(t, 1, central.asked, "the answer is remembered")
	assert.Zero(t, srv.Calls(livetest.AccessToken)+srv.Calls(livetest.SignTicket))
	assert.Empty(t, central.invalidated)
}

func TestSourceIsToldOfARefusalAndItsNextCredentialIsUsed(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	old := webanklive.Credential{AccessToken: token, SignTicket: sign}
	central := &source{credential: old}
	c := newClient(t, srv, webanklive.WithCredentialSource(central))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	underway := srv.CallbackQuery(order, "0", "")

	srv.Revoke()
	token, sign = srv.Rotate()
	central.next = &webanklive.Credential{AccessToken: token, SignTicket: sign}
	_, err = c.BuildLiveLoginURL(t.Context(), launch("order43", "user43"))
	require.NoError(t, err)
	assert.Equal(t, []webanklive.Credential{old}, central.invalidated)
	assert.Zero(t, srv.Calls(livetest.AccessToken))

	_, err = c.VerifyCallback(t.Context(), underway, order)
	require.NoError(t, err, "the client remembers the previous SIGN ticket when the source keeps none")
}

func TestSourceThatKeepsARefusedCredentialIsNotAskedInALoop(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	central := &source{credential: webanklive.Credential{AccessToken: "dead", SignTicket: "dead"}}
	c := newClient(t, srv, webanklive.WithCredentialSource(central))
	_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
	requireClass(t, err, webanklive.ErrCredential)
	assert.Equal(t, 1, srv.Calls(livetest.NonceTicket))
	assert.Equal(t, 2, central.asked)
}

func TestSourcesErrorsNameTheSource(t *testing.T) {
	t.Parallel()
	down := errors.New("central service down")
	for name, tc := range map[string]struct {
		source source
		text   string
	}{
		"its own":         {source{err: down}, "credential source: central service down"},
		"a context's end": {source{err: context.DeadlineExceeded}, "credential source: context deadline exceeded"},
		"no ticket":       {source{credential: webanklive.Credential{AccessToken: "t"}}, "no SIGN ticket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := livetest.NewServer(t)
			c := newClient(t, srv, webanklive.WithCredentialSource(&tc.source))
			_, err := c.Credential(t.Context())
			requireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, tc.text)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's own context did not end")
			if errors.Is(tc.source.err, down) {
				require.ErrorIs(t, err, down)
			}
		})
	}
}

func TestSourceThatHandsOutExpiredCredentials(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	central := &source{credential: webanklive.Credential{AccessToken: token, SignTicket: sign, ExpiresAt: time.Now().Add(-time.Hour)}}
	c := newClient(t, srv, webanklive.WithCredentialSource(central))
	_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
	require.NoError(t, err, "until the platform's clock was heard, the local one may be the wrong one")
	_, err = c.BuildLiveLoginURL(t.Context(), launch("order43", "user43"))
	requireClass(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "credential source: what it handed out has expired")
}

func TestStubbornSourceIsNotHammered(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	central := &source{credential: webanklive.Credential{AccessToken: "dead", SignTicket: "dead"}}
	c := newClient(t, srv, webanklive.WithCredentialSource(central))
	for range 20 {
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
		requireClass(t, err, webanklive.ErrCredential)
	}
	assert.Len(t, central.invalidated, 1)
	assert.Equal(t, 2, central.asked)
}

// oddStore returns from Update without having run its function.
type oddStore struct{ webanklive.CredentialStore }

func (oddStore) Update(context.Context, string, webanklive.UpdateFunc) ([]byte, error) {
	return nil, nil
}

func TestStoreThatBreaksItsContractIsAnError(t *testing.T) {
	t.Parallel()
	c := newClient(t, livetest.NewServer(t), webanklive.WithCredentialStore(oddStore{webanklive.NewMemoryStore()}))
	_, err := c.Credential(t.Context())
	requireClass(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "did not run the function")
}

// keyStore notes the keys that it is asked for.
type keyStore struct {
	webanklive.CredentialStore
	mu   sync.Mutex
	keys map[string]bool
}

func (s *keyStore) Load(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = true
	return nil, errors.New("down")
}

func TestStoreKeyIsTheAppIDAndTheHostHoweverItIsSpelt(t *testing.T) {
	t.Parallel()
	s := &keyStore{keys: map[string]bool{}}
	for _, at := range [][2]string{
		{"app", "https://api.example"}, {"app", "https://API.Example:443/"}, // the same
		{"app", "https://api.example:8443"}, {"app", "https://api.example/sandbox"}, {"app", "https://other.example"},
		{"应用/1", "https://api.example"},
	} {
		c, err := webanklive.NewClient(at[0], "hunter2", webanklive.WithBaseURLs(at[1], at[1]), webanklive.WithCredentialStore(s))
		require.NoError(t, err)
		_, err = c.Credential(t.Context())
		require.ErrorContains(t, err, "credential store: down")
	}
	assert.Equal(t, map[string]bool{
		"app@api.example": true, "app@api.example:8443": true, "app@api.example/sandbox": true, "app@other.example": true,
		"%E5%BA%94%E7%94%A8%2F1@api.example": true,
	}, s.keys)
}

func TestCodeCatalogue(t *testing.T) {
	t.Parallel()
	info, ok := webanklive.LookupCode("-5013")
	require.True(t, ok)
	assert.Equal(t, webanklive.CodeInfo{
		Code: "-5013", Class: "not_passed", Reason: "quality", Message: "声音太小；录制时，确保周围环境安静", Advice: "视频里的声音太小",
		Meaning: "the voice is too quiet; record in a quiet place",
	}, info)
	_, ok = webanklive.LookupCode("123456789")
	assert.False(t, ok)
	_, ok = webanklive.LookupCode("code")
	assert.False(t, ok, "the header is not a row")

	// One code of each class, and the two that matter most.
	for code, class := range map[string]error{
		"-5013": webanklive.ErrNotPassed, "3001": webanklive.ErrNotPassed, "66660011": webanklive.ErrNotReady,
		"15": webanklive.ErrCredential, "400101": webanklive.ErrCredential, "400504": webanklive.ErrThrottled,
		"999999": webanklive.ErrUnavailable, "66660000": webanklive.ErrInvalidRequest, "66660002": webanklive.ErrAccount,
		"no such code": webanklive.ErrNotPassed,
	} {
		requireClass(t, &webanklive.Error{Code: code}, class)
	}
	requireClass(t, &webanklive.Error{Code: "0"}, nil)
	requireClass(t, &webanklive.Error{}, nil)
}

func TestEveryRowOfTheCatalogueHasAClass(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("codes.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	rows = rows[1:]
	require.Len(t, rows, 162)
	reasons := []string{"liveness", "quality", "attack", "identity", "risk", "attempts", "device"}
	for _, row := range rows {
		code := row[0]
		info, ok := webanklive.LookupCode(code)
		require.True(t, ok, code)
		assert.NotEmpty(t, info.Message, code)
		assert.NotEmpty(t, row[7], "%s names no vendor page", code)
		if info.Class == "not_passed" {
			assert.Contains(t, reasons, info.Reason, code)
		} else {
			assert.Empty(t, info.Reason, code)
		}
		// Exactly one sentinel, and none for the code that means passed.
		matched := 0
		for _, class := range []error{
			webanklive.ErrNotPassed, webanklive.ErrNotReady, webanklive.ErrCredential, webanklive.ErrThrottled,
			webanklive.ErrUnavailable, webanklive.ErrInvalidRequest, webanklive.ErrAccount,
		} {
			if errors.Is(&webanklive.Error{Code: code}, class) {
				matched++
			}
		}
		assert.Equal(t, code != "0", matched == 1, code)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	for want, e := range map[string]*webanklive.Error{
		"webanklive": {},
		"webanklive: get live result: code 15: token 过期，请重试":   {Op: "get live result", Code: "15", Message: "token 过期，请重试"},
		"webanklive: get access token: connection refused":     {Op: "get access token", Err: cause},
		"webanklive: get live result: code 0: HTTP is unhappy": {Op: "get live result", Code: "0", Err: errors.New("HTTP is unhappy")},
	} {
		assert.EqualError(t, e, want)
	}
	require.ErrorIs(t, &webanklive.Error{Err: cause}, cause)
	assert.False(t, (&webanklive.Error{}).Is(nil))
	assert.False(t, webanklive.Retryable(nil))
	assert.False(t, webanklive.Retryable(cause))
	assert.True(t, webanklive.Retryable(fmt.Errorf("wrapped: %w", &webanklive.Error{Code: "999999"})))
}

func TestClientIsASourceForOthers(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	central := newClient(t, srv)
	var asSource webanklive.CredentialSource = central
	c := newClient(t, srv, webanklive.WithCredentialSource(asSource))
	before, err := c.Credential(t.Context())
	require.NoError(t, err)

	srv.Revoke()
	_, err = c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
	require.NoError(t, err, "the refusal reaches the central client, which mints")
	after, err := c.Credential(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, before.AccessToken, after.AccessToken)
	assert.Equal(t, before.SignTicket, after.PreviousSignTicket)
	assert.Len(t, srv.Mints(), 2)

	central.Invalidate(t.Context(), before)
	_, err = c.BuildLiveLoginURL(t.Context(), launch("order43", "user43"))
	require.NoError(t, err)
	assert.Len(t, srv.Mints(), 2, "only the credential in use can be invalidated")
}
