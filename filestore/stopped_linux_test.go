package filestore_test

import (
	"bufio"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
)

func TestUpdate_AStoppedProcessLosesItsLockAndStoresNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "credentials")
	holder := command(t, "hold", dir, "stale")
	in, err := holder.StdinPipe()
	require.NoError(t, err)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", line)
	require.NoError(t, holder.Process.Signal(syscall.SIGSTOP))

	waiter, err := filestore.New(dir, filestore.WithSilence(500*time.Millisecond))
	require.NoError(t, err)
	value, err := waiter.Update(t.Context(), key, put("the waiter's", 0))
	require.NoError(t, err)
	assert.Equal(t, "the waiter's", string(value))

	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	require.NoError(t, in.Close())
	line, err = said.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "the lock was lost")
	value, err = waiter.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "the waiter's", string(value))
}
