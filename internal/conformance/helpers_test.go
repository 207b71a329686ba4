package conformance_test

// What the suites share: a platform in memory that knows one result, ways to spoil what it says, the calls that most
// tests make, and what a text must not hold.

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// newPlatform returns a platform on which the person of clienttest.Order passed.
func newPlatform() *livetest.Platform {
	p := livetest.New()
	p.AddResult(clienttest.Order, livetest.Passing())
	return p
}

// newWarm returns a client for p that holds a credential.
func newWarm(t *testing.T, p *livetest.Platform, opts ...webanklive.Option) *webanklive.Client {
	t.Helper()
	c := clienttest.NewMemoryClient(t, p, opts...)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	return c
}

// over sends a client's requests through transport.
func over(transport clienttest.RoundTrip) webanklive.Option {
	return clienttest.WithTransport(transport)
}

// answering lets answer reply to the requests at one endpoint, and p to the others.
func answering(p *livetest.Platform, at livetest.Endpoint, answer clienttest.RoundTrip) webanklive.Option {
	return over(func(req *http.Request) (*http.Response, error) {
		if endpointOf(req.URL.Query()) == at {
			return answer(req)
		}
		return p.Transport().RoundTrip(req)
	})
}

// endpointOf tells by its query where a request goes.
func endpointOf(query url.Values) livetest.Endpoint {
	switch {
	case query.Has("secret"):
		return livetest.AccessToken
	case query.Has("order_no"):
		return livetest.LiveResult
	case query.Get("type") == "NONCE":
		return livetest.NonceTicket
	}
	return livetest.SignTicket
}

// unsized is a reply that does not say how long it is.
func unsized(req *http.Request, status int, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(body), Request: req}
}

// logging makes a client write every line that it can into log, as JSON.
func logging(log io.Writer) webanklive.Option {
	return webanklive.WithLogger(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug - 10})))
}

// askResult asks for the result of clienttest.Order, without media.
func askResult(ctx context.Context, c *webanklive.Client) error {
	_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	return err
}

// launch launches an order of the user with number n.
func launch(ctx context.Context, c *webanklive.Client, n int) error {
	_, err := c.BuildLiveLoginURL(ctx, clienttest.Launch(fmt.Sprint("launch", n), fmt.Sprint("user", n)))
	return err
}

// forged is a callback of clienttest.Order that nobody signed.
func forged() url.Values {
	return url.Values{"code": {"0"}, "orderNo": {clienttest.Order}, "newSignature": {strings.Repeat("A", 40)}}
}

// assertPrintable looks for what could tear a log line apart or change how it looks.
func assertPrintable(t *testing.T, text string) {
	t.Helper()
	for _, bad := range []string{"\n", "\r", "\x00", "\x1b", "\u009b", "\u202e", "\u2066", "\u2028", "\u200b", "\ufeff"} {
		assert.NotContains(t, text, bad)
	}
}

// assertNoSecret looks for the marker, half of it, a query, and the signatures, which have no marker.
func assertNoSecret(t *testing.T, p *livetest.Platform, text string) {
	t.Helper()
	secrets := []string{clienttest.Marker, clienttest.Marker[:4], "?app_id"}
	for _, r := range p.Requests(livetest.LiveResult) {
		secrets = append(secrets, r.Query.Get("sign"))
	}
	for _, secret := range secrets {
		if before, _, found := strings.Cut(text, secret); found {
			assert.Fail(t, "a secret is printed", "%q after …%s", secret, before[max(0, len(before)-200):])
		}
	}
}
