//go:build go1.25

package webanklive

// Signing, random values and the credential read against the way most clients do them. The benchmarks report the metrics,
// "way:unit", that bench puts into its table.

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A benchWay does the same thing n times in its own manner.
type benchWay struct {
	name string
	run  func(n int)
}

// sideBySide runs the ways in turn, batch times each, again and again, and reports the best time of each: a ratio of
// two bests, taken side by side, is one that a busy machine does not bend. Speed is also compared within each turn.
func sideBySide(b *testing.B, batch int, ways ...benchWay) {
	best := make([]float64, len(ways))
	for i, w := range ways {
		best[i] = math.Inf(1)
		w.run(batch / 10)
	}
	for b.Loop() {
		for i, w := range ways {
			start := time.Now()
			w.run(batch)
			best[i] = min(best[i], float64(time.Since(start))/float64(batch))
		}
	}
	b.ReportMetric(0, "ns/op") // of all ways together: says nothing
	for i, w := range ways {
		bytes, allocs := garbage(batch, w.run)
		b.ReportMetric(best[i], w.name+":ns")
		b.ReportMetric(bytes, w.name+":B")
		b.ReportMetric(allocs, w.name+":allocs")
	}
}

// garbage returns what one of n runs allocates. What the measuring itself allocates is rounded away.
func garbage(n int, run func(n int)) (bytes, allocs float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(n)
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.TotalAlloc-before.TotalAlloc) / float64(n)),
		math.Round(float64(after.Mallocs-before.Mallocs) / float64(n))
}

// Results go here, so that the compiler cannot leave the work out.
var (
	sinkText string
	sinkHeld *record
	sinkTime time.Time
)

func BenchmarkSign(b *testing.B) {
	values := launchValues
	joined := []byte(strings.Join(values, ""))
	sideBySide(b, 20_000,
		benchWay{"usual", func(n int) {
			for range n {
				sorted := append([]string(nil), values...)
				sort.Strings(sorted)
				text := ""
				for _, v := range sorted {
					text += v
				}
				sinkText = fmt.Sprintf("%X", sha1.Sum([]byte(text)))
			}
		}},
		benchWay{"SDK", func(n int) {
			for range n {
				sinkText = Sign(values...)
			}
		}},
		benchWay{"floor", func(n int) {
			var text [2 * sha1.Size]byte
			for range n {
				sum := sha1.Sum(joined)
				hex.Encode(text[:], sum[:])
				sinkText = string(text[:])
			}
		}})
}

func BenchmarkNonce(b *testing.B) {
	sideBySide(b, 10_000,
		benchWay{"usual", func(n int) {
			for range n {
				nonce := make([]byte, nonceLength)
				for i := range nonce {
					k, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
					if err != nil {
						b.Error(err)
					}
					nonce[i] = alphabet[k.Int64()]
				}
				sinkText = string(nonce)
			}
		}},
		benchWay{"SDK", func(n int) {
			for range n {
				sinkText = newNonce()
			}
		}},
		benchWay{"floor", func(n int) {
			var random [nonceLength]byte
			for range n {
				rand.Read(random[:])
				sinkText = string(random[:])
			}
		}})
}

// BenchmarkCredentialRead is the warm read that every call begins with, alone and among 1,000 goroutines. Its floor
// is reading the clock, without which nobody can know that a credential is alive.
func BenchmarkCredentialRead(b *testing.B) {
	cache := newWarmCache()
	ctx := context.Background()
	warm, err := cache.get(ctx)
	require.NoError(b, err)

	var mutex sync.Mutex
	var rwMutex sync.RWMutex
	ways := []benchWay{
		{"mutex", func(n int) {
			var h *record
			for range n {
				mutex.Lock()
				if time.Now().Before(warm.ExpiresAt) {
					h = warm
				}
				mutex.Unlock()
			}
			keep(h)
		}},
		{"RWMutex", func(n int) {
			var h *record
			for range n {
				rwMutex.RLock()
				if time.Now().Before(warm.ExpiresAt) {
					h = warm
				}
				rwMutex.RUnlock()
			}
			keep(h)
		}},
		{"SDK", func(n int) {
			var h *record
			for range n {
				h, _ = cache.get(ctx)
			}
			keep(h)
		}},
		{"floor", func(n int) {
			var t time.Time
			for range n {
				t = time.Now()
			}
			keepTime(t)
		}},
	}
	b.Run("alone", func(b *testing.B) { sideBySide(b, 10_000, ways...) })
	b.Run("1000", func(b *testing.B) {
		var crowd []benchWay
		for _, w := range ways {
			crowd = append(crowd, benchWay{w.name, func(n int) {
				var all sync.WaitGroup
				for range 1000 {
					all.Add(1)
					go func() {
						defer all.Done()
						w.run(n / 1000)
					}()
				}
				all.Wait()
			}})
		}
		sideBySide(b, 200_000, crowd...)
	})
}

var sinkLock sync.Mutex

func keep(h *record) {
	sinkLock.Lock()
	defer sinkLock.Unlock()
	sinkHeld = h
}

func keepTime(t time.Time) {
	sinkLock.Lock()
	defer sinkLock.Unlock()
	sinkTime = t
}
