// The rules by which buffers are dealt out, and what media cost in memory.

package jsonmedia

import (
	"bytes"
	"encoding/base64"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemory_TwoLargeFieldsShareOnePiece(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	window := []byte(strings.Repeat("Q", 1000))
	first := m.start(window, 0)
	require.Len(t, first, firstPiece)
	first = m.grow(first, 349_528)
	require.GreaterOrEqual(t, len(first), 3_000_000)
	require.Less(t, len(first), 3_000_100)

	one := m.done(first, 1_000_000)
	second := m.start(window, 1_333_400)
	require.Same(t, &first[1_000_000], &second[0], "no new memory")
	two := m.done(second, 1_000_000)
	third := m.start(window, 2_666_800)
	require.Same(t, &second[1_000_000], &third[0], "nor one byte twice")
	assert.Equal(t, len(one), cap(one))
	assert.Equal(t, len(two), cap(two))
}

func TestMemory_ASmallFieldIsCopiedOutOfALargePiece(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	buf := make([]byte, 3_000_000)
	copy(buf, "photo")
	photo := m.done(buf, 5)
	assert.Equal(t, "photo", string(photo))
	next := m.start([]byte("QUJD"), 100_000)
	require.Same(t, &buf[0], &next[0], "the piece is free again")
	copy(next, "video")
	assert.Equal(t, "photo", string(photo))
}

func TestMemory_ALittleLeftOverDoesNotReplaceMuch(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	m.done(make([]byte, 3_000_000), 1_000_000)
	m.done(make([]byte, 100), 90)
	assert.Len(t, m.spare, 2_000_000)
}

func TestMemory_DoublesWithoutALength(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{-1, 0, 1000} { // 1000: announced, but more came
		m := memory{length: length}
		buf := m.start([]byte("QUJD"), 2000)
		require.Len(t, buf, firstPiece)
		for range 4 {
			grown := m.grow(buf, 2000)
			require.GreaterOrEqual(t, len(grown), 2*len(buf))
			buf = grown
		}
	}
}

func TestScan_TheLimitBoundsMemory(t *testing.T) {
	t.Parallel()
	data := noise(400_000)
	for _, limit := range []int64{1, 2, 3, 4, 100, 300_001, 399_999, 400_000, 400_001} {
		for _, size := range []int64{limit - 1, limit, limit + 1, 400_000} {
			if size < 1 || size > 400_000 {
				continue
			}
			body := `{"photo":"` + base64.StdEncoding.EncodeToString(data[:size]) + `","code":"0"}`
			for _, length := range []int64{-1, int64(len(body)), 1 << 40} {
				obj, err := Scan(strings.NewReader(body), Options{
					Fields: testFields, Length: length, Limit: limit, Media: map[string]Sink{"photo": ToMemory()},
				})
				require.Equal(t, "0", obj.Top.Get("code"))
				require.LessOrEqual(t, int64(cap(obj.Media["photo"].Data)), limit)
				if size > limit {
					require.ErrorIs(t, err, ErrTooLarge)
					var bad *MediaError
					require.ErrorAs(t, err, &bad)
					require.Equal(t, limit/3*3, bad.Size)
					continue
				}
				require.NoError(t, err, "size %d, limit %d, length %d", size, limit, length)
				require.True(t, bytes.Equal(data[:size], obj.Media["photo"].Data))
			}
		}
	}
}

// allocated returns the bytes that f allocates once the pool is warm: the least of some runs, because the pool may
// be emptied at any time.
func allocated(t *testing.T, f func()) int64 {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector drops what is pooled, and is slow")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := int64(1) << 62
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc)) //nolint:gosec // far below 2^63
	}
	return least
}

// mediaBody is a body with media of these sizes, which differ in every byte but by chance.
func mediaBody(photo, video int, edit func(string) string) string {
	text := func(data []byte) string {
		s := base64.StdEncoding.EncodeToString(data)
		if edit != nil {
			s = edit(s)
		}
		return s
	}
	return `{"code":"0","photo":"` + text(noise(photo)) + `","a":[1,{"b":"c"}],"video":"` + text(noise(video + 1)[1:]) + `"}`
}

