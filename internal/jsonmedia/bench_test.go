// What the package is for, in figures. Each benchmark runs the usual way, this package and the floor in one
// invocation and reports the ratios, which hold on any machine; run it as a whole.

package jsonmedia

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func benchBody(n int, edit func(string) string) string {
	video := base64.StdEncoding.EncodeToString(noise(n))
	photo := base64.StdEncoding.EncodeToString(noise(200_000))
	if edit != nil {
		video = edit(video)
	}
	return `{"code":"0","msg":"ok","result":{"orderNo":"a1","photo":"` + photo + `","video":"` + video + `"}}`
}

// bare hides WriterTo, so that the floor has to read.
type bare struct{ io.Reader }

func usual(b *testing.B, r io.Reader, _ int64) {
	var reply struct {
		Code   string
		Result struct{ Photo, Video string }
	}
	body, err := io.ReadAll(r)
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(body, &reply))
	for _, s := range []string{reply.Result.Photo, reply.Result.Video} {
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			b.Fatal(err)
		}
	}
}

func toMemory(b *testing.B, r io.Reader, length int64) {
	scanTo(b, r, length, ToMemory())
}

func toWriter(b *testing.B, r io.Reader, length int64) {
	scanTo(b, r, length, ToWriter(discard{}))
}

// discard hides ReaderFrom and counts nothing.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func scanTo(b *testing.B, r io.Reader, length int64, sink Sink) {
	obj, err := Scan(r, Options{
		Fields: testFields, Nested: "result", Length: length,
		Media: map[string]Sink{"photo": sink, "video": sink},
	})
	if err != nil || obj.Top.Get("code") != "0" {
		b.Fatal(err)
	}
}

func floor(b *testing.B, r io.Reader, _ int64) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		b.Fatal(err)
	}
}

type way struct {
	name string
	read func(b *testing.B, r io.Reader, length int64)
}

var ways = []way{{"usual", usual}, {"floor", floor}, {"memory", toMemory}, {"writer", toWriter}}

// compare runs each way by itself, and then all in turn, for ratios that a noisy machine does not bend: of the best
// times, taken side by side.
func compare(b *testing.B, size int, one func(b *testing.B, w way)) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				one(b, w)
			}
		})
	}
	b.Run("ratios", func(b *testing.B) {
		best := map[string]float64{}
		for b.Loop() {
			for _, w := range ways {
				start := time.Now()
				one(b, w)
				took := float64(time.Since(start))
				if t, ok := best[w.name]; !ok || took < t {
					best[w.name] = took
				}
			}
		}
		b.ReportMetric(0, "ns/op") // of all ways together: says nothing
		for _, name := range []string{"memory", "writer"} {
			b.ReportMetric(best["usual"]/best[name], name+"-×usual-speed")
			b.ReportMetric(best[name]/best["floor"], name+"-×floor-time")
		}
	})
}

func BenchmarkScan(b *testing.B) {
	body := benchBody(5<<20, nil)
	compare(b, len(body), func(b *testing.B, w way) {
		w.read(b, bare{strings.NewReader(body)}, int64(len(body)))
	})
}

func BenchmarkScanLoopback(b *testing.B) {
	body := []byte(benchBody(5<<20, nil)) // as bytes: a string would leave the server in pieces of 2 KB
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	defer srv.Close()
	compare(b, len(body), func(b *testing.B, w way) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(b, err)
		defer func() { _ = res.Body.Close() }()
		w.read(b, res.Body, res.ContentLength)
	})
}

// Line breaks and escapes may at most halve the speed.
func BenchmarkScanEscapes(b *testing.B) {
	var plain float64
	for _, tt := range []struct {
		name string
		edit func(string) string
	}{
		{"plain", nil},
		{"raw lines of 76", func(s string) string { return wrap(s, 76, "\r\n") }},
		{"escaped lines of 76", func(s string) string { return wrap(s, 76, `\r\n`) }},
		{"escaped lines of 75", func(s string) string { return wrap(s, 75, `\n`) }},
		{"escaped slashes", func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }},
		{"escaped slashes and plus", func(s string) string {
			return strings.NewReplacer("/", `\/`, "+", `\u002b`).Replace(s)
		}},
	} {
		body := benchBody(5<<20, tt.edit)
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				toWriter(b, strings.NewReader(body), -1)
			}
			speed := float64(len(body)) * float64(b.N) / float64(b.Elapsed())
			if tt.edit == nil {
				plain = speed
			}
			if plain > 0 {
				b.ReportMetric(speed/plain, "×plain-speed")
			}
		})
	}
}

func BenchmarkDecodeGroups(b *testing.B) {
	data := noise(windowSize / 4 * 3)
	src := []byte(base64.StdEncoding.EncodeToString(data))
	dst := make([]byte, windowSize)
	var std float64
	b.Run("encoding-base64", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			_, _ = base64.StdEncoding.Decode(dst, src)
		}
		std = float64(b.Elapsed()) / float64(b.N)
	})
	b.Run("table", func(b *testing.B) {
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			decodeGroups(dst, src)
		}
		b.ReportMetric(std/(float64(b.Elapsed())/float64(b.N)), "×encoding-base64")
	})
}
