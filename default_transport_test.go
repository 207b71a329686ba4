//go:build go1.25

package webanklive

// The proxy of the environment.

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The environment's proxy is read once in the life of a process, so each case runs in one of its own.
func TestDefaultTransport_AMalformedProxyIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	proxies := []string{
		"http://user:pass50%off@proxy.example:3128", // no URL at all
		"http://user:pass word@proxy.example:3128",  // which package http takes for the host http
		"user:pass word@proxy.example:3128",         // and this for no host
	}
	if !slices.Contains(proxies, os.Getenv("HTTPS_PROXY")) {
		for _, proxy := range proxies {
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this very test
			again.Env = append(os.Environ(), "HTTPS_PROXY="+proxy, "https_proxy=", "NO_PROXY=", "no_proxy=")
			out, err := again.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: "+t.Name(), "it ran")
		}
		return
	}
	c, err := NewClient("app", "secret", WithMaxRetries(0))
	require.NoError(t, err)
	err = ask(t.Context(), c)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "the proxy in HTTPS_PROXY or HTTP_PROXY is not a URL")
	assert.NotContains(t, err.Error(), "pass")
	assert.NotContains(t, err.Error(), "user")
}
