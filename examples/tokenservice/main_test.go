package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestReplicasShareWhatTheServiceMinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, `replica 1 launched order A0; access tokens minted so far: 1
replica 2 launched order A1; access tokens minted so far: 1
replica 3 launched order A2; access tokens minted so far: 1
a process that nobody knows of mints for itself; a minute later the old token is dead
replica 1 launched order B0; access tokens minted so far: 2
replica 2 launched order B1; access tokens minted so far: 2
replica 3 launched order B2; access tokens minted so far: 2
`, out.String())
}

func TestServiceAsksForItsKey(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL))
	require.NoError(t, err)
	for _, key := range []string{"right", ""} {
		service := httptest.NewServer(newService(c, key))
		defer service.Close()
		for _, shown := range []string{"", "wrong", "righ", "rightt"} {
			_, err := (&remoteSource{service.URL, shown, http.DefaultClient}).Credential(t.Context())
			require.ErrorContains(t, err, "HTTP 401", "key %q, shown %q", key, shown)
		}
	}
	assert.Empty(t, srv.Mints())
}

func TestServiceRefusesWhatIsNoCredential(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL))
	require.NoError(t, err)
	service := httptest.NewServer(newService(c, "key"))
	defer service.Close()
	source := &remoteSource{service.URL, "key", http.DefaultClient}
	_, err = source.do(t.Context(), http.MethodPost, "/credential/refused", []byte(strings.Repeat("x", 20<<10)))
	require.ErrorContains(t, err, "HTTP 400")

	// A service that is down is the replicas' error, and names the source.
	service.Close()
	replica, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithCredentialSource(source))
	require.NoError(t, err)
	_, err = replica.Credential(t.Context())
	require.ErrorIs(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "credential source")
	assert.NotContains(t, err.Error(), "key")
}
