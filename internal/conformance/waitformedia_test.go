//go:build go1.25

package conformance_test

// Media that the platform keeps back for a while after it knows the verdict are waited for, and no longer than promised.

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// lagging runs test on synctest's clock, with a platform whose media come after lag.
func lagging(t *testing.T, lag time.Duration, test func(t *testing.T, p *livetest.Platform, c *webanklive.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		p.SetMediaLag(lag)
		p.AddResult(clienttest.Order, livetest.Passing())
		test(t, p, clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(0)))
	})
}

var waitAMinute = webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll, WaitForMedia: time.Minute}

func TestWaitForMedia_AsksUntilTheyCame(t *testing.T) {
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
			lagging(t, tc.lag, func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) {
				began := time.Now()
				res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{
					OrderNo: clienttest.Order, GetFile: webanklive.GetFilePhoto, WaitForMedia: tc.wait})
				require.NoError(t, err, "missing media are no error")
				assert.Equal(t, tc.took, time.Since(began))
				assert.Equal(t, tc.arrives, bytes.Equal(livetest.SamplePhoto(), res.Photo))
			})
			lagging(t, tc.lag, func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) {
				began := time.Now()
				var photo bytes.Buffer
				res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &photo, WaitForMedia: tc.wait})
				require.NoError(t, err, "missing media are no error")
				assert.Equal(t, tc.took, time.Since(began))
				assert.Equal(t, tc.arrives, res.PhotoSize > 0)
				assert.Equal(t, tc.arrives, bytes.Equal(livetest.SamplePhoto(), photo.Bytes()))
			})
		})
	}
}

func TestWaitForMedia_AsksOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	lagging(t, 0, func(t *testing.T, p *livetest.Platform, c *webanklive.Client) {
		p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"` + clienttest.SixtyFour + `"}`}, 1)
		var photo, video bytes.Buffer
		res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{
			OrderNo: clienttest.Order, Photo: &photo, Video: &video, WaitForMedia: 5 * time.Second})
		require.NoError(t, err)
		assert.Equal(t, 64, photo.Len(), "nothing is written twice")
		assert.Equal(t, livetest.SampleVideo(), video.Bytes())
		assert.Equal(t, int64(64), res.PhotoSize)
		assert.Equal(t, int64(video.Len()), res.VideoSize)
		var asked []string
		for _, r := range p.Requests(livetest.LiveResult) {
			asked = append(asked, r.Query.Get("get_file"))
		}
		assert.Equal(t, []string{"1", "3"}, asked)
	})
}

func TestWaitForMedia_WaitsForMoreThanAWord(t *testing.T) {
	t.Parallel()
	lagging(t, 0, func(t *testing.T, p *livetest.Platform, c *webanklive.Client) {
		p.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"null","video":"none"}`}, 4)
		res, err := c.GetLiveResult(t.Context(), waitAMinute)
		require.NoError(t, err)
		assert.Equal(t, livetest.SamplePhoto(), res.Photo)
		assert.Equal(t, livetest.SampleVideo(), res.Video)
		assert.Equal(t, 5, p.Calls(livetest.LiveResult))
	})
}

func TestWaitForMedia_DoesNotProlongARefusal(t *testing.T) {
	t.Parallel()
	lagging(t, 0, func(t *testing.T, p *livetest.Platform, c *webanklive.Client) {
		p.AddResult(clienttest.Order, livetest.Failing("66660014"))
		began := time.Now()
		_, err := c.GetLiveResult(t.Context(), waitAMinute)
		clienttest.RequireClass(t, err, webanklive.ErrNotPassed)
		assert.Zero(t, time.Since(began))
	})
}

func TestWaitForMedia_EndsWithTheContext(t *testing.T) {
	t.Parallel()
	lagging(t, time.Hour, func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		res, err := c.GetLiveResult(ctx, waitAMinute)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, "0", res.Code, "what is known already comes along")

		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		res, err = c.GetLiveResult(ctx, waitAMinute)
		require.NoError(t, err, "the person passed, and no time is left to ask again")
		assert.Zero(t, res.PhotoSize)
	})
}

func TestWaitForMedia_KeepsTheVerdictWhenAskingAgainFails(t *testing.T) {
	t.Parallel()
	lagging(t, time.Hour, func(t *testing.T, p *livetest.Platform, c *webanklive.Client) {
		p.Fail(livetest.LiveResult, livetest.Fault{}, 1)
		p.Fail(livetest.LiveResult, livetest.Fault{Code: "999995"}, 1)
		res, err := c.GetLiveResult(t.Context(), waitAMinute)
		clienttest.RequireClass(t, err, webanklive.ErrThrottled)
		require.NotNil(t, res)
		assert.Equal(t, "0", res.Code)
	})
}
