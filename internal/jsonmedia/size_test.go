// Media of every size: that the bytes are right, and what they cost in memory.

package jsonmedia

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMediaArriveUnchanged(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 2, 3, 15, 16, 17, 1 << 10, 64 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20}
	if !testing.Short() && !raceEnabled {
		sizes = append(sizes, 5<<20, 64<<20)
	}
	data := noise(sizes[len(sizes)-1])
	for _, size := range sizes {
		sum := sha256.Sum256(data[:size])
		body := `{"result":{"video":"` + base64.StdEncoding.EncodeToString(data[:size]) + `"},"code":"0"}`
		for _, length := range []int64{-1, int64(len(body)), int64(len(body)) / 3} {
			hash := sha256.New()
			obj, err := Scan(strings.NewReader(body), Options{Nested: "result", Media: map[string]Sink{"video": ToWriter(hash)}})
			require.NoError(t, err)
			require.Equal(t, sum[:], hash.Sum(nil), "size %d to a writer", size)
			require.Equal(t, int64(size), obj.Media["video"].Size)

			obj, err = Scan(strings.NewReader(body), Options{Nested: "result", Length: length, Media: map[string]Sink{"video": ToMemory()}})
			require.NoError(t, err)
			require.Equal(t, sum, sha256.Sum256(obj.Media["video"].Data), "size %d to memory", size)
			require.Equal(t, int64(size), obj.Media["video"].Size)
			require.Equal(t, data[:min(size, headSize)], obj.Media["video"].Head)
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

func mediaBody(photo, video int, edit func(string) string) string {
	data := noise(max(photo, video))
	text := func(n int) string {
		if s := base64.StdEncoding.EncodeToString(data[:n]); edit != nil {
			return edit(s)
		} else {
			return s
		}
	}
	return `{"code":"0","photo":"` + text(photo) + `","a":[1,{"b":"c"}],"video":"` + text(video) + `"}`
}

//nolint:paralleltest // counts what the whole process allocates
func TestStreamingAllocatesNothingThatGrows(t *testing.T) {
	for _, size := range []int{100, 100_000, 10_000_000} {
		for _, edit := range []func(string) string{nil, func(s string) string { return wrap(s, 76, `\r\n`) }} {
			body := mediaBody(size, size, edit)
			got := allocated(t, func() {
				_, err := Scan(strings.NewReader(body), Options{
					Fields: testFields, Nested: "result", Media: map[string]Sink{"photo": ToWriter(io.Discard), "video": ToWriter(io.Discard)},
				})
				require.NoError(t, err)
			})
			assert.Less(t, got, int64(16<<10), "size %d", size)
		}
	}
}

//nolint:paralleltest // counts what the whole process allocates
func TestSkippingAllocatesNothingThatGrows(t *testing.T) {
	body := `{"code":"0","` + strings.Repeat("n", 1_000_000) + `":"` + strings.Repeat(`\u00e9`, 1_000_000) +
		`","b":[` + strings.Repeat(`{"x":1},`, 100_000) + `0],"n":` + strings.Repeat("1", 1_000_000) + `}`
	got := allocated(t, func() {
		_, err := Scan(strings.NewReader(body), Options{Fields: testFields, Nested: "result"})
		require.NoError(t, err)
	})
	assert.Less(t, got, int64(64<<10))
}

//nolint:paralleltest // counts what the whole process allocates
func TestMemoryIsOfTheRightSize(t *testing.T) {
	lines := func(s string) string { return wrap(s, 76, "\r\n") }
	slashes := func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }
	for _, sizes := range [][2]int{{1, 1}, {20_000, 20_000}, {200_000, 5_000_000}, {700_000, 5_000_000}, {300_000, 6_000_000}, {5_000_000, 200_000}, {5_000_000, 5_000_000}} {
		for _, edit := range []func(string) string{nil, lines, slashes} {
			body := mediaBody(sizes[0], sizes[1], edit)
			var obj *Object
			scan := func(length int) func() {
				return func() {
					var err error
					obj, err = Scan(strings.NewReader(body), Options{
						Length: int64(length), Limit: 64 << 20, Media: map[string]Sink{"photo": ToMemory(), "video": ToMemory()},
					})
					require.NoError(t, err)
				}
			}
			sum := int64(sizes[0] + sizes[1])
			assert.LessOrEqual(t, allocated(t, scan(len(body))), sum*11/10+1<<20, "sizes %v", sizes)
			if sizes[0]*16 < sizes[1] {
				assert.LessOrEqual(t, cap(obj.Media["photo"].Data), max(firstPiece, sizes[0]*11/10), "a small field does not hold on to a large one")
			}
			assert.LessOrEqual(t, allocated(t, scan(-1)), sum*4+1<<20, "sizes %v, length unknown", sizes)
			if edit == nil && sizes[0] <= windowSize/2 {
				assert.Equal(t, sizes[0], cap(obj.Media["photo"].Data), "exact when the closing quote is in the window")
			}
		}
	}
}

//nolint:paralleltest // counts what the whole process allocates
func TestAnAnnouncedLengthIsNotBelievedAtOnce(t *testing.T) {
	small, large := mediaBody(100_000, 150_000, nil), mediaBody(100_000, 1_000_000, nil)
	for _, limit := range []int64{0, 64 << 20} {
		scan := func(body string) func() {
			return func() {
				_, err := Scan(strings.NewReader(body), Options{
					Length: 1 << 40, Limit: limit, Media: map[string]Sink{"photo": ToMemory(), "video": ToMemory()},
				})
				require.NoError(t, err)
			}
		}
		assert.Less(t, allocated(t, scan(small)), int64(1<<20))
		assert.Less(t, allocated(t, scan(large)), int64(66<<20))
	}
}
