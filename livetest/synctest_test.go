//go:build go1.25

package livetest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestPlatform_ClockDelayAndHangFollowABubblesTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inMemory(t)
		old := r.token()
		r.token()
		time.Sleep(59 * time.Second)
		assert.Equal(t, "0", r.code(ticketPath, r.ticketQuery(old, "SIGN", "")))
		time.Sleep(time.Second)
		assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery(old, "SIGN", "")))

		start := time.Now()
		r.Fail(livetest.AccessToken, livetest.Fault{Delay: time.Hour}, 1)
		r.token()
		assert.Equal(t, time.Hour, time.Since(start))

		for _, bytes := range []int{0, 10} {
			r.Fail(livetest.AccessToken, livetest.Fault{Hang: true, Bytes: bytes}, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			start = time.Now()
			got := r.do(ctx, http.MethodGet, r.tokenURL())
			cancel()
			require.ErrorIs(t, got.err, context.DeadlineExceeded)
			assert.Len(t, got.body, bytes)
			assert.Equal(t, time.Minute, time.Since(start))
		}
		back, err := r.Visit(t.Context(), r.link(r.launch(r.token(), "alice", "A1")), livetest.Passing())
		require.NoError(t, err)
		assert.Contains(t, back, "code=0")
	})
}
