package filestore_test

// Processes of one Update or Load each, which may be another user's, may be stopped, or may write no long file.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
)

// The environment of such a process.
const (
	envDo    = "FILESTORE_TEST_DO"
	envDir   = "FILESTORE_TEST_DIR"
	envValue = "FILESTORE_TEST_VALUE"
)

// What such a process does.
const (
	doLoad        = "load"
	doUpdate      = "update"
	doUpdateSmall = "update with files of 1,000 bytes at most"
	doHold        = "update that ends with the standard input"
)

func init() { processMain = endIfAsked }

// endIfAsked ends the process if it is one of those.
func endIfAsked() {
	do, next := os.Getenv(envDo), os.Getenv(envValue)
	if do == "" {
		return
	}
	var value []byte
	s, err := filestore.New(os.Getenv(envDir))
	if do == doUpdateSmall {
		signal.Ignore(syscall.SIGXFSZ)
		err = errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: 1000}))
	}
	switch {
	case err != nil:
	case do == doLoad:
		value, err = s.Load(context.Background(), key)
	case do == doHold:
		value, err = s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			fmt.Println("locked")
			_, err := io.Copy(io.Discard, os.Stdin)
			return []byte(next), 0, err
		})
	default:
		value, err = s.Update(context.Background(), key, fleettest.Put(next, 0))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Print(string(value))
	os.Exit(0)
}

// command returns the process that opens the store in dir and does what is to be done. The binary may lie where another
// user may not go.
func command(t *testing.T, do, dir, value string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), envDo+"="+do, envDir+"="+dir, envValue+"="+value)
	return cmd
}

// outcome runs cmd and returns what it printed as a value, or as an error.
func outcome(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	if err != nil && len(out) > 0 {
		return "", errors.New(string(out))
	}
	return string(out), err
}

func TestUpdate_AStoppedProcessLosesItsLockAndStoresNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "credentials")
	holder := command(t, doHold, dir, "stale")
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

	waiter := newStore(t, dir, filestore.WithSilence(500*time.Millisecond))
	fleettest.Store(t, waiter, key, "the waiter's")

	require.NoError(t, holder.Process.Signal(syscall.SIGCONT))
	require.NoError(t, in.Close())
	line, err = said.ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "the lock was lost")
	fleettest.WantValue(t, waiter, key, "the waiter's")
}
