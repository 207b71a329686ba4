package publish_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/publish"
)

func TestName_ReplacesOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "path")
	require.NoError(t, os.WriteFile(temp, []byte("new"), 0o600))
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	require.ErrorIs(t, publish.Name(temp, path, false), fs.ErrExist)
	content := func() string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(text)
	}
	assert.Equal(t, "old", content())
	require.NoError(t, publish.Name(temp, path, true))
	assert.Equal(t, "new", content())
	publish.SyncDir(dir)
}

func TestName_ThatFailsLeavesNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, overwrite := range []bool{false, true} {
		require.Error(t, publish.Name(filepath.Join(dir, "no such file"), filepath.Join(dir, "path"), overwrite))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}
