//go:build go1.25

package webanklive_test

// Bad days: a platform that hangs, breaks off, redirects or talks nonsense. All of it runs on synctest's clock, which
// also fails a test that leaves a goroutine behind.

import (
	"bytes"
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

var (
	getToken  = "GET idasc.livetest.invalid/idasc/api/oauth2/access_token"
	getTicket = "GET idasc.livetest.invalid/idasc/api/oauth2/api_ticket"
	getResult = "GET idasc.livetest.invalid/idasc/api/server/getLiveResult"
)

// faults of one reply, and how a call that meets them for ever ends.
var faults = []struct {
	name  string
	fault livetest.Fault
	class error
	text  string
	calls int // requests that one call makes, 3 when it is worth repeating
}{
	{"hang before the header", livetest.Fault{Hang: true}, webanklive.ErrUnavailable, "the platform was silent for 10s", 3},
	{"hang in the body", livetest.Fault{Hang: true, Bytes: 9}, webanklive.ErrUnavailable, "the platform was silent for 10s", 3},
	{"reset before the header", livetest.Fault{Reset: true}, webanklive.ErrUnavailable, "connection reset", 3},
	{"reset in the body", livetest.Fault{Reset: true, Bytes: 9}, webanklive.ErrUnavailable, "connection reset", 3},
	{"truncated", livetest.Fault{Truncate: true, Bytes: 9}, webanklive.ErrUnavailable, "EOF", 3},
	{"redirect", livetest.Fault{Redirect: "https://evil.example/"}, webanklive.ErrUnavailable, "redirects", 1},
	{"permanent redirect", livetest.Fault{Redirect: "https://evil.example/", Status: 308}, webanklive.ErrUnavailable, "redirects", 1},
	{"redirect to nonsense", livetest.Fault{Redirect: "http://%zz\x7f"}, webanklive.ErrUnavailable, "redirects", 1},
	{"HTML 502", livetest.Fault{Status: 502}, webanklive.ErrUnavailable, "content type text/html", 3},
	{"HTML 200", livetest.Fault{Body: "<html>maintenance</html>"}, webanklive.ErrUnavailable, "not a JSON object", 3},
	{"HTML 404", livetest.Fault{Status: 404}, webanklive.ErrUnavailable, "not a JSON object", 3},
	{"empty 503", livetest.Fault{Status: 503, Body: " "}, webanklive.ErrUnavailable, "not a JSON object", 3},
	{"empty object", livetest.Fault{Body: "{}"}, webanklive.ErrUnavailable, "no code", 3},
	{"nulls", livetest.Fault{Body: `{"code":null,"access_token":null,"tickets":null,"result":null}`}, webanklive.ErrUnavailable, "no code", 3},
	{"wrong types", livetest.Fault{Body: `{"code":{},"msg":[]}`}, webanklive.ErrUnavailable, "", 3},
	{"throttled", livetest.Fault{Code: "999995"}, webanklive.ErrThrottled, "code 999995", 3},
	{"system maintenance", livetest.Fault{Code: "999996"}, webanklive.ErrUnavailable, "code 999996", 3},
	{"contract expired", livetest.Fault{Code: "66660002"}, webanklive.ErrAccount, "code 66660002", 1},
	{"2 MB where 200 bytes are expected", livetest.Fault{Replace: func([]byte) []byte {
		return bytes.Repeat([]byte(" "), 2<<20)
	}}, webanklive.ErrUnavailable, "", 0},
}

func TestEveryFaultOfEveryEndpointIsAClearErrorAndTheNextCallWorks(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []struct {
		endpoint livetest.Endpoint
		target   string
		mints    bool
	}{
		{livetest.AccessToken, getToken, true},
		{livetest.SignTicket, getTicket, true},
		{livetest.NonceTicket, getTicket, false},
		{livetest.LiveResult, getResult, false},
	} {
		for _, tc := range faults {
			t.Run(fmt.Sprint(endpoint.endpoint, "/", tc.name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := livetest.New()
					c := newMemoryClient(t, p)
					p.AddResult(order, livetest.Passing())
					if !endpoint.mints {
						_, err := c.Credential(t.Context())
						require.NoError(t, err)
					}
					use := func() (err error) {
						if endpoint.endpoint == livetest.LiveResult {
							_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
						} else {
							_, err = c.BuildLiveLoginURL(t.Context(), launch("order43", "user43"))
						}
						return err
					}
					p.Fail(endpoint.endpoint, tc.fault, -1)
					began := time.Now()
					err := use()
					requireClass(t, err, tc.class)
					require.ErrorContains(t, err, tc.text)
					require.ErrorContains(t, err, endpoint.target)
					assert.NotContains(t, err.Error(), "evil")
					assert.Less(t, time.Since(began), 40*time.Second, "every call has a deadline")
					if tc.calls > 0 {
						assert.Equal(t, tc.calls, p.Calls(endpoint.endpoint))
					}

					p.Fail(endpoint.endpoint, livetest.Fault{}, 0)
					time.Sleep(5 * time.Second) // a failed mint is remembered so long, and a user gets one ticket in 2 s
					require.NoError(t, use(), "the next call")
				})
			})
		}
	}
}

