package webanklive_test

// What instrumentation gets of a transport that fails.

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
)

func TestWithInstrumentation_SeesNoQueryInATransportsError(t *testing.T) {
	t.Parallel()
	const secret = "MARKERsecret"
	sent, seen := "", error(nil)
	c, err := webanklive.NewClient("TIDA0001", secret, webanklive.WithMaxRetries(0),
		clienttest.WithTransport(clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			sent = req.URL.RawQuery
			return nil, errors.New("cannot ask for " + req.URL.String())
		})),
		webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
			return clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				seen = err
				return res, err
			})
		}))
	require.NoError(t, err)
	_, err = c.Credential(t.Context())
	require.ErrorIs(t, err, webanklive.ErrUnavailable)
	require.Contains(t, sent, secret, "the marker was sent")
	require.ErrorContains(t, seen, "cannot ask for")
	assert.NotContains(t, seen.Error(), secret)
	assert.NotContains(t, seen.Error(), "secret=")
}
