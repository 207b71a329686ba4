//go:build !windows

package filestore

// Syncing a directory and repeating a refused operation, on Unix.

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes a rename in dir survive a crash of the machine. File systems that cannot sync a directory report EINVAL or
// ErrUnsupported, which is no error here.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// persist calls do once; on Windows it repeats do.
func persist(do func() error) error { return do() }
