// Package evidence saves the photo and video of a liveness check as files. A file appears under its name only when it is
// complete and on the disk.
//
// With package checks, [Directory] is the Evidence of its Config:
//
//	checks.Config{Evidence: evidence.Directory("/var/lib/shop/evidence")}
//
// Without it, call [Save] for an order that passed, and again until both paths are there:
//
//	files, result, err := evidence.Save(ctx, client, evidence.Request{OrderNo: orderNo, Dir: "/var/lib/shop/evidence"})
package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/publish"
)

// Source is what Save needs of a [webanklive.Client].
type Source interface {
	StreamLiveMedia(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)
}

// Request says what to save where.
type Request struct {
	OrderNo string

	// Dir is created, for this user alone, when it does not exist. The platform promises no time for which it keeps
	// evidence, so save it at once; how long you must and may keep it is a question for your lawyers.
	Dir string

	// WaitForMedia is that of [webanklive.LiveMediaRequest].
	WaitForMedia time.Duration

	// Overwrite fetches both files and replaces those that exist. Otherwise a file that exists is not fetched again.
	Overwrite bool

	// Progress receives every byte as it is written, photo and video mixed, so that a caller can count them. Nil: none.
	Progress io.Writer
}

// Files are the paths of what is saved, by this run or an earlier one: Dir/OrderNo-photo.jpg and Dir/OrderNo-video.mp4,
// with the extension of what came, none when its type is unknown. A path is empty when there is no such file yet.
type Files struct{ Photo, Video string }

// Save streams photo and video into Dir and returns their paths and the result of the check. Files are readable by this
// user alone.
//
// Call Save again until both paths are there: the platform may send the photo and not yet the video, or a run may end
// between the two. Save then fetches what is missing. The sizes in the result are of what this run fetched. An error leaves
// complete files or none, and the result is returned as by StreamLiveMedia. Temporary files of killed runs, named
// .evidence-*, are removed when they are older than an hour.
//
// Errors are those of StreamLiveMedia and of the file system. Besides, an error matches [fs.ErrExist] when every file that
// came exists already (before the network, when both exist), or when a directory, for instance, has the name of a file.
// Save is safe for concurrent use: of two calls for one order in one process, the second finds the files of the first.
func Save(ctx context.Context, c Source, req Request) (*Files, *webanklive.LiveResult, error) {
	if err := checkName(req.OrderNo); err != nil {
		return nil, nil, err
	}
	base := bases(req.OrderNo)
	photo, video := &file{base: base[0]}, &file{base: base[1]}
	files := []*file{photo, video}
	if err := prepare(req, files); err != nil {
		return nil, nil, fmt.Errorf("evidence: %w", err)
	}
	defer photo.discard()
	defer video.discard()

	res, err := c.StreamLiveMedia(ctx, webanklive.LiveMediaRequest{
		OrderNo: req.OrderNo, WaitForMedia: req.WaitForMedia,
		Photo: photo.writer(req.Progress), Video: video.writer(req.Progress),
	})
	if err != nil {
		return nil, res, err
	}
	photo.came(req.Dir, res.PhotoSize, res.PhotoType)
	video.came(req.Dir, res.VideoSize, res.VideoType)
	if err := publishAll(files, req); err != nil {
		return nil, res, fmt.Errorf("evidence: %w", err)
	}
	return &Files{Photo: photo.path, Video: video.path}, res, nil
}

// checkName refuses an order number that would leave the directory.
func checkName(orderNo string) error {
	if orderNo == "" || orderNo != filepath.Base(orderNo) {
		return fmt.Errorf("evidence: %w: OrderNo must be a name, not a path", webanklive.ErrInvalidRequest)
	}
	return nil
}

// bases are the names of an order's files, without their extensions.
func bases(orderNo string) [2]string { return [2]string{orderNo + "-photo", orderNo + "-video"} }

// file is one of the two.
type file struct {
	base string   // its name without the extension
	temp *os.File // what is being fetched; nil: not asked for, because it is there
	path string   // where it is, or will be; empty: nowhere
	new  bool     // this run brought it
}

