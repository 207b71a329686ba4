//go:build go1.25

package conformance_test

// The fault matrix: every call that uses the network × every request that it sends × everything that can become of that
// request (matrix_faults_test.go). All of it runs on synctest's clock, which also fails a cell that leaves a goroutine behind.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

var (
	minting   = []livetest.Endpoint{livetest.AccessToken, livetest.SignTicket}
	launching = append(minting[:2:2], livetest.NonceTicket)
	asking    = append(minting[:2:2], livetest.LiveResult)
)

// A networkCall is one exported call, used as in a program that works: its error is nil only when all that it brings is
// right.
type networkCall struct {
	name    string
	sends   []livetest.Endpoint
	media   bool // asks for media
	streams bool // into writers, so that it is not repeated after the first byte
	use     func(t *testing.T, p *livetest.Platform, c *webanklive.Client) error
}

var networkCalls = []networkCall{
	{name: "Credential", sends: minting, use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
		_, err := c.Credential(t.Context())
		return err
	}},
	{name: "Invalidate", sends: minting, use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
		cred, err := c.Credential(t.Context())
		if err != nil {
			return err
		}
		c.Invalidate(t.Context(), cred)
		fresh, err := c.Credential(t.Context())
		if err == nil {
			assert.NotEqual(t, cred.SignTicket, fresh.SignTicket)
		}
		return err
	}},
	{name: "BuildLiveLoginURL", sends: launching, use: func(t *testing.T, p *livetest.Platform, c *webanklive.Client) error {
		link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fmt.Sprint("launch", p.Calls(livetest.NonceTicket)), "user43"))
		assert.Equal(t, err == nil, link != "")
		if err == nil {
			_, err := p.Visit(t.Context(), link, livetest.Quitting())
			assert.NoError(t, err, "the platform accepts the link")
		}
		return err
	}},
	{name: "BuildMiniProgramLaunch", sends: launching, use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
		l, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: "order44", UserID: "user44"})
		assert.Equal(t, err == nil, l != nil)
		return err
	}},
	{name: "VerifyCallback", sends: minting, use: func(t *testing.T, p *livetest.Platform, c *webanklive.Client) error {
		query := p.CallbackQuery(clienttest.Order, "0", "95")
		if !query.Has("newSignature") {
			query = forged()
		}
		_, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
		if errors.Is(err, webanklive.ErrBadCallback) { // the platform signed with no ticket, or with one that did not arrive
			var cb *webanklive.Callback
			cb, err = c.VerifyCallback(t.Context(), p.CallbackQuery(clienttest.Order, "0", "95"), clienttest.Order)
			assert.Equal(t, err == nil, cb != nil)
		}
		return err
	}},
	resultCall("GetLiveResult", webanklive.GetFileNone),
	resultCall("GetLiveResult of both", webanklive.GetFileAll),
	resultCall("GetLiveResult of the photo", webanklive.GetFilePhoto),
	resultCall("GetLiveResult of the video", webanklive.GetFileVideo),
	{name: "StreamLiveMedia", sends: asking, media: true, streams: true, use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
		var photo, video bytes.Buffer
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &photo, Video: &video})
		if err == nil {
			assert.Equal(t, livetest.SamplePhoto(), photo.Bytes())
			assert.Equal(t, livetest.SampleVideo(), video.Bytes())
		}
		return err
	}},
	{name: "evidence.Save", sends: asking, media: true, streams: true, use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
		dir := t.TempDir()
		_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: clienttest.Order, Dir: dir})
		saved, listErr := os.ReadDir(dir)
		require.NoError(t, listErr)
		assert.Len(t, saved, map[bool]int{true: 2}[err == nil], "both files or none")
		return err
	}},
}

func resultCall(name string, file webanklive.GetFile) networkCall {
	return networkCall{
		name: name, sends: asking, media: file != webanklive.GetFileNone,
		use: func(t *testing.T, _ *livetest.Platform, c *webanklive.Client) error {
			res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: file})
			if err == nil {
				photo, video := file == webanklive.GetFileAll || file == webanklive.GetFilePhoto, file == webanklive.GetFileAll || file == webanklive.GetFileVideo
				assert.Equal(t, photo, bytes.Equal(livetest.SamplePhoto(), res.Photo))
				assert.Equal(t, video, bytes.Equal(livetest.SampleVideo(), res.Video))
			}
			return err
		},
	}
}

