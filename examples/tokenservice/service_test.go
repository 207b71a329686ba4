package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

const marker, serviceKey = "SECRETMARKER", "KEYMARKER-of-the-service"

// newPartner is a fake platform and the one client that mints there.
func newPartner(t *testing.T) (*livetest.Server, *webanklive.Client) {
	t.Helper()
	srv := livetest.NewServer(t)
	srv.SetMarker(marker)
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	return srv, c
}

// The service hands the credential to callers that know its key, and the secret of the partner to no caller.
func TestNewService_TellsOnlyThoseWhoKnowItsKey(t *testing.T) {
	t.Parallel()
	srv, c := newPartner(t)
	ask := func(service http.Handler, method, path, shown, body string) (status int, text string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+shown)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		text = w.Body.String()
		for name, values := range w.Header() {
			text += "\n" + name + ": " + values[0]
		}
		return w.Code, text
	}
	for key, shown := range map[string][]string{serviceKey: {"", "wrong", serviceKey[:12], serviceKey + "x"}, "": {"", "wrong"}} {
		for _, shown := range shown {
			status, _ := ask(newService(c, key), http.MethodGet, "/credential", shown, "")
			require.Equal(t, http.StatusUnauthorized, status, "key %q, shown %q", key, shown)
		}
	}
	assert.Empty(t, srv.Mints())

	service := newService(c, serviceKey)
	status, answer := ask(service, http.MethodGet, "/credential", serviceKey, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, marker, "the credential was handed over")
	assert.Contains(t, answer, "Cache-Control: no-store")
	assert.NotContains(t, answer, srv.Secret())
	assert.NotContains(t, answer, serviceKey)
	credential, _, _ := strings.Cut(answer, "\n")

	refused, err := c.Credential(t.Context())
	require.NoError(t, err)
	c.Invalidate(t.Context(), refused)
	srv.Fail(livetest.AccessToken, livetest.Fault{Status: http.StatusBadGateway}, -1)
	for name, tc := range map[string]struct {
		method, path, key, body string
		status                  int
	}{
		"a foreign refusal": {http.MethodPost, "/credential/refused", "", credential, http.StatusUnauthorized},
		"half a credential": {http.MethodPost, "/credential/refused", serviceKey, credential[:len(credential)/2], http.StatusBadRequest},
		"more than 16 KB":   {http.MethodPost, "/credential/refused", serviceKey, strings.Repeat(" ", 16<<10) + credential, http.StatusBadRequest},
		"cannot be minted":  {http.MethodGet, "/credential?" + marker, serviceKey, "", http.StatusServiceUnavailable},
		"refused":           {http.MethodPost, "/credential/refused", serviceKey, credential, http.StatusNoContent},
	} {
		status, text := ask(service, tc.method, tc.path, tc.key, tc.body)
		assert.Equal(t, tc.status, status, name)
		assert.NotContains(t, text, "MARKER", name)
	}
}
