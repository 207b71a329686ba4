//go:build unix

package redisstore_test

// The SDK on a real Redis: several processes, a killed one, a rotation by another machine, an outage.

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

const fleetLease = 2 * time.Second

// fleetStore is the store of a client in a process of its own; addr is that of the Redis server.
func fleetStore(addr string) (webanklive.CredentialStore, error) {
	return redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithLease(fleetLease)), nil
}

func TestTwentyClientsInFourProcessesMintOnce(t *testing.T) {
	t.Parallel()
	fleettest.Clients(t, startServer(t).Addr(), 4, 5)
}

func TestWhenTheMintingProcessIsKilledAnotherMintsWithinTheLease(t *testing.T) {
	t.Parallel()
	fleettest.KilledMint(t, startServer(t).Addr(), fleetLease+3*time.Second)
}

func newFleetClient(t *testing.T, srv *livetest.Server, rdb *redis.Client) *webanklive.Client {
	t.Helper()
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL),
		webanklive.WithCredentialStore(redisstore.New(rdb, redisstore.WithLease(fleetLease))))
	require.NoError(t, err)
	return c
}

func launch(t *testing.T, c *webanklive.Client, order string) error {
	t.Helper()
	_, err := c.BuildLiveLoginURL(t.Context(), webanklive.LiveLoginRequest{
		OrderNo: order, UserID: order, CallbackURL: "https://shop.example/done",
	})
	return err
}

func TestRotationByAnotherMachineFailsNoCall(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	srv := livetest.NewServer(t)
	here, there := newFleetClient(t, srv, rdb), newFleetClient(t, srv, rdb)
	require.NoError(t, launch(t, here, "a1"))
	require.NoError(t, launch(t, there, "b1"))
	for _, step := range []struct{ order, then string }{{"2", "busy"}, {"3", "woken after an hour"}} {
		srv.Advance(10 * time.Minute) // a credential younger than a minute cannot have been refused
		srv.Revoke()
		require.NoError(t, launch(t, there, "b"+step.order))
		if step.then != "busy" {
			srv.Advance(time.Hour)
			require.NoError(t, launch(t, there, "c"+step.order))
		}
		require.NoError(t, launch(t, here, "a"+step.order), step.then)
	}
}

func TestRedisOutage(t *testing.T) {
	t.Parallel()
	redisServer := startServer(t)
	srv := livetest.NewServer(t)
	c := newFleetClient(t, srv, redisServer.client())
	require.NoError(t, launch(t, c, "a1"))

	redisServer.Kill()
	srv.Advance(30 * time.Minute)
	require.NoError(t, launch(t, c, "a2"))
	require.NoError(t, launch(t, c, "a3"), "the refresh that is due cannot be made; the old credential lives")
	srv.Advance(31 * time.Minute)
	require.NoError(t, launch(t, c, "a4"), "the reply to this launch tells that the credential is past its limit")
	err := launch(t, c, "a5")
	require.ErrorIs(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "credential store")
	assert.Len(t, srv.Mints(), 1, "no mint without the lock")

	redisServer.Start()
	require.Eventually(t, func() bool { return launch(t, c, "a6") == nil }, 20*time.Second, 100*time.Millisecond)
	assert.Len(t, srv.Mints(), 2)
}
