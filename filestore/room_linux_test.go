package filestore_test

// Real disks that are full, read only or broken. Nobody may ask for a value that they cannot keep.

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
)

func TestUpdate_AsksForNothingOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	dir := filepath.Join(disk, "credentials")
	s, err := filestore.New(dir)
	require.NoError(t, err)
	_, err = s.Update(t.Context(), key, put("old", 0))
	require.NoError(t, err)

	fill(t, disk)
	asksForNothing(t, s, syscall.ENOSPC, noRoom)
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "old", string(value))
	assert.Len(t, files(t, dir), 2, "the value and the lock")
	_, err = filestore.New(dir)
	require.ErrorContains(t, err, "filestore: the directory cannot be written to")
	require.ErrorIs(t, err, syscall.ENOSPC)

	require.NoError(t, os.Remove(filepath.Join(disk, "filler")))
	_, err = s.Update(t.Context(), key, put("new", 0))
	require.NoError(t, err)
}

func TestUpdate_AsksForNothingWithoutRoomForAFile(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	s, err := filestore.New(filepath.Join(disk, "credentials"))
	require.NoError(t, err)
	_, err = s.Update(t.Context(), key, put("old", 0))
	require.NoError(t, err)
	for i := 0; err == nil; i++ { // its inodes
		err = os.WriteFile(filepath.Join(disk, strings.Repeat("i", i+1)), nil, 0o600)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	asksForNothing(t, s, syscall.ENOSPC, noRoom)
}

func TestUpdate_StoresOnADiskThatFillsUpMeanwhile(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"short", strings.Repeat("as long as the one before it", 2000)} {
		disk := smallDisk(t)
		s, err := filestore.New(filepath.Join(disk, "credentials"))
		require.NoError(t, err)
		_, err = s.Update(t.Context(), key, put(value, 0))
		require.NoError(t, err)
		next := strings.ToUpper(value)
		_, err = s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			fill(t, disk)
			return []byte(next), 0, nil
		})
		require.NoError(t, err)
		got, err := s.Load(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, next, string(got))
	}
}

func TestUpdate_AsksForNothingOnAReadOnlyDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	s, err := filestore.New(filepath.Join(disk, "credentials"))
	require.NoError(t, err)
	_, err = s.Update(t.Context(), key, put("old", 0))
	require.NoError(t, err)
	require.NoError(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	asksForNothing(t, s, syscall.EROFS, noRoom)
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "old", string(value))
	_, err = filestore.New(filepath.Join(disk, "credentials"))
	require.ErrorIs(t, err, syscall.EROFS)
}

// A disk that breaks: ext4 that was shut down answers every write with an error.
func TestUpdate_AsksForNothingOnABrokenDisk(t *testing.T) {
	t.Parallel()
	disk := mounted(t, func(at string) error {
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			return err
		}
		return errors.Join(os.Truncate(image, 8<<20),
			exec.CommandContext(t.Context(), "mkfs.ext4", "-q", image).Run(),
			exec.CommandContext(t.Context(), "mount", "-o", "loop", image, at).Run())
	})
	s, err := filestore.New(filepath.Join(disk, "credentials"))
	require.NoError(t, err)
	_, err = s.Update(t.Context(), key, put("old", 0))
	require.NoError(t, err)

	const shutDown, withoutFlush = 0x8004587d, 2 // EXT4_IOC_SHUTDOWN
	root, err := os.Open(disk)
	require.NoError(t, err)
	flag := uint32(withoutFlush)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, root.Fd(), shutDown, uintptr(unsafe.Pointer(&flag))) //nolint:gosec // as ioctl wants it
	require.NoError(t, root.Close())
	if errno != 0 {
		t.Skip("this kernel cannot shut ext4 down:", errno)
	}
	asksForNothing(t, s, syscall.EIO, "take the lock")
}

const noRoom = "no room for another value, so none was asked for"

// asksForNothing wants Update to fail with cause before it calls fn, and to say where.
func asksForNothing(t *testing.T, s webanklive.CredentialStore, cause error, where string) {
	t.Helper()
	_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.Fail(t, "fn ran")
		return []byte("new"), 0, nil
	})
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	require.ErrorContains(t, err, "filestore: update: "+where)
}

// smallDisk mounts a disk of 256 KiB, with room for a few files.
func smallDisk(t *testing.T) string {
	t.Helper()
	return mounted(t, func(at string) error {
		return syscall.Mount("tmpfs", at, "tmpfs", 0, "size=256k,nr_inodes=32,mode=0755")
	})
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
