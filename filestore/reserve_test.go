package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
)

func TestUpdate_KeepsRoomWhileFnRuns(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	long := strings.Repeat("a value that is longer than most", 1000)
	room := func() (size int64) {
		for _, name := range files(t, dir) {
			if strings.HasSuffix(name, ".tmp") {
				info, err := os.Stat(filepath.Join(dir, name))
				assert.NoError(t, err)
				size += info.Size()
			}
		}
		return size
	}
	for name, fn := range map[string]func() ([]byte, error){
		"nothing is stored": func() ([]byte, error) { return nil, nil },
		"a value is stored": func() ([]byte, error) { return []byte("short"), nil },
		"an error":          func() ([]byte, error) { return nil, errors.New("refused") },
		"the goroutine ends": func() ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		},
	} {
		fleettest.Store(t, s, key, long)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
				assert.GreaterOrEqual(t, room(), int64(len(long)), name)
				next, err := fn()
				return next, 0, err
			})
		}()
		<-ended
		assert.Zero(t, room(), name)
	}
	fleettest.Store(t, s, key, "short")
	fleettest.WantValue(t, s, key, "short") // with nothing of the room in it
}

func TestUpdate_RemovesLeftoversOfItsKey(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, "value")
	leftover := strings.TrimSuffix(valueFile(t, dir), ".credential") + ".123456.tmp"
	foreign := filepath.Join(dir, "notes.tmp")
	for _, path := range []string{leftover, foreign} {
		require.NoError(t, os.WriteFile(path, []byte("half a val"), 0o600))
	}
	fleettest.WantValue(t, s, key, "value")
	fleettest.Store(t, s, "another key", "value")
	assert.FileExists(t, leftover, "of a key that another process may be at")
	fleettest.Store(t, s, key, "next")
	assert.NoFileExists(t, leftover)
	assert.FileExists(t, foreign, "a file that is not the store's")
	assert.Len(t, files(t, dir), 5, "two values, two locks, and that file")
}

// The last moment to be stopped in: the lock was still there when it was looked at.
func TestUpdate_NothingOfAHolderThatWasStoppedBeforeTheRenameIsStored(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	next := newStore(t, dir)
	err := s.StoppedJustBeforeTheRename(key, func() { fleettest.Store(t, next, key, "the next one's") })
	require.ErrorIs(t, err, filestore.ErrLockLost)
	fleettest.WantValue(t, s, key, "the next one's")
}
