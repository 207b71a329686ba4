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

// The service hands the credential to those who know its key: to nobody else, and the partner's secret to nobody.
func TestServiceTellsOnlyThoseWhoKnowItsKey(t *testing.T) {
	t.Parallel()
	const marker, key = "SECRETMARKER", "KEYMARKER-of-the-service"
	srv := livetest.NewServer(t)
	srv.SetMarker(marker)
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	service := newService(c, key)
	ask := func(method, path, shown, body string) (status int, text string) {
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
	status, answer := ask(http.MethodGet, "/credential", key, "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, answer, marker, "the credential was handed over")
	assert.Contains(t, answer, "Cache-Control: no-store")
	assert.NotContains(t, answer, srv.Secret())
	assert.NotContains(t, answer, key)
	credential, _, _ := strings.Cut(answer, "\n")

	refused, err := c.Credential(t.Context())
	require.NoError(t, err)
	c.Invalidate(t.Context(), refused)
	srv.Fail(livetest.AccessToken, livetest.Fault{Status: http.StatusBadGateway}, -1)
	for name, tc := range map[string]struct {
		method, path, key, body string
		status                  int
	}{
		"no key":            {http.MethodGet, "/credential", "", "", http.StatusUnauthorized},
		"half the key":      {http.MethodGet, "/credential", key[:12], "", http.StatusUnauthorized},
		"a foreign refusal": {http.MethodPost, "/credential/refused", "", credential, http.StatusUnauthorized},
		"half a credential": {http.MethodPost, "/credential/refused", key, credential[:len(credential)/2], http.StatusBadRequest},
		"cannot be minted":  {http.MethodGet, "/credential?" + marker, key, "", http.StatusServiceUnavailable},
		"refused":           {http.MethodPost, "/credential/refused", key, credential, http.StatusNoContent},
	} {
		status, text := ask(tc.method, tc.path, tc.key, tc.body)
		assert.Equal(t, tc.status, status, name)
		assert.NotContains(t, text, "MARKER", name)
	}

	// The other side's errors are a replica's log lines.
	server := httptest.NewServer(service)
	defer server.Close()
	for _, source := range []*remoteSource{
		{server.URL, key, http.DefaultClient}, {server.URL, key + "\n", http.DefaultClient}, {"http://127.0.0.1:1", key, http.DefaultClient},
	} {
		_, err := source.Credential(t.Context())
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "MARKER")
	}
}
