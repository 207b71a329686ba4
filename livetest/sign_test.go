package livetest_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestSign_MatchesTheDocumentedVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors struct {
		Match []struct {
			Name, SHA1 string
			Values     map[string]string
		}
		Misprinted []struct {
			Name        string
			PrintedSHA1 string `json:"printed_sha1"`
			Values      map[string]string
		}
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors.Match)
	require.NotEmpty(t, vectors.Misprinted)
	for _, v := range vectors.Match {
		assert.Equal(t, v.SHA1, livetest.Sign(slices.Collect(maps.Values(v.Values))...), v.Name)
	}
	for _, v := range vectors.Misprinted {
		assert.NotEqual(t, v.PrintedSHA1, livetest.Sign(slices.Collect(maps.Values(v.Values))...), v.Name)
	}
}
