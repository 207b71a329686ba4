//go:build go1.25

package webanklive_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestBuildLiveLoginURL_OfACallerWhoLeftEndsAndTheUsersNextOneWaitsTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		latency, underWay := time.Duration(0), 0
		slowReplies := clienttest.RoundTrip(func(req *http.Request) (*http.Response, error) {
			underWay++
			defer func() { underWay-- }()
			res, err := p.Transport().RoundTrip(req)
			select {
			case <-time.After(latency):
				return res, err
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		})
		c := clienttest.NewMemoryClient(t, p, clienttest.WithTransport(slowReplies))
		clienttest.Credential(t, c)
		latency = 3 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.BuildLiveLoginURL(ctx, clienttest.Launch("left", "user"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		assert.Zero(t, underWay, "nothing goes on without a caller")

		latency = 0
		began := time.Now()
		link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("next", "user"))
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
		_, err = p.Visit(t.Context(), link, livetest.Passing())
		require.NoError(t, err)
	})
}

func TestBuildLiveLoginURL_ConcurrentOnesOfOneUserNeverShareATicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := clienttest.NewInMemory(t)
		var wg sync.WaitGroup
		links := make([]string, 2)
		for i := range links {
			wg.Go(func() {
				var err error
				links[i], err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("double", i), "user"))
				assert.NoError(t, err)
			})
		}
		began := time.Now()
		wg.Wait()
		assert.Equal(t, 2*time.Second, time.Since(began), "400504 is waited out")
		for _, link := range links {
			_, err := p.Visit(t.Context(), link, livetest.Passing())
			require.NoError(t, err)
		}
	})
}

func TestBuildLiveLoginURL_TooSoonIsWaitedOutOnceWhateverTheRetries(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{0, 2, 10} {
		synctest.Test(t, func(t *testing.T) {
			c, p := clienttest.NewInMemory(t, webanklive.WithMaxRetries(retries))
			p.Fail(livetest.NonceTicket, livetest.Fault{Code: "400504"}, -1)
			began := time.Now()
			_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
			clienttest.RequireClass(t, err, webanklive.ErrThrottled)
			assert.Equal(t, 2*time.Second, time.Since(began))
			assert.Equal(t, 2, p.Calls(livetest.NonceTicket))
		})
	}
}
