//go:build unix

package servertest_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
)

func TestServers_StartStopAndStartAgain(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the tests that use a server show the same")
	}
	for name, start := range map[string]func(*testing.T) *servertest.Server{
		"redis":      func(t *testing.T) *servertest.Server { return servertest.Redis(t) },
		"postgresql": servertest.PostgreSQL,
		"mariadb":    servertest.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.Kill()
			_, err := net.Dial("tcp", s.Addr())
			require.Error(t, err)
			s.Start()
			conn, err := net.Dial("tcp", s.Addr())
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		})
	}
}
