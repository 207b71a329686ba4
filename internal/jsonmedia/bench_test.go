// The scanner without a network, for work on it. The program in bench measures it over HTTP, beside the usual way, other
// libraries and the floor, and judges the targets.

package jsonmedia

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkScan(b *testing.B) {
	video := base64.StdEncoding.EncodeToString(noise(5 << 20))
	for _, style := range []struct{ name, video string }{
		{"plain", video},
		{"escapes", strings.NewReplacer("/", `\/`, "+", `\u002b`).Replace(video)},
		{"escaped lines", wrap(video, 76, `\r\n`)},
		{"raw lines", wrap(video, 76, "\r\n")},
	} {
		body := `{"code":"0","msg":"ok","result":{"orderNo":"a1","video":"` + style.video + `"}}`
		for _, to := range []struct {
			name string
			sink Sink
		}{{"memory", ToMemory()}, {"writer", ToWriter(io.Discard)}} {
			b.Run(style.name+"/"+to.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					_, err := Scan(strings.NewReader(body), Options{
						Fields: testFields, Nested: "result", Length: int64(len(body)), Media: map[string]Sink{"video": to.sink},
					})
					require.NoError(b, err)
				}
			})
		}
	}
}
