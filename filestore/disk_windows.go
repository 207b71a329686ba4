package filestore

// What differs between operating systems.

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

// persist repeats do for a while when Windows refuses it because another process has the file open at this moment: a
// reader when it is replaced, a writer when it is opened, or a virus scanner.
func persist(do func() error) error {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := do()
		if !errors.Is(err, errSharingViolation) && !errors.Is(err, fs.ErrPermission) || time.Now().After(end) {
			return err
		}
	}
}
