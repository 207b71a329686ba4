package checks_test

// A check from start to end, on the fake platform.

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/livetest"
)

// TestRun_DecidesWhatCameBack plays one person who passes.
func TestRun_DecidesWhatCameBack(t *testing.T) {
	t.Parallel()
	p := livetest.NewServer(t)
	c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithBaseURLs(p.APIURL, p.H5URL))
	require.NoError(t, err)
	concluded := make(chan checks.Check, 1)
	s, err := checks.New(c, checks.NewMemoryStore(), checks.Config{
		CallbackURL: func(orderNo string) string { return "https://shop.example/liveness/" + orderNo + "/done" },
		OnConcluded: func(_ context.Context, c checks.Check) error {
			concluded <- c
			return nil
		},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	launch, err := s.Start(ctx, checks.StartRequest{UserID: "ann", Session: "secret-of-ann"})
	require.NoError(t, err)
	_, err = s.Start(ctx, checks.StartRequest{UserID: "ann", Session: "another"})
	require.ErrorIs(t, err, checks.ErrUnderWay)
	back, err := p.Visit(ctx, launch.URL, livetest.Passing())
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)

	_, err = s.Return(ctx, launch.OrderNo, "another", u.Query())
	require.ErrorIs(t, err, checks.ErrNotFound)
	check, err := s.Return(ctx, launch.OrderNo, "secret-of-ann", u.Query())
	require.NoError(t, err)
	assert.False(t, check.State == checks.Launched)

	select {
	case c := <-concluded:
		assert.Equal(t, checks.Passed, c.State)
		assert.Equal(t, "ann", c.UserID)
		assert.NotContains(t, c.Session, "secret")
	case <-time.After(20 * time.Second):
		require.Fail(t, "OnConcluded was not called")
	}
	check, err = s.Check(ctx, launch.OrderNo, "secret-of-ann")
	require.NoError(t, err)
	assert.Equal(t, checks.Passed, check.State)
	stop()
	require.NoError(t, <-ended)
}
