//go:build go1.25

package webanklive_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// leave starts a launch for user and leaves after d, before its ticket arrives.
func leave(t *testing.T, c *webanklive.Client, user string, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	_, err := c.BuildLiveLoginURL(ctx, launch("left"+user, user))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestTicketWhoseCallerLeftIsGivenToTheUsersNextLaunchOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pause time.Duration // between leaving and the next launch
		calls int           // NONCE requests in the end
	}{
		"while it is under way":                 {500 * time.Millisecond, 1},
		"after it arrived":                      {10 * time.Second, 1},
		"within 100 s of the request":           {98900 * time.Millisecond, 1},
		"too late, 100 s after the request":     {99 * time.Second, 2},
		"too late, the ticket has long expired": {10 * time.Minute, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				c := newMemoryClient(t, p)
				_, err := c.Credential(t.Context())
				require.NoError(t, err)
				p.Fail(livetest.NonceTicket, livetest.Fault{Delay: 3 * time.Second}, 1)
				leave(t, c, "user", time.Second)
				time.Sleep(tc.pause)

				link, err := c.BuildLiveLoginURL(t.Context(), launch("next1", "user"))
				require.NoError(t, err)
				_, err = p.Visit(t.Context(), link, livetest.Passing())
				require.NoError(t, err)
				assert.Equal(t, tc.calls, p.Calls(livetest.NonceTicket))

				time.Sleep(2 * time.Second)
				link, err = c.BuildLiveLoginURL(t.Context(), launch("next2", "user"))
				require.NoError(t, err)
				_, err = p.Visit(t.Context(), link, livetest.Passing())
				require.NoError(t, err, "a kept ticket is handed out once")
				assert.Equal(t, tc.calls+1, p.Calls(livetest.NonceTicket))
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestKeptTicketIsForItsUserOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.Fail(livetest.NonceTicket, livetest.Fault{Delay: 3 * time.Second}, 1)
		leave(t, c, "user", time.Second)
		link, err := c.BuildLiveLoginURL(t.Context(), launch("other", "another"))
		require.NoError(t, err)
		_, err = p.Visit(t.Context(), link, livetest.Passing())
		require.NoError(t, err)
		assert.Equal(t, 2, p.Calls(livetest.NonceTicket))
		time.Sleep(time.Minute)
	})
}

func TestKeptTicketIsNotUsedAfterItsTokenWasReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.Fail(livetest.NonceTicket, livetest.Fault{Delay: 3 * time.Second}, 1)
		leave(t, c, "user", time.Second)
		time.Sleep(4 * time.Second)
		p.Revoke()
		_, err := c.BuildLiveLoginURL(t.Context(), launch("other", "another"))
		require.NoError(t, err)
		link, err := c.BuildLiveLoginURL(t.Context(), launch("next", "user"))
		require.NoError(t, err)
		_, err = p.Visit(t.Context(), link, livetest.Passing())
		require.NoError(t, err)
		time.Sleep(time.Minute)
	})
}

func TestRequestOfACallerWhoLeftEndsSoonOnAHungPlatform(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.NonceTicket, livetest.Fault{Hang: true}, 1)
		began := time.Now()
		leave(t, c, "user", time.Second)
		time.Sleep(5*time.Second + time.Millisecond)
		link, err := c.BuildLiveLoginURL(t.Context(), launch("next", "user"))
		require.NoError(t, err)
		require.NotEmpty(t, link)
		assert.Equal(t, 2, p.Calls(livetest.NonceTicket), "the abandoned request was not waited for")
		assert.Equal(t, 6*time.Second+time.Millisecond, time.Since(began))
	})
}

func TestRequestThatIsOfNoUseAnyMoreIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.NonceTicket, livetest.Fault{Hang: true}, 1)
		leave(t, c, "user", time.Second)
		p.Revoke()
		for _, user := range []string{"another", "user"} { // the first replaces the credential
			_, err = c.BuildLiveLoginURL(t.Context(), launch("next"+user, user))
			require.NoError(t, err)
		}
		calls := p.Calls(livetest.NonceTicket)
		time.Sleep(time.Minute)
		assert.Equal(t, calls, p.Calls(livetest.NonceTicket), "nobody waits for it, so it is not repeated")
	})
}

func TestRequestThatIsTakenOverMayFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.NonceTicket, livetest.Fault{Delay: 8 * time.Second}, 1)
		leave(t, c, "user", time.Second)
		time.Sleep(4 * time.Second)
		_, err = c.BuildLiveLoginURL(t.Context(), launch("next", "user"))
		require.NoError(t, err)
		assert.Equal(t, 1, p.Calls(livetest.NonceTicket))
	})
}

func TestAgeOfATicketRunsFromTheRequestThatBroughtIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.NonceTicket, livetest.Fault{Delay: time.Second, Code: "400504"}, 1)
		leave(t, c, "user", 2*time.Second) // the ticket comes after 3 s
		time.Sleep(100 * time.Second)      // 102 s after the first request, 99 s after the second
		_, err = c.BuildLiveLoginURL(t.Context(), launch("next", "user"))
		require.NoError(t, err)
		assert.Equal(t, 2, p.Calls(livetest.NonceTicket))
	})
}

func TestConcurrentLaunchesOfOneUserNeverShareATicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		var wg sync.WaitGroup
		links := make([]string, 2)
		for i := range links {
			wg.Go(func() {
				var err error
				links[i], err = c.BuildLiveLoginURL(t.Context(), launch(fmt.Sprint("double", i), "user"))
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

func TestTooSoonIsWaitedOutOnceWhateverTheRetries(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{0, 2, 10} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			c := newMemoryClient(t, p, webanklive.WithMaxRetries(retries))
			p.Fail(livetest.NonceTicket, livetest.Fault{Code: "400504"}, -1)
			began := time.Now()
			_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
			requireClass(t, err, webanklive.ErrThrottled)
			assert.Equal(t, 2*time.Second, time.Since(began))
			assert.Equal(t, 2, p.Calls(livetest.NonceTicket))
		})
	}
}
