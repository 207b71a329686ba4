//go:build go1.25

package conformance_test

// How long a call may take, and how much it may read.

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestAttempt_EndsAfterTenSecondsOfSilenceOrItsTotal(t *testing.T) {
	t.Parallel()
	blanks := func(every time.Duration) func(ctx context.Context) io.Reader {
		return func(ctx context.Context) io.Reader {
			return paced{iotest.OneByteReader(&repeated{text: " "}), ctx, every}
		}
	}
	for name, tc := range map[string]struct {
		body  func(ctx context.Context) io.Reader
		file  webanklive.GetFile
		fails string // empty: it does not
		took  time.Duration
	}{
		"slow but steady": {func(ctx context.Context) io.Reader {
			two := io.MultiReader(strings.NewReader(`{"code":`), strings.NewReader(`"0","orderNo":"`+clienttest.Order+`"}`))
			return io.MultiReader(paced{two, ctx, 7 * time.Second}) // which is not read again after its end
		}, webanklive.GetFileNone, "", 3 * 7 * time.Second},
		"silent after a byte": {func(ctx context.Context) io.Reader {
			return io.MultiReader(paced{strings.NewReader("{"), ctx, 7 * time.Second}, blanks(time.Hour)(ctx))
		}, webanklive.GetFileNone, "silent for 10s", 17 * time.Second},
		"without end":           {blanks(7 * time.Second), webanklive.GetFileNone, "the reply took too long", 30 * time.Second},
		"and nearly silent":     {blanks(9900 * time.Millisecond), webanklive.GetFileNone, "the reply took too long", 30 * time.Second},
		"without end, of media": {blanks(7 * time.Second), webanklive.GetFileAll, "the reply took too long", 10 * time.Minute},
	} {
		bubble(t, name, func(t *testing.T) {
			p := livetest.New()
			c := newWarm(t, p, webanklive.WithMaxRetries(0), answering(p, livetest.LiveResult, func(req *http.Request) (*http.Response, error) {
				return unsized(req, 200, tc.body(req.Context())), nil
			}))
			began := time.Now()
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: tc.file})
			assert.Equal(t, tc.took, time.Since(began))
			if tc.fails == "" {
				require.NoError(t, err)
				return
			}
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, tc.fails)
			assert.NotErrorIs(t, err, context.Canceled)
		})
	}
}

func TestAttempt_AnErrorsBodyThatDripsHoldsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newWarm(t, p, webanklive.WithMaxRetries(0), webanklive.WithMaxResponseBytes(1<<20),
			answering(p, livetest.LiveResult, func(req *http.Request) (*http.Response, error) {
				blanks := &repeated{text: " "}
				return unsized(req, 403, io.MultiReader(io.LimitReader(blanks, 1<<20+1), paced{io.LimitReader(blanks, 4), req.Context(), 7 * time.Second})), nil
			}))
		began := time.Now()
		require.ErrorContains(t, askResult(t.Context(), c), "longer than the limit")
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
	})
}

func TestMint_IsTriedThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	for _, at := range minting {
		bubble(t, string(at), func(t *testing.T) {
			p := livetest.New()
			p.Fail(at, livetest.Fault{Status: 502}, -1)
			_, err := clienttest.NewMemoryClient(t, p, webanklive.WithMaxRetries(10)).Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			assert.Equal(t, 3, p.Calls(at))
		})
	}
}

func TestStreamLiveMedia_ASlowWriterHasTenMinutesAndIsNotTakenForASilentPlatform(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		repeats     int // of five bytes of video: several windows
		pause, took time.Duration
	}{
		"in time":  {50_000, 11 * time.Second, 0}, // longer than the platform may be silent
		"too slow": {200_000, time.Minute, 10 * time.Minute},
	} {
		bubble(t, name, func(t *testing.T) {
			p := livetest.New()
			p.AddResult(clienttest.Order, livetest.Person{Code: "0", Video: bytes.Repeat([]byte("video"), tc.repeats)})
			c := clienttest.NewMemoryClient(t, p)
			began := time.Now()
			res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{
				OrderNo: clienttest.Order, Video: clienttest.WriterFunc(func(p []byte) (int, error) {
					time.Sleep(tc.pause)
					return len(p), nil
				}),
			})
			if tc.took == 0 {
				require.NoError(t, err)
				assert.Equal(t, int64(250_000), res.VideoSize)
				return
			}
			require.ErrorIs(t, err, webanklive.ErrMedia)
			require.ErrorContains(t, err, "the reply took too long")
			assert.Equal(t, tc.took, time.Since(began))
		})
	}
}

