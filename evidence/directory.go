package evidence

// Evidence of package checks, kept as files.

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/publish"
)

// Dir keeps the evidence of checks in a directory, which the replicas of a site may share. It is safe for concurrent use.
type Dir struct{ dir string }

// Directory returns the Evidence of checks.Config that keeps photo and video as files in dir, as [Save] does. The
// directory is made, for this user alone, when it does not exist.
func Directory(dir string) Dir { return Dir{dir} }

// Save asks for what is missing of orderNo's photo and video, by one call of fetch at most, and reports whether both are
// kept now. It can be run again, also after a crash, and then keeps each of them once. Errors are those of fetch and of
// the file system.
func (d Dir) Save(ctx context.Context, orderNo string,
	fetch func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (complete bool, err error) {
	files, _, err := Save(ctx, source(fetch), Request{OrderNo: orderNo, Dir: d.dir})
	if errors.Is(err, fs.ErrExist) { // another replica, or an earlier run, was faster
		files, err = d.kept(orderNo)
	}
	if err != nil {
		return false, err
	}
	return files.Photo != "" && files.Video != "", nil
}

// Remove deletes the files of orderNo. No files to delete is no error.
func (d Dir) Remove(_ context.Context, orderNo string) error {
	if err := checkName(orderNo); err != nil {
		return err
	}
	for _, base := range bases(orderNo) {
		for _, path := range (&file{base: base}).names(d.dir) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	publish.SyncDir(d.dir)
	return nil
}

func (d Dir) kept(orderNo string) (*Files, error) {
	var paths [2]string
	for i, base := range bases(orderNo) {
		var err error
		if paths[i], err = (&file{base: base}).find(d.dir); err != nil {
			return nil, err
		}
	}
	return &Files{Photo: paths[0], Video: paths[1]}, nil
}

// source makes a Source of a function.
type source func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)

func (s source) StreamLiveMedia(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	return s(ctx, req)
}
