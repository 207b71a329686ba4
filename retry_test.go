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

func TestRetry_IsLoggedWithItsSerialNumberAndWithoutThePlatformsText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, p := clienttest.NewInMemory(t, webanklive.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"999995","msg":"busy with order42 of user42","bizSeqNo":"B4711"}`}, -1)
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.ErrorContains(t, err, "busy with order42")
		for _, said := range []string{"repeating a call", "999995", "biz_seq_no=B4711"} {
			assert.Contains(t, log.String(), said)
		}
		assert.NotContains(t, log.String(), "order42")
	})
}

func TestWithMaxRetries_OfZeroRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t, webanklive.WithMaxRetries(0))
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Equal(t, 1, p.Calls(livetest.LiveResult))
	})
}

func TestRetry_SucceedsAfterOneBadReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
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
		c, p := clienttest.NewInMemory(t)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		clienttest.Credential(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		_, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.NoError(t, ctx.Err())
	})
}
