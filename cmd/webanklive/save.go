package main

// Saving photo and video as files. They get their names when all of them are complete, or none does.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/publish"
)

// saving is the files of one result. A file that was not asked for is nil.
type saving struct {
	photo, video *savedFile
	force        bool
}

type savedFile struct {
	what   string // photo or video
	path   string
	temp   *os.File // beside path, so that it can be renamed
	bytes  int64
	kind   string
	named  bool  // it has its name, and did not replace another
	broken error // of a write
}

// openSaving opens temporary files. It reports before any request what would fail later: a file that exists, a directory that
// does not.
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
		f := &savedFile{what: want.what, path: want.path}
		err := f.available(force)
		if err == nil {
			f.temp, err = os.CreateTemp(filepath.Dir(f.path), ".webanklive-*") // mode 0600
		}
		if err != nil {
			s.discard()
			return nil, f.failed(err)
		}
		*want.file = f
	}
	return s, nil
}

var (
	errExists  = fmt.Errorf("%w (--force replaces it)", fs.ErrExist)
	errSpecial = usageError("is there already and is no plain file")
)

// available returns an error unless f's name is free, or force allows to replace the file with that name.
func (f *savedFile) available(force bool) error {
	if f.path == "-" {
		return usageError("standard output is for the decision")
	}
	info, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.Mode().IsRegular():
		return errSpecial
	case err == nil && !force:
		return errExists
	}
	return err
}

// failed returns err with the flag and the file's name in place of the temporary file's name, which means nothing to the user.
func (f *savedFile) failed(err error) error {
	var (
		path *fs.PathError
		link *os.LinkError
	)
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return &fs.PathError{Op: "--" + f.what, Path: f.path, Err: err}
}

// Write remembers its error, so that it can be reported without the text that the SDK adds.
func (f *savedFile) Write(b []byte) (int, error) {
	n, err := f.temp.Write(b)
	if err != nil {
		f.broken = f.failed(err)
	}
	return n, err
}

// broken returns the error of the first file that could not be written.
func (s *saving) broken() error {
	for _, f := range s.files() {
		if f.broken != nil {
			return f.broken
		}
	}
	return nil
}

// sameFile reports whether x and y may be the same file. It follows links of directories, and ignores case, as some file systems
// do.
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

// writers returns where photo and video are written, nil for what was not asked for.
func (s *saving) writers(bar *progress) (photo, video io.Writer) {
	if s.photo != nil {
		photo = io.MultiWriter(s.photo, &bar.photo)
	}
	if s.video != nil {
		video = io.MultiWriter(s.video, &bar.video)
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
			"the person passed, but the platform has no %s, or not yet; nothing was saved", strings.Join(missing, " and no "))}
	}
	for _, f := range s.files() {
		err := errors.Join(f.temp.Sync(), f.temp.Close())
		if err == nil {
			err = f.available(s.force) // checked for all files before the first one replaces another
		}
		if err != nil {
			return f.failed(err)
		}
	}
	for _, f := range s.files() {
		err := publish.Name(f.temp.Name(), f.path, s.force)
		if f.named = err == nil && !s.force; err != nil {
			for _, g := range s.files() {
				if g.named {
					_ = os.Remove(g.path)
				}
			}
			return f.failed(err)
		}
	}
	for _, f := range s.files() {
		publish.SyncDir(filepath.Dir(f.path))
	}
	return nil
}

// discard removes the temporary files that were not renamed.
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