func TestHungTokenEndpointReleasesEveryCallerInTimeAndItsMintServesTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.Fail(livetest.AccessToken, livetest.Fault{Delay: 8 * time.Second}, 1)

		began := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				_, err := c.BuildLiveLoginURL(ctx, launch(fmt.Sprint("order", i), fmt.Sprint("user", i)))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, webanklive.ErrUnavailable, "the end of a context has no class")
				assert.Equal(t, 200*time.Millisecond, time.Since(began))
			})
		}
		wg.Wait()
		time.Sleep(8 * time.Second)
		_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
		require.NoError(t, err)
		assert.Equal(t, 1, p.Calls(livetest.AccessToken), "the mint went on without its callers")
		assert.Equal(t, 1, p.Calls(livetest.NonceTicket))
	})
}

func TestColdStartOfManyCallersIsOneMint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		store := webanklive.NewMemoryStore()
		clients := []*webanklive.Client{
			newMemoryClient(t, p, webanklive.WithCredentialStore(store)), newMemoryClient(t, p, webanklive.WithCredentialStore(store)),
		}
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				_, err := clients[i%2].Credential(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Len(t, p.Mints(), 1)
		assert.Equal(t, 1, p.Calls(livetest.SignTicket))
	})
}

func TestContextsEndIsReportedAsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.AddResult(order, livetest.Passing())
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		p.Fail(livetest.LiveResult, livetest.Fault{Hang: true}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Hang: true, Bytes: 100}, 1)
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: order, GetFile: webanklive.GetFileAll})
			require.ErrorIs(t, err, context.Canceled)
			requireClass(t, err, nil)
			assert.NotErrorIs(t, err, webanklive.ErrMedia)
			assert.Nil(t, res)
			assert.Equal(t, time.Second, time.Since(began), "the read stops at once")
		}
		assert.Equal(t, 2, p.Calls(livetest.LiveResult), "a call whose context ended is not repeated")
	})
}

func TestSlowButSteadyDownloadIsNotCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		person := livetest.Passing()
		person.Video = bytes.Repeat([]byte("steady"), 100_000)
		p.AddResult(order, person)
		p.Fail(livetest.LiveResult, livetest.Fault{Delay: 9 * time.Second, OneByte: true}, 1)
		var video bytes.Buffer
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: order, Video: &video})
		require.NoError(t, err)
		assert.Equal(t, person.Video, video.Bytes())
	})
}

func TestRetriesAreTurnedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p, webanklive.WithMaxRetries(0))
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
		requireClass(t, err, webanklive.ErrUnavailable)
		assert.Equal(t, 1, p.Calls(livetest.LiveResult))
	})
}

func TestRetrySucceedsAfterOneBadReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		for _, e := range []livetest.Endpoint{livetest.AccessToken, livetest.SignTicket, livetest.NonceTicket, livetest.LiveResult} {
			p.Fail(e, livetest.Fault{Status: 502}, 1)
		}
		complete(t, p, c, order, livetest.Passing())
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
		require.NoError(t, err)
		assert.Len(t, p.Mints(), 1)
	})
}

func TestRetryThatTheContextLeavesNoTimeForIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, -1)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		_, err = c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: order})
		requireClass(t, err, webanklive.ErrUnavailable)
		require.NoError(t, ctx.Err())
	})
}

