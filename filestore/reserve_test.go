package filestore_test

// What is on the disk while fn runs, and after it.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
)

func TestUpdate_KeepsRoomWhileFnRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	long := strings.Repeat("a value that is longer than most", 1000)
	_, err := s.Update(t.Context(), key, put(long, 0))
	require.NoError(t, err)
	room := func() int64 {
		for _, name := range files(t, dir) {
			if strings.HasSuffix(name, ".tmp") {
				assert.Regexp(t, `^[0-9a-f]{64}\.[0-9]+\.tmp$`, name, "a name of its own")
				info, err := os.Stat(filepath.Join(dir, name))
				require.NoError(t, err)
				return info.Size()
			}
		}
		return 0
	}
	_, err = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.GreaterOrEqual(t, room(), int64(len(long)))
		return nil, 0, nil
	})
	require.NoError(t, err)
	assert.Zero(t, room(), "after nothing was stored")

	_, err = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		return nil, 0, errors.New("refused")
	})
	require.Error(t, err)
	assert.Zero(t, room(), "after an error")

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			runtime.Goexit()
			return nil, 0, nil
		})
	}()
	<-ended
	assert.Zero(t, room(), "after the end of the goroutine")

	_, err = s.Update(t.Context(), key, put("short", 0))
	require.NoError(t, err)
	assert.Zero(t, room())
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "short", string(value), "nothing of the room is in the value")
}

func TestNew_RefusesAFileSystemThatDoesNotLock(t *testing.T) {
	t.Parallel()
	errNoLocks := errors.New("no locks available")
	for name, try := range map[string]func(*flock.Flock) (bool, error){
		"none":        func(*flock.Flock) (bool, error) { return false, errNoLocks },
		"not for one": func(*flock.Flock) (bool, error) { return false, nil },
		"for two":     func(*flock.Flock) (bool, error) { return true, nil },
	} {
		dir := filepath.Join(t.TempDir(), "credentials")
		_, err := filestore.New(dir, filestore.WithTryLock(try))
		require.ErrorContains(t, err, "filestore: the file system of "+dir+" does not lock files, so two processes could refresh at once", name)
		if name == "none" {
			require.ErrorIs(t, err, errNoLocks)
		}
		assert.Empty(t, files(t, dir), name)
	}
}
