// Package publish gives files that are complete the names that they are to be found by.
package publish

import (
	"errors"
	"io/fs"
	"os"
)

// Name makes the closed file temp appear as path, in the same directory, whole or not at all. With overwrite it replaces
// what is there. Otherwise it links, because a rename replaces whatever appeared meanwhile: the error then matches
// fs.ErrExist, and temp may be there still.
func Name(temp, path string, overwrite bool) error {
	if overwrite {
		return os.Rename(temp, path)
	}
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Not every file system has links.
	reserved, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the caller's own
	if err != nil {
		return err
	}
	err = errors.Join(reserved.Close(), os.Rename(temp, path))
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

// SyncDir makes names in dir last. Systems that cannot sync a directory have nothing to do.
func SyncDir(dir string) {
	if d, err := os.Open(dir); err == nil { //nolint:gosec // the caller's own
		_ = d.Sync()
		_ = d.Close()
	}
}
