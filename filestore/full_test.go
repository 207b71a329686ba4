//go:build linux

package filestore_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
)

// onFullDisk names the directory of the process that may write no file of more than 1,000 bytes.
const onFullDisk = "FILESTORE_TEST_FULL"

func TestValueThatDoesNotFitOnTheDiskLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(onFullDisk)
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "credentials")
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$") //nolint:gosec // this very binary
		cmd.Env = append(os.Environ(), onFullDisk+"="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}

	s, err := filestore.New(dir)
	require.NoError(t, err)
	put := func(value string) error {
		_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			return []byte(value), 0, nil
		})
		return err
	}
	require.NoError(t, put("old"))
	signal.Ignore(syscall.SIGXFSZ)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: 1000}))
	require.ErrorIs(t, put(strings.Repeat("new", 1000)), syscall.EFBIG)
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "old", string(value))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "the value and the lock")
}
