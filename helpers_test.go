package webanklive_test

// What the tests share: a platform, clients for it, and small checks.

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// newClient returns a client for the platform behind srv.
func newClient(t *testing.T, srv *livetest.Server, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(),
		append([]webanklive.Option{webanklive.WithBaseURLs(srv.APIURL, srv.H5URL)}, opts...)...)
	require.NoError(t, err)
	return c
}

// newMemoryClient returns a client for p that needs no socket, which a synctest bubble cannot wait for.
func newMemoryClient(t *testing.T, p *livetest.Platform, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(p.AppID(), p.Secret(), append([]webanklive.Option{
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: p.Transport()}),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// sixtyFour is Base64 of 64 bytes, the least that is taken for a photo or video.
const sixtyFour = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODktLg=="

func launch(order, user string) webanklive.LiveLoginRequest {
	return webanklive.LiveLoginRequest{
		OrderNo: order, UserID: user, CallbackURL: "https://shop.example/liveness/done", SkipResultPage: true,
	}
}

// complete launches order and lets person go through the check. It returns the query of the callback.
func complete(t *testing.T, p *livetest.Platform, c *webanklive.Client, order string, person livetest.Person) url.Values {
	t.Helper()
	link, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"+order))
	require.NoError(t, err)
	back, err := p.Visit(t.Context(), link, person)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	return u.Query()
}

// TestMain looks a name up before any synctest bubble exists: package net makes a channel at the first look-up, which
// nobody outside the bubble could use.
func TestMain(m *testing.M) {
	_, _ = net.DefaultResolver.LookupHost(context.Background(), "localhost")
	os.Exit(m.Run())
}
