package filestore_test

// Real disks that are full, read only or broken. Nobody may ask for a value that they cannot keep.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
)

const noRoom = "no room for another value, so none was asked for"

func TestUpdate_AsksForNothingThatTheDiskCannotKeep(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		disk  func(t *testing.T) string
		spoil func(t *testing.T, disk, dir string)
		cause error
		where string
	}{
		"full":                  {smallDisk, func(t *testing.T, disk, _ string) { fill(t, disk) }, syscall.ENOSPC, noRoom},
		"no room for a file":    {smallDisk, func(t *testing.T, disk, _ string) { fillInodes(t, disk) }, syscall.ENOSPC, noRoom},
		"read-only":             {smallDisk, remountReadOnly, syscall.EROFS, noRoom},
		"a read-only directory": {parentOfNobodys, func(t *testing.T, _, dir string) { chmod(t, dir, 0o500) }, os.ErrPermission, noRoom},
		"broken":                {ext4, shutDown, syscall.EIO, "take the lock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := tc.disk(t)
			dir := filepath.Join(disk, "credentials")
			s := newStore(t, dir)
			fleettest.Store(t, s, key, "old")
			tc.spoil(t, disk, dir)
			_, err := s.Update(t.Context(), key, fleettest.Refuse(t, "fn ran"))
			require.ErrorIs(t, err, tc.cause)
			require.NotErrorIs(t, err, webanklive.ErrNoCredential)
			require.ErrorContains(t, err, "filestore: update: "+tc.where)
			if name == "broken" {
				return
			}
			fleettest.WantValue(t, s, key, "old")
			assert.Len(t, files(t, dir), 2, "the value and the lock")
			_, err = filestore.New(dir)
			require.ErrorContains(t, err, "filestore: the directory cannot be written to")
			require.ErrorIs(t, err, tc.cause)
		})
	}
}

// The same without a disk that only root can mount.
func TestUpdate_AsksForNothingThatAFileCannotKeep(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, "old")
	_, err := outcome(command(t, doUpdateSmall, dir, "new"))
	require.ErrorContains(t, err, noRoom)
	require.ErrorContains(t, err, "file too large")
	fleettest.WantValue(t, s, key, "old")
	assert.Len(t, files(t, dir), 2, "the value and the lock")
}

func TestUpdate_StoresOnADiskThatFillsUpMeanwhile(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"short", strings.Repeat("as long as the one before it", 2000)} {
		disk := smallDisk(t)
		s := newStore(t, filepath.Join(disk, "credentials"))
		fleettest.Store(t, s, key, value)
		next := strings.ToUpper(value)
		_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			fill(t, disk)
			return []byte(next), 0, nil
		})
		require.NoError(t, err)
		fleettest.WantValue(t, s, key, next)
		require.NoError(t, os.Remove(filepath.Join(disk, "filler")))
		fleettest.Store(t, s, key, "after there was room again")
	}
}

func TestLoad_AFileThatMayNotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	dir := ownedByNobodySpecial(t)
	s := newStore(t, dir)
	fleettest.Store(t, s, key, "value")
	chmod(t, valueFile(t, dir), 0)
	_, err := s.Load(t.Context(), key)
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestLoad_ReadsFromNoPipe(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, "value")
	path := valueFile(t, dir)
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := s.Load(t.Context(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
	fleettest.Store(t, s, key, "value")
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

func parentOfNobodys(t *testing.T) string { return filepath.Dir(ownedByNobodySpecial(t)) }

// chmod changes a mode until the test ends, when the file must be removed.
func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	require.NoError(t, os.Chmod(path, mode))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(path, 0o700)) })
}

// smallDisk mounts a disk of 256 KiB, with room for a few files.
func smallDisk(t *testing.T) string {
	t.Helper()
	return mounted(t, func(at string) error {
		return syscall.Mount("tmpfs", at, "tmpfs", 0, "size=256k,nr_inodes=32,mode=0755")
	})
}

// ext4 mounts a disk that shutDown can break.
func ext4(t *testing.T) string {
	t.Helper()
	return mounted(t, func(at string) error {
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			return err
		}
		return errors.Join(os.Truncate(image, 8<<20),
			exec.CommandContext(t.Context(), "mkfs.ext4", "-q", image).Run(),
			exec.CommandContext(t.Context(), "mount", "-o", "loop", image, at).Run())
	})
}

// shutDown makes an ext4 answer every write with an error.
func shutDown(t *testing.T, disk, _ string) {
	t.Helper()
	const shutDown, withoutFlush = 0x8004587d, 2 // EXT4_IOC_SHUTDOWN
	root, err := os.Open(disk)
	require.NoError(t, err)
	flag := uint32(withoutFlush)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, root.Fd(), shutDown, uintptr(unsafe.Pointer(&flag))) //nolint:gosec // as ioctl wants it
	require.NoError(t, root.Close())
	if errno != 0 {
		t.Skip("this kernel cannot shut ext4 down:", errno)
	}
}

func remountReadOnly(t *testing.T, disk, _ string) {
	t.Helper()
	require.NoError(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
}

func mounted(t *testing.T, mount func(at string) error) string {
	t.Helper()
	needsRoot(t)
	at := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.Mkdir(at, 0o700))
	if err := mount(at); err != nil {
		t.Skip("cannot mount a file system:", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(at, syscall.MNT_DETACH)) })
	return at
}

// fill leaves no room on disk.
func fill(t *testing.T, disk string) {
	t.Helper()
	file, err := os.Create(filepath.Join(disk, "filler"))
	require.NoError(t, err)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
}

// fillInodes leaves no room for another file.
func fillInodes(t *testing.T, disk string) {
	t.Helper()
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(disk, strings.Repeat("i", i+1)), nil, 0o600)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}
