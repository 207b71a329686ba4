package filestore

// Syncing a directory and repeating a refused operation, on Windows.

import (
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// syncDir does nothing: Windows syncs no directories, and NTFS keeps a journal of renames.
func syncDir(string) error { return nil }

// errSharingViolation is ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// persist repeats do for up to two seconds while Windows refuses it because another process has the file open: a reader while
// the file is replaced, a writer while it is opened, or a virus scanner.
func persist(do func() error) error {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := do()
		if !errors.Is(err, errSharingViolation) && !errors.Is(err, fs.ErrPermission) || time.Now().After(end) {
			return err
		}
	}
}
