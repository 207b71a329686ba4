package livetest_test

import (
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

// openPage opens a link and returns its page and the session in it.
func (r *rig) openPage(query url.Values) (page reply, session string) {
	r.t.Helper()
	page = r.get(r.link(query))
	require.Equal(r.t, http.StatusOK, page.status)
	found := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(page.body)
	require.NotNil(r.t, found)
	return page, found[1]
}

// report posts what the page's form or, with accept, its script would.
func (r *rig) report(accept string, form url.Values) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.h5+"/api/livelogin/finish", strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", accept)
	res, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return reply{status: res.StatusCode, body: string(body)}
}

// told is what the page's script learns from a report.
func (r *rig) told(status int, form url.Values) (answer map[string]any) {
	r.t.Helper()
	got := r.report("application/json", form)
	assert.Equal(r.t, status, got.status)
	require.NoError(r.t, json.Unmarshal([]byte(got.body), &answer), "%s", got.body)
	return answer
}

func TestPage_LoadsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	query := r.launch(r.token(), "alice", "A1")
	page, _ := r.openPage(query)
	policy := page.header.Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'")
	assert.Contains(t, policy, "form-action 'self' https://shop.example")
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "no-store", page.header.Get("Cache-Control"))
	assert.Equal(t, "no-referrer", page.header.Get("Referrer-Policy"))
	assert.Equal(t, "nosniff", page.header.Get("X-Content-Type-Options"))
	assert.Contains(t, page.header.Get("Permissions-Policy"), "camera=(self)")

	base, err := url.Parse(r.link(query))
	require.NoError(t, err)
	kinds := map[string]string{}
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
		if match[1] == "data:," {
			continue
		}
		address, err := base.Parse(match[1])
		require.NoError(t, err)
		got := r.get(address.String())
		assert.Equal(t, http.StatusOK, got.status, match[1])
		kinds[address.Path] = got.header.Get("Content-Type")
	}
	assert.Equal(t, map[string]string{
		"/ida/h5/h5.css": "text/css; charset=utf-8", "/ida/h5/h5.js": "text/javascript; charset=utf-8",
	}, kinds)
	assert.Empty(t, r.Refusals())
	assert.NotRegexp(t, `<script>| style=| on[a-z]+=|https?://`, page.body)
}

func TestPage_OnlyAssetsAreServedBelowTheirPath(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	for _, path := range []string{"/h5/check.html", "/h5/../h5/check.html", "/h5/none.css", "/h5/", "/h5/.css"} {
		assert.Equal(t, http.StatusNotFound, r.get(r.h5+path).status, path)
	}
	assert.Equal(t, http.StatusNotFound, r.do(t.Context(), http.MethodPost, r.h5+"/h5/h5.css").status)
}

func TestPage_AnOddCallbackHostDoesNotEnterThePolicy(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	page, _ := r.openPage(with(r.launch(r.token(), "alice", "A1"), "url", "https://a;script-src/done"))
	policy := page.header.Get("Content-Security-Policy")
	assert.True(t, strings.HasSuffix(policy, "form-action 'self'"), policy)
}

func TestPage_TheOutcomesOnOfferAreTheCataloguesAndCoverIt(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	page, _ := r.openPage(r.launch(r.token(), "alice", "A1"))
	reasons, unknown := map[string]bool{}, 0
	for _, option := range regexp.MustCompile(`<option value="([^"]+)">(\S+) ([^<]+)<`).FindAllStringSubmatch(page.body, -1) {
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
		token, sign := r.mint()
		_, session := r.openPage(with(r.launch(token, "alice", "A1"), "resultType", resultType))
		form := url.Values{"session": {session}, "code": {"0"}, "liveRate": {"95"}, "sample": {"1"}}
		assert.Equal(t, map[string]any{
			"direct": direct, "passed": true,
			"callback": "https://shop.example/done?code=0&orderNo=A1&liveRate=95&&newSignature=" + livetest.Sign(r.AppID(), "A1", sign, "0") +
				"&signature=" + livetest.Sign(r.AppID(), "A1", sign),
		}, r.told(http.StatusOK, form))
		assert.Equal(t, map[string]any{"reason": "the session is over"}, r.told(http.StatusForbidden, form))
	}
}

func TestPage_ReportsOnceAndAPlainBrowserGetsSampleMedia(t *testing.T) {
	t.Parallel()
	r := overHTTP(t)
	token, sign := r.mint()
	_, session := r.openPage(r.launch(token, "alice", "A1"))
	for _, c := range []struct {
		status int
		form   url.Values
	}{
		{403, url.Values{"session": {"guess"}, "code": {"0"}}},
		{403, url.Values{"session": {session}}},
		{200, url.Values{"session": {session}, "code": {"0"}, "sample": {"1"}}},
		{403, url.Values{"session": {session}, "code": {"1"}}},
	} {
		assert.Equal(t, c.status, r.report("", c.form).status, c.form)
	}
	got := r.result(sign, "A1")
	assert.Equal(t, "0", got["code"])
	assert.Equal(t, livetest.SamplePhoto(), decode(t, got["photo"]))
	assert.Equal(t, livetest.SampleVideo(), decode(t, got["video"]))
}

func TestPage_ATypedCodeReplacesTheChosenOne(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	token, sign := r.mint()
	_, session := r.openPage(r.launch(token, "alice", "A1"))
	answer := r.told(http.StatusOK, url.Values{"session": {session}, "code": {"0"}, "other": {"-7"}, "sample": {"1"}})
	assert.Equal(t, false, answer["passed"])
	got := r.result(sign, "A1")
	assert.Equal(t, "-7", got["code"])
	assert.NotContains(t, got, "photo", "samples are for a person who passes")
}

func TestPage_ARefusedLinkSaysWhyToTheDeveloper(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	page := r.get(r.link(url.Values{"orderNo": {"<b>"}}))
	assert.Equal(t, http.StatusForbidden, page.status)
	assert.Contains(t, page.body, "签名不合法")
	assert.Contains(t, page.body, `id="reason"`)
	assert.NotContains(t, page.body, "<b>")
}
