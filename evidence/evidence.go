// Package evidence saves the photo and video of a liveness check as files: each appears under its name when it is
// complete and on the disk, or not at all.
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

	// Dir is created, for this user alone, when it does not exist. The platform keeps evidence for three days; how
	// long you must and may is a question for your lawyers.
	Dir string

	// WaitForMedia is that of [webanklive.LiveMediaRequest].
	WaitForMedia time.Duration

	// Overwrite replaces files that exist. Otherwise they are an error, found before the network where possible.
	Overwrite bool

	// Progress receives every byte as it is written, photo and video mixed, so that a caller can count them. Nil: none.
	Progress io.Writer
}

// Files are the paths of what was saved: Dir/OrderNo-photo.jpg and Dir/OrderNo-video.mp4, with the extension of what
// came, none when it is unknown. A path is empty when the platform sent no such file.
type Files struct{ Photo, Video string }

// Save streams photo and video into Dir and returns their paths and the result of the check. Files are readable by this
// user alone. On any error no new file is left behind, not even half of one, and none was replaced, unless the file system
// took the photo's name and refuses the video's; the result comes along as it does from StreamLiveMedia.
//
// Errors are those of StreamLiveMedia; one that matches [fs.ErrExist] when a file is there already; and those of the
// file system. Save is safe for concurrent use: of two for the same order, one finds the other's files.
func Save(ctx context.Context, c Source, req Request) (*Files, *webanklive.LiveResult, error) {
	if req.OrderNo != filepath.Base(req.OrderNo) {
		return nil, nil, fmt.Errorf("evidence: %w: OrderNo must not be a path", webanklive.ErrInvalidRequest)
	}
	files := [2]*file{{base: req.OrderNo + "-photo"}, {base: req.OrderNo + "-video"}}
	err := os.MkdirAll(req.Dir, 0o700)
	if err == nil && !req.Overwrite {
		err = refuseExisting(req.Dir, files)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("evidence: %w", err)
	}
	for _, f := range files {
		if f.temp, err = os.CreateTemp(req.Dir, ".evidence-*"); err != nil {
			return nil, nil, fmt.Errorf("evidence: %w", err)
		}
		defer f.discard()
	}

	res, err := c.StreamLiveMedia(ctx, webanklive.LiveMediaRequest{
		OrderNo: req.OrderNo, WaitForMedia: req.WaitForMedia,
		Photo: files[0].writer(req.Progress), Video: files[1].writer(req.Progress),
	})
	if err != nil {
		return nil, res, err
	}
	files[0].size, files[1].size = res.PhotoSize, res.VideoSize
	files[0].path = path(req.Dir, files[0], res.PhotoType)
	files[1].path = path(req.Dir, files[1], res.VideoType)
	if err := name(files, req.Dir, req.Overwrite); err != nil {
		return nil, res, fmt.Errorf("evidence: %w", err)
	}
	return &Files{Photo: files[0].path, Video: files[1].path}, res, nil
}

// file is one of the two on its way.
type file struct {
	base  string // its name without the extension
	temp  *os.File
	size  int64
	path  string // empty: nothing came
	named bool   // it has its name, and did not replace another
}

func (f *file) writer(progress io.Writer) io.Writer {
	if progress == nil {
		return f.temp
	}
	return io.MultiWriter(f.temp, progress)
}

// discard removes what has no name yet.
func (f *file) discard() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}

var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "video/mp4": ".mp4", "video/webm": ".webm",
}

func path(dir string, f *file, kind string) string {
	if f.size == 0 {
		return ""
	}
	return filepath.Join(dir, f.base+extensions[kind])
}

// refuseExisting looks for any file that the evidence could get the name of: its type is not known yet.
func refuseExisting(dir string, files [2]*file) error {
	for _, f := range files {
		for _, extension := range append(slices.Sorted(maps.Values(extensions)), "") {
			name := filepath.Join(dir, f.base+extension)
			if _, err := os.Lstat(name); err == nil {
				return &fs.PathError{Op: "save", Path: name, Err: fs.ErrExist}
			}
		}
	}
	return nil
}

// name gives both files their names once both are on the disk.
func name(files [2]*file, dir string, overwrite bool) error {
	for _, f := range files {
		if err := errors.Join(f.temp.Sync(), f.temp.Close()); err != nil {
			return err
		}
	}
	for _, f := range files {
		if there, err := os.Lstat(f.path); err == nil && !there.Mode().IsRegular() {
			return &fs.PathError{Op: "save", Path: f.path, Err: fs.ErrExist} // found before the other one is replaced
		}
	}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		err := publish.Name(f.temp.Name(), f.path, overwrite)
		if f.named = err == nil && !overwrite; err != nil {
			for _, g := range files {
				if g.named {
					_ = os.Remove(g.path)
				}
			}
			return err
		}
	}
	publish.SyncDir(dir)
	return nil
}