func TestRefusedCredentialIsReplacedAndTheCallRepeatedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p, webanklive.WithMaxRetries(0))
		p.AddResult(order, livetest.Passing())
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
		require.NoError(t, err)
		for i, use := range []func() error{
			func() error {
				_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
				return err
			},
			func() error {
				_, err := c.BuildLiveLoginURL(t.Context(), launch("order43", "user"))
				return err
			},
			func() error {
				var photo bytes.Buffer
				_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: order, Photo: &photo})
				assert.Equal(t, livetest.SamplePhoto(), photo.Bytes())
				return err
			},
		} {
			p.Revoke()
			require.NoError(t, use())
			assert.Len(t, p.Mints(), i+2)
		}
		// Fifty calls that are refused together replace it once.
		p.Revoke()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: order})
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Len(t, p.Mints(), 5)
	})
}

func TestWrongSecretIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.Fail(livetest.AccessToken, livetest.Fault{Code: "400103"}, -1)
		c := newMemoryClient(t, p)
		for range 100 {
			_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
			requireClass(t, err, webanklive.ErrCredential)
			time.Sleep(50 * time.Millisecond)
		}
		assert.LessOrEqual(t, p.Calls(livetest.AccessToken), 6, "5 seconds of calls, at most one in each")
		assert.GreaterOrEqual(t, p.Calls(livetest.AccessToken), 1)
	})
}

func TestPlatformsClockIsFollowedFromItsDate(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-5 * time.Minute, 5 * time.Minute, 0} {
		synctest.Test(t, func(t *testing.T) {
			p := livetest.New()
			c := newMemoryClient(t, p, webanklive.WithClock(func() time.Time { return time.Now().Add(off) }))
			cred, err := c.Credential(t.Context())
			require.NoError(t, err)
			assert.WithinDuration(t, p.Now().Add(59*time.Minute), cred.ExpiresAt, time.Second)
			time.Sleep(17 * time.Minute)
			_, err = c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
			assert.Len(t, p.Mints(), 1, "a fast clock must not refresh early")
			time.Sleep(6 * time.Minute)
			_, err = c.Credential(t.Context())
			require.NoError(t, err)
			synctest.Wait()
			assert.Len(t, p.Mints(), 2, "a slow clock must not refresh late")
		})
	}
}

func TestAbsurdLivesAreRefusedOrCapped(t *testing.T) {
	t.Parallel()
	for life, want := range map[string]time.Duration{ // 0: refused
		`0`: 0, `-1`: 0, `"abc"`: 0, `""`: 0, `null`: 0, `"NaN"`: 0,
		`1e18`: 59 * time.Minute, `"Inf"`: 59 * time.Minute, `600`: 9 * time.Minute, `60`: 30 * time.Second, `"3600.0"`: 59 * time.Minute,
	} {
		t.Run(life, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				p.Fail(livetest.SignTicket, livetest.Fault{Body: `{"code":"0","tickets":[{"value":"S","expire_in":` + life + `}]}`}, -1)
				c := newMemoryClient(t, p)
				cred, err := c.Credential(t.Context())
				if want == 0 {
					requireClass(t, err, webanklive.ErrUnavailable)
					require.ErrorContains(t, err, "expire_in")
					return
				}
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now().Add(want), cred.ExpiresAt, time.Second)
				assert.False(t, cred.RefreshAt.After(cred.ExpiresAt))
			})
		})
	}
}

func TestEmptyTokenOrTicketIsRefused(t *testing.T) {
	t.Parallel()
	for endpoint, bodies := range map[livetest.Endpoint][]string{
		livetest.AccessToken: {`{"code":"0","access_token":"","expire_in":7200}`, `{"code":"0","expire_in":7200}`},
		livetest.SignTicket: {
			`{"code":"0","tickets":[]}`, `{"code":"0"}`, `{"code":"0","tickets":[{"value":" ","expire_in":3600}]}`, `{"code":"0","tickets":[null]}`,
		},
		livetest.NonceTicket: {`{"code":"0","tickets":[{"expire_in":120}]}`},
	} {
		for _, body := range bodies {
			synctest.Test(t, func(t *testing.T) {
				p := livetest.New()
				p.Fail(endpoint, livetest.Fault{Body: body, ContentType: "application/json"}, -1)
				_, err := newMemoryClient(t, p).BuildLiveLoginURL(t.Context(), launch(order, "user"))
				requireClass(t, err, webanklive.ErrUnavailable)
				require.ErrorContains(t, err, "empty")
			})
		}
	}
}

