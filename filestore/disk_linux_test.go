package filestore_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
)

func TestAReadOnlyDirectoryIsAnError(t *testing.T) {
	t.Parallel()
	dir := ownedByNobodySpecial(t)
	s, err := filestore.New(dir)
	require.NoError(t, err)
	_, err = s.Update(context.Background(), key, put("value", 0))
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700) //nolint:errcheck // so that it can be removed

	_, err = filestore.New(dir)
	require.ErrorContains(t, err, "filestore: the directory cannot be written to")
	require.ErrorIs(t, err, os.ErrPermission)

	value, err := s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
	_, err = s.Update(context.Background(), key, put("next", 0))
	require.ErrorIs(t, err, os.ErrPermission)
	value, err = s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Equal(t, "value", string(value))
}

func TestAFileThatMayNotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	dir := ownedByNobodySpecial(t)
	s, err := filestore.New(dir)
	require.NoError(t, err)
	_, err = s.Update(context.Background(), key, put("value", 0))
	require.NoError(t, err)
	require.NoError(t, os.Chmod(valueFile(t, dir), 0))
	_, err = s.Load(context.Background(), key)
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestAPipeIsNotReadFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	_, err := s.Update(context.Background(), key, put("value", 0))
	require.NoError(t, err)
	path := valueFile(t, dir)
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err = s.Load(context.Background(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(context.Background(), key, put("value", 0))
	require.NoError(t, err)
}

// ownedByNobodySpecial returns a directory of the user who runs the test. Permission bits do not bind root, so root
// becomes nobody for files, on this goroutine's thread, until the test ends.
func ownedByNobodySpecial(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.Mkdir(dir, 0o700))
	if os.Geteuid() == 0 {
		const nobody = 65534
		require.NoError(t, os.Chown(dir, nobody, nobody))
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
		runtime.LockOSThread()
		require.NoError(t, syscall.Setfsuid(nobody))
		t.Cleanup(func() { // before the directory is removed
			if assert.NoError(t, syscall.Setfsuid(0)) {
				runtime.UnlockOSThread()
			}
		})
	}
	return dir
}
