//go:build go1.25

package webanklive_test

// Several app IDs, and a secret that is replaced without a restart, as docs/observability.md shows it.

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// Clients has a client for each app ID.
type Clients map[string]*atomic.Pointer[webanklive.Client]

// Replace proves the new secret, and only then puts the client with it into the place of the old one.
func (c Clients) Replace(ctx context.Context, appID, secret string, opts ...webanklive.Option) error {
	place, ok := c[appID]
	if !ok {
		return fmt.Errorf("app ID %s is not configured", appID)
	}
	fresh, err := webanklive.NewClient(appID, secret, opts...)
	if err != nil {
		return err
	}
	if err := fresh.Refresh(ctx); err != nil {
		return err // the old one goes on
	}
	place.Store(fresh)
	return nil
}

// For returns the client of an app ID, nil if there is none.
func (c Clients) For(appID string) *webanklive.Client {
	if place, ok := c[appID]; ok {
		return place.Load()
	}
	return nil
}

func TestClients_ASecretIsReplacedWithoutARestartOnceItIsProved(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	store := webanklive.WithCredentialStore(webanklive.NewMemoryStore())
	options := []webanklive.Option{webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: p.Transport()}), store, webanklive.WithMaxRetries(0)}
	clients := Clients{p.AppID(): {}}
	require.NoError(t, clients.Replace(t.Context(), p.AppID(), p.Secret(), options...))
	old := clients.For(p.AppID())
	require.NotNil(t, old)
	require.Error(t, clients.Replace(t.Context(), p.AppID(), "a-wrong-secret", options...))
	assert.Same(t, old, clients.For(p.AppID()), "the old one goes on")
	require.Error(t, clients.Replace(t.Context(), "unknown", p.Secret(), options...))
	assert.Nil(t, clients.For("unknown"))

	guide, err := os.ReadFile("docs/observability.md")
	require.NoError(t, err)
	here, err := os.ReadFile("example_rotate_test.go")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(guide), "// Clients has a client")
	code, _, _ = strings.Cut(code, "```")
	assert.Contains(t, string(here), "// Clients has a client"+code, "the guide's code is the one that is tested")
}