//nolint:paralleltest // counts what the whole process allocates
func TestToWriter_AllocatesNothingThatGrows(t *testing.T) {
	for _, size := range []int{100, 100_000, 10_000_000} {
		for _, edit := range []func(string) string{nil, func(s string) string { return wrap(s, 76, `\r\n`) }} {
			body := mediaBody(size, size, edit)
			got := allocated(t, func() {
				_, err := Scan(strings.NewReader(body), options(func(string) Sink { return ToWriter(io.Discard) }))
				require.NoError(t, err)
			})
			assert.Less(t, got, int64(16<<10), "size %d", size)
		}
	}
}

//nolint:paralleltest // counts what the whole process allocates
func TestScan_SkippingAllocatesNothingThatGrows(t *testing.T) {
	body := `{"code":"0","` + strings.Repeat("n", 1_000_000) + `":"` + strings.Repeat(`\u00e9`, 1_000_000) +
		`","b":[` + strings.Repeat(`{"x":1},`, 100_000) + `0],"n":` + strings.Repeat("1", 1_000_000) + `}`
	got := allocated(t, func() {
		_, err := Scan(strings.NewReader(body), Options{Fields: testFields, Nested: "result"})
		require.NoError(t, err)
	})
	assert.Less(t, got, int64(64<<10))
}

//nolint:paralleltest // counts what the whole process allocates
func TestToMemory_TakesMemoryOfTheRightSize(t *testing.T) {
	lines := func(s string) string { return wrap(s, 76, "\r\n") }
	slashes := func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }
	for _, sizes := range [][2]int{{1, 1}, {20_000, 20_000}, {200_000, 5_000_000}, {700_000, 5_000_000}, {300_000, 6_000_000}, {5_000_000, 200_000}, {5_000_000, 5_000_000}} {
		for _, edit := range []func(string) string{nil, lines, slashes} {
			body := mediaBody(sizes[0], sizes[1], edit)
			var obj *Object
			scan := func(length int) func() {
				opts := options(toMemory)
				opts.Length, opts.Limit = int64(length), 64<<20
				return func() {
					var err error
					obj, err = Scan(strings.NewReader(body), opts)
					require.NoError(t, err)
				}
			}
			sum := int64(sizes[0] + sizes[1])
			assert.LessOrEqual(t, allocated(t, scan(len(body))), sum*11/10+1<<20, "sizes %v", sizes)
			if sizes[0]*16 < sizes[1] {
				assert.LessOrEqual(t, cap(obj.Media["photo"].Data), max(firstPiece, sizes[0]*11/10), "a small field does not hold on to a large one")
			}
			assert.LessOrEqual(t, allocated(t, scan(-1)), sum*4+1<<20, "sizes %v, length unknown", sizes)
			photo, video := obj.Media["photo"].Data, obj.Media["video"].Data
			_ = append(photo, make([]byte, 100)...)
			require.True(t, bytes.Equal(noise(sizes[0]), photo) && bytes.Equal(noise(sizes[1] + 1)[1:], video), "they do not overlap")
			if edit == nil && sizes[0] <= windowSize/2 {
				assert.Equal(t, sizes[0], cap(obj.Media["photo"].Data), "exact when the closing quote is in the window")
			}
		}
	}
}

//nolint:paralleltest // counts what the whole process allocates
func TestToMemory_DoesNotBelieveAnAnnouncedLengthAtOnce(t *testing.T) {
	small, large := mediaBody(100_000, 150_000, nil), mediaBody(100_000, 1_000_000, nil)
	for _, limit := range []int64{0, 64 << 20} {
		opts := options(toMemory)
		opts.Length, opts.Limit = 1<<40, limit
		scan := func(body string) func() {
			return func() {
				_, err := Scan(strings.NewReader(body), opts)
				require.NoError(t, err)
			}
		}
		assert.Less(t, allocated(t, scan(small)), int64(1<<20))
		assert.Less(t, allocated(t, scan(large)), int64(66<<20))
	}
}
