//go:build unix

package main

// doctor, the file part: owners and modes of the files.

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner fails when the service cannot read a credential that another user has written, as root may have, and when every user
// can read it.
func (d *doctor) owner(dir string) {
	info, err := os.Stat(dir)
	if err != nil {
		d.add(nameOwner, checkFailed, "%v", err)
		return
	}
	text, wrong := ownedBy("directory", info), ""
	dirOwner, _ := idsOf(info)
	if info.Mode().Perm()&0o002 != 0 {
		wrong = "every user can write to the directory"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.credential")) // fails for a bad pattern only
	for _, file := range files {
		info, err := os.Lstat(file)
		if err != nil {
			continue // replaced meanwhile
		}
		text += "; " + ownedBy("credential", info)
		owner, _ := idsOf(info)
		switch mode := info.Mode().Perm(); {
		case mode&0o007 != 0:
			wrong = "every user can read the credential, and act as the partner: make it mode 0600"
		case owner != dirOwner && dirOwner != 0 && mode&0o040 == 0:
			wrong = "the owner of the directory cannot read the credential: give it to that user"
		}
	}
	if wrong != "" {
		d.add(nameOwner, checkFailed, "%s (%s)", wrong, text)
		return
	}
	d.add(nameOwner, checkOK, "%s", text)
}

func ownedBy(what string, info fs.FileInfo) string {
	uid, gid := idsOf(info)
	return fmt.Sprintf("%s of %s, group %s, mode %04o", what, userName(uid), groupName(gid), info.Mode().Perm())
}

func idsOf(info fs.FileInfo) (uid, gid uint32) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid, stat.Gid
	}
	return 0, 0
}

// userName returns the name of a user, or the number where the machine knows no name, as in a container.
func userName(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(text); err == nil {
		return u.Username
	}
	return text
}

func groupName(id uint32) string {
	text := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(text); err == nil {
		return g.Name
	}
	return text
}
