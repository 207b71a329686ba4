package filestore_test

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/logtest"
)

func TestUpdate_RefusesAValueThatIsTooLong(t *testing.T) {
	t.Parallel()
	_, s := newDir(t)
	_, err := s.Update(t.Context(), key, fleettest.Put(strings.Repeat("v", 16<<20), 0))
	require.ErrorContains(t, err, "too long")
	_, err = s.Load(t.Context(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestLoad_AFileThatIsNotAWholeValueIsAbsent(t *testing.T) {
	t.Parallel()
	log := &logtest.Log{}
	dir, s := newDir(t, filestore.WithLogger(log.Logger()))
	fleettest.Store(t, s, key, secret)
	path := valueFile(t, dir)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(whole), secret)

	damaged := map[string][]byte{
		"empty":          {},
		"garbage":        []byte("this is not what you are looking for, and it is longer than a header would be"),
		"zeros":          make([]byte, len(whole)),
		"too long":       append(bytes.Clone(whole), 'x'),
		"an older one":   append(append([]byte("WBLCRED\x00"), whole[8:]...), 'x'),
		"too big a file": append(bytes.Clone(whole), make([]byte, 16<<20)...),
	}
	for cut := range whole {
		damaged["cut to "+strconv.Itoa(cut)] = whole[:cut]
		if cut != 7 { // the version: the file of a newer one is left alone
			flipped := bytes.Clone(whole)
			flipped[cut] ^= 0x10
			damaged["bit in byte "+strconv.Itoa(cut)] = flipped
		}
	}
	for name, content := range damaged {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		log.Reset()
		_, err := s.Load(t.Context(), key)
		require.ErrorIs(t, err, webanklive.ErrNoCredential, name)
		require.Contains(t, log.String(), "level=WARN", name)
		require.NotContains(t, log.String(), "MARKER", name)
	}

	// A lost value is made again, and whatever is in its place is replaced.
	_, err = s.Update(t.Context(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		assert.Nil(t, current)
		return []byte("again"), 0, nil
	})
	require.NoError(t, err)
	fleettest.WantValue(t, s, key, "again")

	another := strings.ToLower(key) // as long
	require.NoError(t, os.Remove(path))
	fleettest.Store(t, s, another, "value")
	require.NoError(t, os.WriteFile(valueFile(t, dir), whole, 0o600))
	_, err = s.Load(t.Context(), another)
	require.ErrorIs(t, err, webanklive.ErrNoCredential, "the file of another key")
}

func TestUpdate_ADirectoryInPlaceOfTheValueIsAnErrorThatLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, "value")
	path := valueFile(t, dir)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err := s.Load(t.Context(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(t.Context(), key, fleettest.Put("value", 0))
	require.Error(t, err, "a directory cannot be replaced")
	assert.Len(t, files(t, dir), 2, "a temporary file was left")
}

func TestStore_LeavesTheFileOfANewerVersionAlone(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, secret)
	path := valueFile(t, dir)
	newer, err := os.ReadFile(path)
	require.NoError(t, err)
	newer[7]++
	require.NoError(t, os.WriteFile(path, newer, 0o600))
	fleettest.WantRefusal(t, s, key, "newer version")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, newer, after)
}
