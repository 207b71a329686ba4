package miniprogram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

const marker = "SECRETMARKER"

// The page gets what wx.navigateToMiniProgram needs, and nothing that is secret; the log gets neither.
func TestNothingSecretIsServedOrLogged(t *testing.T) {
	t.Parallel()
	p := newPartner(t)
	p.platform.SetMarker(marker)
	c, err := webanklive.NewClient(p.platform.AppID(), p.platform.Secret(),
		webanklive.WithBaseURLs(p.platform.APIURL, p.platform.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	p.Client = c

	var replies []*httptest.ResponseRecorder
	visit := func(person livetest.Person) {
		p.session.UserID = fmt.Sprint("openid-", len(replies)) // the platform grants one launch in two seconds to each
		w := httptest.NewRecorder()
		p.Start(w, httptest.NewRequest(http.MethodPost, "/liveness/start", nil))
		replies = append(replies, w)
		if w.Code != http.StatusOK {
			return
		}
		var l launch
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &l))
		assert.Equal(t, []string{"mode", "nonce", "orderNo", "resultType", "sign", "userId", "version", "webankAppId"},
			slices.Sorted(maps.Keys(l.ExtraData)), "what the protocol wants, and no more")
		came := p.visit(l, person)
		for _, code := range []string{"7", came["code"]} {
			came["code"] = code
			body, err := json.Marshal(came)
			require.NoError(t, err)
			w := httptest.NewRecorder()
			p.Done(w, httptest.NewRequest(http.MethodPost, "/liveness/done", bytes.NewReader(body)))
			replies = append(replies, w)
			assert.NotContains(t, w.Body.String(), "newSignature")
		}
		assert.NotContains(t, p.log.String(), l.ExtraData["sign"])
		if signature := came["newSignature"]; signature != "" {
			assert.NotContains(t, p.log.String(), signature)
		}
	}
	for _, person := range []livetest.Person{livetest.Passing(), livetest.Failing("-5016"), livetest.WithoutRecorder()} {
		visit(person)
	}
	for _, broken := range []livetest.Endpoint{livetest.LiveResult, livetest.NonceTicket, livetest.AccessToken} {
		p.platform.Revoke()
		p.platform.Fail(broken, livetest.Fault{Status: http.StatusBadGateway}, -1)
		visit(livetest.Passing())
	}
	require.Equal(t, http.StatusServiceUnavailable, replies[len(replies)-1].Code)
	require.Contains(t, p.log.String(), "HTTP 502", "failures are logged")

	for i, w := range replies {
		text := w.Body.String()
		for name, values := range w.Header() {
			text += "\n" + name + ": " + values[0]
		}
		assert.NotContains(t, text, marker, "reply %d", i)
	}
	assert.NotContains(t, p.log.String(), marker)
	sent := p.platform.Requests(livetest.AccessToken)
	require.Contains(t, sent[0].Query.Get("secret"), marker, "the marker was sent")
}