func TestUnknownRefusalOfATicketIsNobodysVerdict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		for _, e := range []livetest.Endpoint{livetest.NonceTicket, livetest.SignTicket, livetest.AccessToken} {
			for _, code := range []string{"123456789", "-5013", "66660011"} {
				p.Fail(e, livetest.Fault{Code: code}, 1)
				c := newMemoryClient(t, p)
				_, err := c.BuildLiveLoginURL(t.Context(), launch(order, "user"))
				requireClass(t, err, webanklive.ErrAccount)
				require.ErrorContains(t, err, code)
				time.Sleep(5 * time.Second)
			}
		}
	})
}

func TestWaitForMedia(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lag, wait, took time.Duration
		arrives         bool
	}{
		"not asked to wait":        {3 * time.Second, 0, 0, false},
		"there at once":            {0, 10 * time.Second, 0, true},
		"comes after a second":     {time.Second, 10 * time.Second, 1500 * time.Millisecond, true},
		"comes at the last moment": {2 * time.Second, 2 * time.Second, 2 * time.Second, true},
		"comes too late":           {20 * time.Second, 5 * time.Second, 5 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, stream := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					p := livetest.New()
					c := newMemoryClient(t, p)
					p.SetMediaLag(tc.lag)
					p.AddResult(order, livetest.Passing())
					began := time.Now()
					var photo bytes.Buffer
					var res *webanklive.LiveResult
					var err error
					if stream {
						res, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: order, Photo: &photo, WaitForMedia: tc.wait})
					} else {
						res, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{
							OrderNo: order, GetFile: webanklive.GetFilePhoto, WaitForMedia: tc.wait})
						if res != nil {
							photo.Write(res.Photo)
						}
					}
					require.NoError(t, err, "missing media are no error")
					assert.Equal(t, tc.took, time.Since(began))
					assert.Equal(t, tc.arrives, res.PhotoSize > 0)
					if tc.arrives {
						assert.Equal(t, livetest.SamplePhoto(), photo.Bytes())
					}
				})
			}
		})
	}
}

func TestWaitForMediaAsksOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.AddResult(order, livetest.Passing())
		p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"0","photo":"QUJD"}`}, 1)
		var photo, video bytes.Buffer
		res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{
			OrderNo: order, Photo: &photo, Video: &video, WaitForMedia: 5 * time.Second})
		require.NoError(t, err)
		assert.Equal(t, "ABC", photo.String(), "nothing is written twice")
		assert.Equal(t, livetest.SampleVideo(), video.Bytes())
		assert.Equal(t, int64(3), res.PhotoSize)
		assert.Equal(t, int64(video.Len()), res.VideoSize)
		var asked []string
		for _, r := range p.Requests(livetest.LiveResult) {
			asked = append(asked, r.Query.Get("get_file"))
		}
		assert.Equal(t, []string{"1", "3"}, asked)
	})
}

func TestWaitForMediaDoesNotProlongARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.AddResult(order, livetest.Failing("66660014"))
		began := time.Now()
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{
			OrderNo: order, GetFile: webanklive.GetFileAll, WaitForMedia: time.Minute})
		requireClass(t, err, webanklive.ErrNotPassed)
		assert.Zero(t, time.Since(began))
	})
}

func TestWaitForMediaEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newMemoryClient(t, p)
		p.SetMediaLag(time.Hour)
		p.AddResult(order, livetest.Passing())
		req := webanklive.LiveResultRequest{OrderNo: order, GetFile: webanklive.GetFileAll, WaitForMedia: time.Minute}

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		_, err := c.GetLiveResult(ctx, req)
		require.ErrorIs(t, err, context.Canceled)

		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		res, err := c.GetLiveResult(ctx, req)
		require.NoError(t, err, "the person passed, and no time is left to ask again")
		assert.Zero(t, res.PhotoSize)
	})
}