func TestStreamLiveMedia_AWritersErrorComesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := livetest.New()
		c := newWarm(t, p, webanklive.WithMaxRetries(0), answering(p, livetest.LiveResult, func(req *http.Request) (*http.Response, error) {
			begins := strings.NewReader(`{"code":"0","video":"` + strings.Repeat("QUJD", 20_000)) // more than a window, less than is drained
			return unsized(req, 200, io.MultiReader(begins, paced{&repeated{text: "A"}, req.Context(), 7 * time.Second})), nil
		}))
		full := &fs.PathError{Op: "write", Path: "/x", Err: errors.New("full")}
		began := time.Now()
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{
			OrderNo: clienttest.Order, Video: clienttest.WriterFunc(func([]byte) (int, error) { return 0, full })})
		assert.Zero(t, time.Since(began), "nothing is drained for a caller who has failed")
		require.ErrorIs(t, err, full)
	})
}

func TestReply_ShortOnesAreBoundedTightly(t *testing.T) {
	t.Parallel()
	for _, e := range launching {
		p := livetest.New()
		p.Fail(e, livetest.Fault{Replace: func(body []byte) []byte {
			return append(body, strings.Repeat(" ", 1<<20)...)
		}}, 1)
		err := launch(t.Context(), clienttest.NewMemoryClient(t, p), 1)
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		require.ErrorContains(t, err, "longer than the limit")
		assert.Equal(t, 1, p.Calls(e))
	}
}

const gigabyteLimit = 16 << 20

// Not parallel: memory is measured in the whole process.
//
//nolint:paralleltest
func TestWithMaxResponseBytes_AGigabyteCostsNoMoreMemoryThanTheLimit(t *testing.T) {
	result := func(file webanklive.GetFile) func(c *webanklive.Client) error {
		return func(c *webanklive.Client) error {
			_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: file})
			return err
		}
	}
	const photo = `{"code":"0","orderNo":"` + clienttest.Order + `","photo":"`
	var empty bytes.Buffer
	_ = gzip.NewWriter(&empty).Close()
	for _, tc := range []struct {
		at          livetest.Endpoint
		start, more string
		limit       uint64 // of all that the call allocates
		use         func(c *webanklive.Client) error
	}{
		{livetest.NonceTicket, `{"code":"0"`, " ", 8 << 20, func(c *webanklive.Client) error { return launch(t.Context(), c, 1) }},
		{livetest.LiveResult, photo, "QUJD", 1 << 20, result(webanklive.GetFileNone)},
		{livetest.LiveResult, photo, "QUJD", 3 * gigabyteLimit, result(webanklive.GetFilePhoto)},
		{livetest.LiveResult, photo, "QUJD", 1 << 20, func(c *webanklive.Client) error {
			_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard})
			return err
		}},
		{livetest.LiveResult, "", empty.String(), 64 << 20, result(webanklive.GetFileNone)}, // parts of gzip that hold nothing
	} {
		for _, announced := range []int64{-1, 1 << 30} {
			p := newPlatform()
			w := newWire(p)
			c := newWarm(t, p, over(w.RoundTrip), webanklive.WithMaxResponseBytes(gigabyteLimit))
			w.fail(tc.at, fault{change: func(res *http.Response) {
				endless(tc.start, tc.more, announced)(res)
				if tc.start == "" {
					res.Header.Set("Content-Encoding", "gzip")
				}
			}})

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := tc.use(c)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, "longer than the limit")
			assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, tc.limit)
			if announced > 0 {
				assert.Zero(t, w.longest, "nothing is read of a reply that announces too much")
			}
			assert.LessOrEqual(t, w.longest, int64(gigabyteLimit+64<<10+1))
			assert.Equal(t, 1, w.sent[tc.at])
		}
	}
}

// A server may announce whatever it likes, and a caller may lift the limit.
func TestWithMaxResponseBytes_AnAnnouncedSizeIsNotAllocated(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	p.AddResult(clienttest.Order, livetest.Person{Code: "0", Video: bytes.Repeat([]byte("ABC"), 200_000)})
	c := clienttest.NewMemoryClient(t, p, webanklive.WithMaxResponseBytes(1<<62), answering(p, livetest.LiveResult, func(req *http.Request) (*http.Response, error) {
		res, err := p.Transport().RoundTrip(req)
		res.ContentLength = 1 << 60
		return res, err
	}))
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileVideo})
	require.NoError(t, err)
	assert.Len(t, res.Video, 600_000)
	assert.LessOrEqual(t, cap(res.Video), 64<<20)
}
