package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// The source's errors are a replica's log lines.
func TestRemoteSource_ErrorsNameTheSourceAndNoSecret(t *testing.T) {
	t.Parallel()
	srv, c := newPartner(t)
	srv.Fail(livetest.AccessToken, livetest.Fault{Status: http.StatusBadGateway}, -1)
	service := httptest.NewServer(newService(c, serviceKey))
	defer service.Close()
	for want, source := range map[string]*remoteSource{
		"HTTP 503":    {service.URL, serviceKey, http.DefaultClient}, // it cannot mint
		"HTTP 401":    {service.URL, serviceKey + "MARKER", http.DefaultClient},
		"":            {service.URL, serviceKey + "\n", http.DefaultClient}, // cannot be sent
		"127.0.0.1:1": {"http://127.0.0.1:1", serviceKey, http.DefaultClient},
	} {
		replica, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithCredentialSource(source))
		require.NoError(t, err)
		_, err = replica.Credential(t.Context())
		require.ErrorIs(t, err, webanklive.ErrUnavailable)
		require.ErrorContains(t, err, "credential source")
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "MARKER")
	}
}
