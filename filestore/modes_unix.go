//go:build !windows

package filestore

// Who may read what: modes and owners.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

const others = 0o077 // the bits of group and other users

// lockFlags opens a lock file, and never another file that a link stands for.
const lockFlags = os.O_CREATE | os.O_RDONLY | syscall.O_NOFOLLOW

// renamesOpenFiles says that a file can be renamed while it is open.
const renamesOpenFiles = true

// ours matches the names of the store's files.
var ours = regexp.MustCompile(`^([0-9a-f]{64}|probe)\.`)

// makeDir creates dir for this user alone, and its parents, too. A directory that root creates gets the owner, or the group,
// of its parent.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return err
	case err != nil || os.Geteuid() != 0:
		return err
	}
	parent, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return err
	}
	made, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = made.Close() }()
	uid, gid := owner(parent)
	switch {
	case uid != 0:
		return made.Chown(uid, gid)
	case groupShares(parent):
		return errors.Join(made.Chown(0, gid), made.Chmod(0o770|fs.ModeSetgid))
	}
	return nil
}

// secure makes what this user owns readable by this user alone, and refuses a directory in which every user could put
// a credential of their own.
func (s *Store) secure() error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	uid, _ := owner(info)
	mine := uid == os.Geteuid()
	rootShares := uid == 0 && groupShares(info)
	const everybodyWrites = 0o002
	switch mode := info.Mode(); {
	case mode&everybodyWrites != 0 && (!mine || rootShares || mode&fs.ModeSticky != 0):
		return fmt.Errorf("every user can write to the directory %s (mode %04o): use a new directory in it", s.dir, mode.Perm())
	case !mine || rootShares || mode.Perm()&others == 0:
	default:
		for _, name := range names {
			if !ours.MatchString(name) && name != "lost+found" { // /var/lib, say
				return fmt.Errorf("the directory %s is open to other users (mode %04o) and holds other files (%q): use a new directory in it", s.dir, mode.Perm(), name)
			}
		}
		if err := dir.Chmod(0o700); err != nil {
			return fmt.Errorf("the directory is open to other users: %w", err)
		}
		if info, err = dir.Stat(); err == nil && info.Mode().Perm()&others != 0 {
			err = fmt.Errorf("the directory %s stays open to other users (mode %04o) on its file system", s.dir, info.Mode().Perm())
		}
		if err != nil {
			return err
		}
	}
	if rootShares && mine {
		return nil
	}
	for _, name := range names {
		if ours.MatchString(name) {
			if err := narrow(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// narrow makes a file of this user readable by this user alone.
func narrow(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil // it is another user's, is a link, or was removed
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if uid, _ := owner(info); uid != os.Geteuid() || !info.Mode().IsRegular() || info.Mode().Perm()&others == 0 {
		return nil
	}
	return file.Chmod(0o600)
}

// handOver gives a file that root has just created to the user of the service, so that the service can read what an operator
// wrote: to the owner of the value of name, else the owner of the directory, else the directory's group.
func (s *Store) handOver(created *os.File, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := os.Stat(s.dir)
	if err != nil {
		return err
	}
	uid, gid := owner(dir)
	if value, err := os.Lstat(filepath.Join(s.dir, name+valueSuffix)); err == nil && value.Mode().IsRegular() {
		if valueUID, valueGID := owner(value); valueUID != 0 {
			uid, gid = valueUID, valueGID
		}
	}
	info, err := created.Stat()
	if err != nil {
		return err
	}
	switch by, _ := owner(info); {
	case uid != 0 && uid == by:
	case uid != 0:
		return created.Chown(uid, gid)
	case groupShares(dir):
		return errors.Join(created.Chown(0, gid), created.Chmod(0o660))
	}
	return nil
}

// createLock creates the lock file of name when this process is root's, and hands it over: the service needs it, too.
func (s *Store) createLock(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(s.dir, name+lockSuffix), os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(s.handOver(file, name), file.Close())
}

// groupShares reports whether a directory is open to a group that is not root's, as Kubernetes makes it for fsGroup.
func groupShares(dir fs.FileInfo) bool {
	const groupWrites = 0o030
	_, gid := owner(dir)
	return gid != 0 && dir.Mode()&groupWrites == groupWrites
}

func owner(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}
