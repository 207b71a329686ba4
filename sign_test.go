package webanklive

// Signatures against the vectors that the vendor documents, and against the way most clients make them: BenchmarkSign and
// BenchmarkNonce report the metrics, "way:unit", that bench puts into its table.

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vector is a signature that a vendor page prints.
type vector struct {
	Name       string            `json:"name"`
	Values     map[string]string `json:"values"`
	SHA1       string            `json:"sha1"`
	Misprinted string            `json:"printed_sha1"`
}

func (v vector) values() []string {
	var values []string
	for _, value := range v.Values {
		values = append(values, value)
	}
	return values
}

func readVectors(t *testing.T) (match, misprinted []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors struct{ Match, Misprinted []vector }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.Len(t, vectors.Match, 5)
	require.Len(t, vectors.Misprinted, 1)
	return vectors.Match, vectors.Misprinted
}

func TestSign_MatchesTheDocumentedVectors(t *testing.T) {
	t.Parallel()
	match, _ := readVectors(t)
	for _, v := range match {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, v.SHA1, Sign(v.values()...))
		})
	}
}

func TestSign_DoesNotMatchTheMisprintedVector(t *testing.T) {
	t.Parallel()
	_, misprinted := readVectors(t)
	v := misprinted[0]
	assert.NotEqual(t, v.Misprinted, Sign(v.values()...))
	// The misprint is the hash of the same values with a stray space after the nonce.
	v.Values["nonce"] += " "
	assert.Equal(t, v.Misprinted, Sign(v.values()...))
}

func TestSign_SortsACopyInASCIIOrder(t *testing.T) {
	t.Parallel()
	values := []string{"b", "a", "B", "", "1"}
	got := Sign(values...)
	assert.Equal(t, []string{"b", "a", "B", "", "1"}, values, "the caller's slice moved")
	assert.Equal(t, Sign("1Bab"), got)
	assert.NotEqual(t, Sign("1abB"), got, "upper case comes first")
}

func TestSign_TakesAnyNumberOfValuesOfAnyLength(t *testing.T) {
	t.Parallel()
	many := strings.Split("i h g f e d c b a", " ")
	assert.Equal(t, Sign("abcdefghi"), Sign(many...))
	assert.Equal(t, "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", Sign())
	long := strings.Repeat("x", 4000)
	assert.Equal(t, Sign(long+"y"), Sign("y", long))
}

func TestNonce_IsUniformOverLettersAndDigits(t *testing.T) {
	t.Parallel()
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	counts := map[byte]int{}
	const nonces = 1_000_000 / nonceLength
	for range nonces {
		nonce := newNonce()
		require.Len(t, nonce, nonceLength)
		for i := range len(nonce) {
			counts[nonce[i]]++
		}
	}
	expected := float64(nonces*nonceLength) / float64(len(alphabet))
	chiSquared := 0.0
	for symbol, n := range counts {
		require.Contains(t, alphabet, string(symbol))
		chiSquared += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	// 61 degrees of freedom: one run in a hundred million exceeds 139. A modulo of 62 comes to some 6,000.
	assert.Less(t, chiSquared, 139.0)
	assert.Len(t, counts, len(alphabet))
}

// WithNonce gives a client a fixed random value, so that whole links and queries can be golden.
func WithNonce(nonce string) Option {
	return func(o *options) error {
		o.nonce = func() string { return nonce }
		return nil
	}
}

//nolint:paralleltest // allocations are counted in the whole process
func TestSign_AllocatesItsResultOnly(t *testing.T) {
	values := []string{
		"1.0.0", "aabc1457895464", "appId001", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T", "userID19959248596551",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { Sign(values...) }), 1.0)
}

//nolint:paralleltest // allocations are counted in the whole process
func TestNonce_AllocatesItsResultOnly(t *testing.T) {
	if info, _ := debug.ReadBuildInfo(); slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector allocates by itself")
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { newNonce() }), 1.0)
}

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
	values := []string{
		"1.0.0", "aabc1457895464", "appId001", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T", "userID19959248596551",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
	}
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
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
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
