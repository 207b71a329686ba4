package webanklive_test

// What an Error says, in its text, its fields and its log line, and what it never says.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestError_TextIsOneLineOfItsParts(t *testing.T) {
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

func TestError_IsOneLineWhateverASourceOrTheCauseOfAContextSays(t *testing.T) {
	t.Parallel()
	down, drained := errors.New("down\nlevel=INFO"), errors.New("node\ndrained")
	c, _ := clienttest.NewInMemory(t, webanklive.WithCredentialSource(&clienttest.Source{Err: down}))
	_, err := c.Credential(t.Context())
	require.ErrorIs(t, err, down)
	require.ErrorContains(t, err, "credential source: down level=INFO")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(drained)
	_, err = c.Credential(ctx)
	require.ErrorIs(t, err, drained)
	require.EqualError(t, err, "webanklive: get credential: context canceled: node drained")
}

func TestError_CarriesTheVendorsCodeAndStatus(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"code":"66660011","msg":"无此查询结果","bizSeqNo":"seq1"}`))
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.EqualError(t, err,
		"webanklive: get live result: code 66660011: 无此查询结果 (GET idasc.webank.com/api/server/getLiveResult, HTTP 200)")
	var e *webanklive.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, []any{"get live result", "66660011", "无此查询结果", "seq1", 200},
		[]any{e.Op, e.Code, e.Message, e.BizSeqNo, e.HTTPStatus})
}

func TestError_BoundsTheVendorsMessageToOneLine(t *testing.T) {
	t.Parallel()
	message := `a\r\nlevel=ERROR msg=forged\u0000\u001b[31m\u202e` + strings.Repeat("失败", 200)
	c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"code":"-5013\n","msg":"`+message+`","bizSeqNo":"`+strings.Repeat("9", 300)+`"}`))
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	var e *webanklive.Error
	require.ErrorAs(t, err, &e)
	assert.LessOrEqual(t, len(e.Message), 256)
	assert.Equal(t, "-5013", e.Code)
	assert.True(t, strings.HasPrefix(e.Message, "a  level=ERROR msg=forged[31m失败"), e.Message)
	assert.True(t, strings.HasSuffix(e.Message, "失") || strings.HasSuffix(e.Message, "败"), "the cut respects characters")
	assert.LessOrEqual(t, len(e.BizSeqNo), 64)
	assert.Equal(t, e.Message, res.Message)
	for _, bad := range []string{"\n", "\r", "\x00", "\x1b", "\u202e"} {
		assert.NotContains(t, err.Error(), bad)
	}
}

func TestError_LogsWhatAnOperatorAsksFor(t *testing.T) {
	t.Parallel()
	c, p := clienttest.NewInMemory(t, webanklive.WithMaxRetries(0))
	p.Fail(livetest.LiveResult, livetest.Fault{Status: 429, Body: `{"code":"999995","msg":"slow down","bizSeqNo":"B1"}`}, 1)
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})).Error("x", "err", err)
	assert.JSONEq(t, `{"level":"ERROR","msg":"x","err":{"op":"get live result","class":"throttled","code":"999995","message":"slow down",
		"biz_seq_no":"B1","http_status":429,"target":"GET `+strings.TrimPrefix(livetest.MemoryAPIURL, "https://")+`/api/server/getLiveResult"}}`, out.String())

	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{})
	out.Reset()
	slog.New(slog.NewTextHandler(&out, nil)).Error("x", "err", err)
	assert.Contains(t, out.String(), `err.op="get live result" err.class=invalid_request err.cause="OrderNo must`)
}

// The platform may quote a token that is no longer the newest, or the one that it grants in this very reply.
func TestError_RepeatsNoSecretThatTheProcessHeldOrThatTheReplyGrants(t *testing.T) {
	t.Parallel()
	c, p := clienttest.NewInMemory(t, webanklive.WithMaxRetries(0))
	first := clienttest.Credential(t, c)
	require.NoError(t, c.Refresh(t.Context()))
	second := clienttest.Credential(t, c)
	require.NotEqual(t, first.AccessToken, second.AccessToken)
	secrets := []string{first.AccessToken, first.SignTicket, second.AccessToken, second.SignTicket, "GRANTED-1"}

	p.Advance(2 * time.Minute) // when the next mint is allowed
	p.Revoke()
	body := fmt.Sprintf(`{"code":"66660000","msg":"%s are in use","access_token":"GRANTED-1","tickets":[{"value":"GRANTED-1"}]}`,
		strings.Join(secrets, " "))
	for _, e := range []livetest.Endpoint{livetest.NonceTicket, livetest.AccessToken} {
		p.Fail(e, livetest.Fault{Body: body}, 1)
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		require.ErrorContains(t, err, "are in use")
		for _, secret := range secrets {
			assert.NotContains(t, err.Error(), secret, e)
		}
	}
}
