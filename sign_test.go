package webanklive

// Signatures against the vectors that the vendor documents, and the random values that are signed.

import (
	"encoding/json"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The values of a launch as the vendor's page has them.
var launchValues = []string{
	"1.0.0", "aabc1457895464", "appId001", "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T", "userID19959248596551",
	"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS",
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// vector is a signature that a vendor page prints.
type vector struct {
	Name       string            `json:"name"`
	Values     map[string]string `json:"values"`
	SHA1       string            `json:"sha1"`
	Misprinted string            `json:"printed_sha1"`
}

func TestSign_MatchesTheDocumentedVectorsButTheMisprintedOne(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors struct{ Match, Misprinted []vector }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.Len(t, vectors.Match, 5)
	require.Len(t, vectors.Misprinted, 1)
	sign := func(v vector) string { return Sign(slices.Collect(maps.Values(v.Values))...) }
	for _, v := range vectors.Match {
		assert.Equal(t, v.SHA1, sign(v), v.Name)
	}
	v := vectors.Misprinted[0]
	assert.NotEqual(t, v.Misprinted, sign(v))
	// The misprint is the hash of the same values with a stray space after the nonce.
	v.Values["nonce"] += " "
	assert.Equal(t, v.Misprinted, sign(v))
}

func TestSign_SortsACopyInASCIIOrder(t *testing.T) {
	t.Parallel()
	values := []string{"b", "a", "B", "", "1"}
	got := Sign(values...)
	assert.Equal(t, []string{"b", "a", "B", "", "1"}, values, "the caller's slice moved")
	assert.Equal(t, Sign("1Bab"), got, "upper case comes first")
}

func TestSign_TakesAnyNumberOfValuesOfAnyLength(t *testing.T) {
	t.Parallel()
	assert.Equal(t, Sign("abcdefghi"), Sign("i", "h", "g", "f", "e", "d", "c", "b", "a"))
	assert.Equal(t, "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", Sign())
	long := strings.Repeat("x", 4000)
	assert.Equal(t, Sign(long+"y"), Sign("y", long))
}

func TestNonce_IsUniformOverLettersAndDigits(t *testing.T) {
	t.Parallel()
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
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { Sign(launchValues...) }), 1.0)
}

//nolint:paralleltest // allocations are counted in the whole process
func TestNonce_AllocatesItsResultOnly(t *testing.T) {
	if info, _ := debug.ReadBuildInfo(); slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector allocates by itself")
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { newNonce() }), 1.0)
}
