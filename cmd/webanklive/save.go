package main

// Photo and video on their way to the disk: each gets its name when both are complete, or neither does.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/webanklive/webanklive"
)

// saving is the files of one result. Those that nobody asked for are nil.
type saving struct {
	photo, video *savedFile
	force        bool
}

type savedFile struct {
	what  string // photo or video
	path  string
	temp  *os.File // beside path, so that it can be renamed
	bytes int64
	kind  string
	named bool // it has its name, and did not replace another
}

// openSaving finds what it can before the network: a file that exists, a directory that does not.
func openSaving(photo, video string, force bool) (*saving, error) {
	s := &saving{force: force}
	if photo != "" && sameFile(photo, video) {
		return nil, usageError("--photo and --video are the same file")
	}
	for _, want := range []struct {
		what, path string
		file       **savedFile
	}{{"photo", photo, &s.photo}, {"video", video, &s.video}} {
		if want.path == "" {
			continue
		}
		info, err := os.Lstat(want.path)
		switch {
		case err == nil && !info.Mode().IsRegular():
			err = usageError("%s is there already and is no plain file", want.path)
		case err == nil && !force:
			err = &fs.PathError{Op: "save", Path: want.path, Err: errExists}
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		f := &savedFile{what: want.what, path: want.path}
		if err == nil {
			f.temp, err = os.CreateTemp(filepath.Dir(want.path), ".webanklive-*") // mode 0600
		}
		if err != nil {
			s.discard()
			return nil, err
		}
		*want.file = f
	}
	return s, nil
}

var errExists = fmt.Errorf("%w (--force replaces it)", fs.ErrExist)

// sameFile sees through links between directories, and takes no chance with file systems that ignore case.
func sameFile(x, y string) bool {
	dirX, errX := os.Stat(filepath.Dir(x))
	dirY, errY := os.Stat(filepath.Dir(y))
	return errX == nil && errY == nil && os.SameFile(dirX, dirY) && strings.EqualFold(filepath.Base(x), filepath.Base(y))
}

func (s *saving) files() (files []*savedFile) {
	for _, f := range []*savedFile{s.photo, s.video} {
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}

// writers returns nil for what nobody asked for.
func (s *saving) writers(bar *progress) (photo, video io.Writer) {
	if s.photo != nil {
		photo = io.MultiWriter(s.photo.temp, &bar.photo)
	}
	if s.video != nil {
		video = io.MultiWriter(s.video.temp, &bar.video)
	}
	return photo, video
}

// publish gives the files their names once all of them are on the disk.
func (s *saving) publish(res *webanklive.LiveResult) error {
	var missing []string
	for _, f := range s.files() {
		f.bytes, f.kind = res.PhotoSize, res.PhotoType
		if f == s.video {
			f.bytes, f.kind = res.VideoSize, res.VideoType
		}
		if f.bytes == 0 {
			missing = append(missing, f.what)
		}
	}
	if missing != nil {
		return &failure{class: errMediaMissing, text: fmt.Sprintf(
			"the person passed, but the platform has no %s, or not yet; nothing was saved; --wait 30s goes on asking", strings.Join(missing, " and no "))}
	}
	for _, f := range s.files() {
		if err := errors.Join(f.temp.Sync(), f.temp.Close()); err != nil {
			return err
		}
	}
	for _, f := range s.files() {
		if err := f.name(s.force); err != nil {
			for _, g := range s.files() {
				if g.named {
					_ = os.Remove(g.path)
				}
			}
			return err
		}
	}
	for _, f := range s.files() {
		syncDirectory(filepath.Dir(f.path))
	}
	return nil
}

// name renames f. Without force it links instead, because a rename replaces whatever appeared meanwhile.
func (f *savedFile) name(force bool) error {
	if force {
		return os.Rename(f.temp.Name(), f.path)
	}
	err := os.Link(f.temp.Name(), f.path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = f.nameWithoutLinks() // not every file system has links
	}
	f.named = err == nil
	return err
}

func (f *savedFile) nameWithoutLinks() error {
	reserved, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(reserved.Close(), os.Rename(f.temp.Name(), f.path))
	if err != nil {
		_ = os.Remove(f.path)
	}
	return err
}

// syncDirectory makes a name last. Systems that cannot sync a directory have nothing to do.
func syncDirectory(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// discard removes what has no name of its own.
func (s *saving) discard() {
	for _, f := range s.files() {
		_ = f.temp.Close()
		_ = os.Remove(f.temp.Name())
	}
}

func (f *savedFile) report() *fileJSON {
	if f == nil {
		return nil
	}
	return &fileJSON{File: f.path, Bytes: f.bytes, Type: f.kind}
}
