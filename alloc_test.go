//go:build !race

package webanklive

// What must not allocate. The race detector allocates by itself, so these run without it.

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignAllocatesItsResultOnly(t *testing.T) {
	values := []string{
		"1.0.0", "aabc1457895464", "appId001", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T", "userID19959248596551",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { Sign(values...) }), 1.0)
}

func TestNonceAllocatesItsResultOnly(t *testing.T) {
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { newNonce() }), 1.0)
}

func TestWarmCredentialReadAllocatesNothing(t *testing.T) {
	c := newWarmCache()
	ctx := context.Background()
	_, err := c.get(ctx)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.get(ctx) }))
}

// endless is one letter for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestHugeReplyCostsNoMoreMemoryThanASmallOne(t *testing.T) {
	for name, announced := range map[string]int64{"announced": 1 << 30, "chunked": -1} {
		c, err := NewClient("app", "secret", WithHTTPClient(&http.Client{
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				res := &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Request: req}
				switch {
				case req.URL.Query().Has("order_no"):
					res.ContentLength = announced
					gigabyte := io.LimitReader(endless('A'), 1<<30)
					res.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"code":"0","orderNo":"order","video":"`), gigabyte))
				case req.URL.Query().Has("secret"):
					res.Body = io.NopCloser(strings.NewReader(`{"code":"0","access_token":"T","expire_in":7200}`))
				default:
					res.Body = io.NopCloser(strings.NewReader(`{"code":"0","tickets":[{"value":"S","expire_in":3600}]}`))
				}
				return res, nil
			})}))
		require.NoError(t, err)
		_, err = c.Credential(t.Context())
		require.NoError(t, err)

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = c.StreamLiveMedia(t.Context(), LiveMediaRequest{OrderNo: "order", Video: io.Discard})
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "longer than the limit", name)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<10), name)

		if announced > 0 {
			runtime.ReadMemStats(&before)
			_, err = c.GetLiveResult(t.Context(), LiveResultRequest{OrderNo: "order", GetFile: GetFileVideo})
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, "longer than the limit", name)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<10), name)
		}
	}
}
