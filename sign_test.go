package webanklive

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

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

func TestSignMatchesTheDocumentedVectors(t *testing.T) {
	t.Parallel()
	match, _ := readVectors(t)
	for _, v := range match {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, v.SHA1, Sign(v.values()...))
		})
	}
}

func TestSignDoesNotMatchTheMisprintedVector(t *testing.T) {
	t.Parallel()
	_, misprinted := readVectors(t)
	v := misprinted[0]
	assert.NotEqual(t, v.Misprinted, Sign(v.values()...))
	// The misprint is the hash of the same values with a stray space after the nonce.
	v.Values["nonce"] += " "
	assert.Equal(t, v.Misprinted, Sign(v.values()...))
}

func TestSignSortsACopyInASCIIOrder(t *testing.T) {
	t.Parallel()
	values := []string{"b", "a", "B", "", "1"}
	got := Sign(values...)
	assert.Equal(t, []string{"b", "a", "B", "", "1"}, values, "the caller's slice moved")
	assert.Equal(t, Sign("1Bab"), got)
	assert.NotEqual(t, Sign("1abB"), got, "upper case comes first")
}

func TestSignTakesAnyNumberOfValuesOfAnyLength(t *testing.T) {
	t.Parallel()
	many := strings.Split("i h g f e d c b a", " ")
	assert.Equal(t, Sign("abcdefghi"), Sign(many...))
	assert.Equal(t, "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", Sign())
	long := strings.Repeat("x", 4000)
	assert.Equal(t, Sign(long+"y"), Sign("y", long))
}

func TestNonceIsUniformOverLettersAndDigits(t *testing.T) {
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
