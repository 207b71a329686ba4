package filestore_test

// Processes of one Update or Load each, which may be another user's.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/webanklive/webanklive/filestore"
)

// The environment of such a process.
const (
	envDo    = "FILESTORE_TEST_DO" // "load", "update", "hold": an update that ends with the standard input
	envDir   = "FILESTORE_TEST_DIR"
	envValue = "FILESTORE_TEST_VALUE"
)

// processMain ends the process if it is one of those.
func processMain() {
	do := os.Getenv(envDo)
	if do == "" {
		return
	}
	var value []byte
	s, err := filestore.New(os.Getenv(envDir))
	switch {
	case err != nil:
	case do == "hold":
		value, err = s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			fmt.Println("locked")
			_, err := io.Copy(io.Discard, os.Stdin)
			return []byte(os.Getenv(envValue)), 0, err
		})
	case do == "load":
		value, err = s.Load(context.Background(), key)
	default:
		value, err = s.Update(context.Background(), key, put(os.Getenv(envValue), 0))
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
