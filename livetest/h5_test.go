package livetest_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// openPage launches a check and returns its page and the session in it.
func (r *rig) openPage(query url.Values) (header http.Header, body, session string) {
	r.t.Helper()
	status, header, text, err := r.do(context.Background(), http.MethodGet, r.link(query))
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusOK, status)
	found := regexp.MustCompile(`name="session" value="([^"]+)"`).FindSubmatch(text)
	require.NotNil(r.t, found)
	return header, string(text), string(found[1])
}

// report posts what the page's script would, and decodes the answer.
func (r *rig) report(form url.Values) (status int, answer map[string]any) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.h5+"/api/livelogin/finish", strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	res, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(body, &answer), "%s", body)
	return res.StatusCode, answer
}

func TestPage_LoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	query := r.linkQuery(r.ticket(r.token(), "NONCE", "alice"), "alice", "A1")
	header, body, _ := r.openPage(query)
	policy := header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'")
	assert.Contains(t, policy, "form-action 'self' https://shop.example")
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
	assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	assert.Contains(t, header.Get("Permissions-Policy"), "camera=(self)")

	base, err := url.Parse(r.link(query))
	require.NoError(t, err)
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body, -1)
	kinds := map[string]string{}
	for _, match := range loaded {
		if match[1] == "data:," {
			continue
		}
		address, err := base.Parse(match[1])
		require.NoError(t, err)
		status, header, _, err := r.do(context.Background(), http.MethodGet, address.String())
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status, match[1])
		kinds[address.Path] = header.Get("Content-Type")
	}
	assert.Equal(t, map[string]string{
		"/ida/h5/h5.css": "text/css; charset=utf-8", "/ida/h5/h5.js": "text/javascript; charset=utf-8",
	}, kinds)
	assert.Empty(t, r.Refusals())
	assert.NotRegexp(t, `<script>| style=| on[a-z]+=|https?://`, body)
}

func TestPage_OnlyAssetsAreServedBelowTheirPath(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	for _, path := range []string{"/h5/check.html", "/h5/../h5/check.html", "/h5/none.css", "/h5/", "/h5/.css"} {
		status, _, _, err := r.do(context.Background(), http.MethodGet, r.h5+path)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	status, _, _, err := r.do(context.Background(), http.MethodPost, r.h5+"/h5/h5.css")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, status)
}

func TestPage_AnOddCallbackHostDoesNotEnterThePolicy(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	query := with(r.linkQuery(r.ticket(r.token(), "NONCE", "alice"), "alice", "A1"), "url", "https://a;script-src/done")
	header, _, _ := r.openPage(query)
	policy := header.Get("Content-Security-Policy")
	assert.True(t, strings.HasSuffix(policy, "form-action 'self'"), policy)
}

func TestPage_TheOutcomesOnOfferAreTheCataloguesAndCoverIt(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	_, body, _ := r.openPage(r.linkQuery(r.ticket(r.token(), "NONCE", "alice"), "alice", "A1"))
	reasons, unknown := map[string]bool{}, 0
	for _, option := range regexp.MustCompile(`<option value="([^"]+)">(\S+) ([^<]+)<`).FindAllStringSubmatch(body, -1) {
		assert.Equal(t, html.UnescapeString(option[1]), html.UnescapeString(option[2]))
		info, ok := webanklive.LookupCode(option[1])
		if !ok {
			unknown++
			continue
		}
		assert.Equal(t, info.Message, html.UnescapeString(option[3]), option[1])
		assert.Contains(t, []string{"passed", "not_passed"}, info.Class, option[1])
		reasons[info.Reason] = true
	}
	assert.Equal(t, 1, unknown, "one code that no page names")
	for _, reason := range []string{"", "liveness", "quality", "attack", "identity", "risk", "attempts", "device"} {
		assert.True(t, reasons[reason], reason)
	}
}

func TestPage_TheScriptIsToldWhereToGo(t *testing.T) {
	t.Parallel()
	for resultType, direct := range map[string]bool{"": false, "1": true} {
		r := overHTTP(t)
		token := r.token()
		ticket := r.ticket(token, "SIGN", "")
		query := with(r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1"), "resultType", resultType)
		_, _, session := r.openPage(query)
		status, answer := r.report(url.Values{"session": {session}, "code": {"0"}, "liveRate": {"95"}, "sample": {"1"}})
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, map[string]any{
			"direct": direct, "passed": true,
			"callback": "https://shop.example/done?code=0&orderNo=A1&liveRate=95&&newSignature=" + livetest.Sign(r.AppID(), "A1", ticket, "0") +
				"&signature=" + livetest.Sign(r.AppID(), "A1", ticket),
		}, answer)
		status, answer = r.report(url.Values{"session": {session}, "code": {"0"}})
		assert.Equal(t, http.StatusForbidden, status)
		assert.Equal(t, map[string]any{"reason": "the session is over"}, answer)
	}
}

func TestPage_ATypedCodeReplacesTheChosenOne(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token := r.token()
	ticket := r.ticket(token, "SIGN", "")
	_, _, session := r.openPage(r.linkQuery(r.ticket(token, "NONCE", "alice"), "alice", "A1"))
	_, answer := r.report(url.Values{"session": {session}, "code": {"0"}, "other": {"-7"}, "sample": {"1"}})
	assert.Equal(t, false, answer["passed"])
	reply := r.call(resultPath, r.resultQuery(ticket, "A1", "1"))
	assert.Equal(t, "-7", reply["code"])
	assert.NotContains(t, reply, "photo", "samples are for a person who passes")
}

func TestPage_ARefusedLinkSaysWhyToTheDeveloper(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	status, _, body, err := r.do(context.Background(), http.MethodGet, r.link(url.Values{"orderNo": {"<b>"}}))
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, status)
	assert.Contains(t, string(body), "签名不合法")
	assert.Contains(t, string(body), `id="reason"`)
	assert.NotContains(t, string(body), "<b>")
}
