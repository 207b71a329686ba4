package webanklive

// In this package, because what a call of a transport that panicked ends with has no exported name.

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

type panicTransport struct{}

func (panicTransport) RoundTrip(*http.Request) (*http.Response, error) { panic("x") }

func TestTransport_ThatPanicsEndsOneCall(t *testing.T) {
	t.Parallel()
	c, err := NewClient("app", "secret", WithMaxRetries(0), WithHTTPClient(&http.Client{Transport: panicTransport{}}))
	require.NoError(t, err)
	_, err = c.Credential(t.Context())
	require.ErrorIs(t, err, errPanicked)
	require.NotErrorIs(t, err, context.Canceled)
}
