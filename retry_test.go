//go:build go1.25

package webanklive_test

// What is sent again, how often and when not.

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestWithMaxRetries_TenAreTheMost(t *testing.T) {
	t.Parallel()
	_, err := webanklive.NewClient("app", "secret", webanklive.WithMaxRetries(10))
	require.NoError(t, err)
	_, err = webanklive.NewClient("app", "secret", webanklive.WithMaxRetries(11))
	assert.ErrorIs(t, err, webanklive.ErrInvalidRequest)
}

func TestRetry_IsLoggedWithoutThePlatformsText(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	var log bytes.Buffer
	c := clienttest.NewClient(t, srv, webanklive.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	srv.Fail(livetest.LiveResult, livetest.Fault{Code: "999995", Replace: func(b []byte) []byte {
		return []byte(`{"code":"999995","msg":"busy with order42 of user42"}`)
	}}, -1)
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorContains(t, err, "busy with order42")
	assert.Contains(t, log.String(), "repeating a call")
	assert.Contains(t, log.String(), "999995")
	assert.NotContains(t, log.String(), "order42")
}

func TestWithMaxRetries_OfZeroRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0))
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Equal(t, 1, p.Calls(livetest.LiveResult))
	})
}

func TestRetry_SucceedsAfterOneBadReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		for _, e := range []livetest.Endpoint{livetest.AccessToken, livetest.SignTicket, livetest.NonceTicket, livetest.LiveResult} {
			p.Fail(e, livetest.Fault{Status: 502}, 1)
		}
		clienttest.Complete(t, p, c, clienttest.Order, livetest.Passing())
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		assert.Len(t, p.Mints(), 1)
	})
}

func TestRetry_ThatTheContextLeavesNoTimeForIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := clienttest.NewMemoryClient(t, p)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.NoError(t, ctx.Err())
	})
}
