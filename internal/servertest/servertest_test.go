//go:build unix

package servertest_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

// Redis is the server that starts in no time; the tests of sqlchecks and of examples/production run the databases.
func TestServer_StartsAgainAfterAKill(t *testing.T) {
	t.Parallel()
	s := servertest.Redis(t)
	s.Kill()
	_, err := net.Dial("tcp", s.Addr())
	require.Error(t, err)
	s.Start()
	conn, err := net.Dial("tcp", s.Addr())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