func TestFaultMatrix_EveryCallEndsAsPromised(t *testing.T) {
	t.Parallel()
	for _, call := range networkCalls {
		for _, at := range call.sends {
			for _, f := range faults() {
				if f.at != nil && !f.at(call, at) {
					continue
				}
				bubble(t, fmt.Sprint(call.name, "/", at, "/", f.name), func(t *testing.T) { cell(t, call, at, f) })
			}
		}
	}
}

// cell lets one call meet one fault for ever, and once more when it is gone.
func cell(t *testing.T, call networkCall, at livetest.Endpoint, f fault) {
	p := newPlatform()
	p.SetMarker(clienttest.Marker)
	w := newWire(p)
	var log logtest.Log
	c := clienttest.NewMemoryClient(t, p, clienttest.WithClock(w, w.now), webanklive.WithMaxResponseBytes(matrixLimit), logging(&log))
	mints := at == livetest.AccessToken || at == livetest.SignTicket
	if !mints || call.name == "Invalidate" {
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
	}

	w.fail(at, f)
	if f.fault != nil {
		p.Fail(at, *f.fault, -1)
	}
	began := time.Now()
	err := call.use(t, p, c)
	took := time.Since(began)

	media := call.media && at == livetest.LiveResult
	requests, slowest := f.requests(call, at), f.lasts(media)
	lasts := time.Duration(requests)*slowest + time.Duration(requests-1)*f.pause
	switch {
	case f.works:
		require.NoError(t, err)
	case f.spoilsMedia && media:
		require.ErrorIs(t, err, webanklive.ErrMedia)
		clienttest.RequireClass(t, err, nil)
	case mints && lasts > mintTimeout:
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.ErrorContains(t, err, "not finished within 45s: ")
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's own context has not ended")
		requests, lasts = int(mintTimeout/slowest)+1, mintTimeout
	default:
		clienttest.RequireClass(t, err, f.class)
		require.ErrorContains(t, err, f.text)
		require.ErrorContains(t, err, targets[at])
		if f.cause != nil {
			require.ErrorIs(t, err, f.cause)
		}
	}
	assert.Equal(t, requests, w.sent[at], "requests")
	assert.GreaterOrEqual(t, took, lasts)
	assert.LessOrEqual(t, took, lasts+600*time.Millisecond, "the pauses between three tries are 200 ms and 400 ms at most")
	assert.LessOrEqual(t, w.longest, int64(matrixLimit)+64<<10+1, "bytes read of one body: the limit, and what is drained of the rest")
	if err != nil {
		assertNoSecret(t, p, clienttest.EveryPrint(err))
		assert.NotContains(t, clienttest.EveryPrint(err), "evil.example")
	}

	w.mend()
	p.Fail(at, livetest.Fault{}, 0)
	forgotten := 5 * time.Second // a failed mint is remembered so long, and a user gets one ticket in two seconds
	if mints && f.final() {
		forgotten = time.Minute
	}
	time.Sleep(forgotten)
	if call.name == "Invalidate" { // which does nothing within a minute of the last time
		time.Sleep(time.Minute)
		_, err := c.Credential(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Minute)
	}
	require.NoError(t, call.use(t, p, c), "the next call")
	assertNoSecret(t, p, log.String())
	synctest.Wait()
	assert.Zero(t, w.open, "bodies that were not closed")
	require.Contains(t, p.Requests(livetest.AccessToken)[0].Query.Get("secret"), clienttest.Marker, "the marker was sent")
}

const (
	matrixLimit = 2 << 20
	mintTimeout = 45 * time.Second // of a read of the store and a mint together
)

// targets are what an error says of the request that failed.
var targets = map[livetest.Endpoint]string{
	livetest.AccessToken: "GET idasc.livetest.invalid/idasc/api/oauth2/access_token",
	livetest.SignTicket:  "GET idasc.livetest.invalid/idasc/api/oauth2/api_ticket",
	livetest.NonceTicket: "GET idasc.livetest.invalid/idasc/api/oauth2/api_ticket",
	livetest.LiveResult:  "GET idasc.livetest.invalid/idasc/api/server/getLiveResult",
}