// prepare looks for what is there and opens temporary files for the rest.
func prepare(req Request, files []*file) error {
	if err := os.MkdirAll(req.Dir, 0o700); err != nil {
		return err
	}
	sweep(req.Dir)
	missing := false
	for _, f := range files {
		path, err := f.find(req.Dir)
		if err != nil {
			return err
		}
		if !req.Overwrite {
			f.path = path
		}
		missing = missing || f.path == ""
	}
	if !missing {
		return exists(files[0].path)
	}
	for _, f := range files {
		if f.path != "" {
			continue
		}
		var err error
		if f.temp, err = os.CreateTemp(req.Dir, temporary+"*"); err != nil {
			for _, g := range files {
				g.discard()
			}
			return err
		}
	}
	return nil
}

func exists(path string) error { return &fs.PathError{Op: "save", Path: path, Err: fs.ErrExist} }

const (
	temporary = ".evidence-"
	killedAge = time.Hour // longer than any run that lives
)

// sweep removes the temporary files of runs that were killed.
func sweep(dir string) {
	d, err := os.Open(dir) //nolint:gosec // the caller's own
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	for {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			if !strings.HasPrefix(name, temporary) {
				continue
			}
			path := filepath.Join(dir, name)
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > killedAge {
				_ = os.Remove(path)
			}
		}
		if err != nil {
			return
		}
	}
}

var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/bmp": ".bmp", "image/gif": ".gif", "image/webp": ".webp",
	"image/heic": ".heic", "video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm", "video/x-msvideo": ".avi",
}

// names returns every path that f may have: its type is not known until it came.
func (f *file) names(dir string) (paths []string) {
	for _, extension := range append(slices.Sorted(maps.Values(extensions)), "") {
		paths = append(paths, filepath.Join(dir, f.base+extension))
	}
	return paths
}

// find returns the path of f in dir, empty if it is not there. An empty file is what a run that was killed may leave on a
// file system without links.
func (f *file) find(dir string) (string, error) {
	for _, path := range f.names(dir) {
		switch info, err := os.Lstat(path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", err
		case !info.Mode().IsRegular():
			return "", exists(path)
		case info.Size() > 0:
			return path, nil
		}
	}
	return "", nil
}

func (f *file) writer(progress io.Writer) io.Writer {
	switch {
	case f.temp == nil:
		return nil
	case progress == nil:
		return f.temp
	}
	return io.MultiWriter(f.temp, progress)
}

// came says where what was fetched belongs.
func (f *file) came(dir string, size int64, kind string) {
	if f.temp != nil && size > 0 {
		f.path, f.new = filepath.Join(dir, f.base+extensions[kind]), true
	}
}

// discard removes what has no name yet.
func (f *file) discard() {
	if f.temp != nil {
		_ = f.temp.Close()
		_ = os.Remove(f.temp.Name())
	}
}

// naming makes the two names of one run appear together for the other runs of this process.
var naming sync.Mutex

// publishAll gives what came its name once all of it is on the disk.
func publishAll(files []*file, req Request) error {
	for _, f := range files {
		if f.new {
			if err := errors.Join(f.temp.Sync(), f.temp.Close()); err != nil {
				return err
			}
		}
	}
	naming.Lock()
	defer naming.Unlock()
	found := make([]string, len(files))
	for i, f := range files { // all the looking first, so that nothing is replaced when something is in the way
		var err error
		if found[i], err = f.find(req.Dir); err != nil {
			return err
		}
	}
	came, named := "", false
	for i, f := range files {
		if f.new {
			came = f.path
		}
		if !f.new || found[i] != "" && !req.Overwrite {
			f.path = found[i] // an earlier run's, or one that appeared meanwhile
			continue
		}
		if err := f.publish(req); err != nil {
			return err
		}
		named = true
	}
	if came != "" && !named {
		return exists(came)
	}
	publish.SyncDir(req.Dir)
	return nil
}

// publish gives f its name. It replaces an earlier file, also one of another type, when that was asked for, and an empty
// one.
func (f *file) publish(req Request) error {
	if err := publish.Name(f.temp.Name(), f.path, req.Overwrite || isEmpty(f.path)); err != nil {
		return err
	}
	for _, path := range f.names(req.Dir) {
		if path != f.path && (req.Overwrite || isEmpty(path)) {
			_ = os.Remove(path)
		}
	}
	return nil
}

func isEmpty(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}
