package filestore

// Room on the disk for a value, proved before the value is minted, and how the value is stored.
//
// A credential that was minted and cannot be stored is worse than none: the next process mints again, and ends it. So the file
// of the new value is on the disk, in its full length and under a temporary name, before fn runs.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A record of a credential takes about 1 KB. Only the write of a value that is longer than leastRoom and longer than the value
// before it can still fail for want of room.
const leastRoom = 8 << 10

// A reserve is the file that the next value is written into.
type reserve struct {
	store *Store
	file  *os.File // stays open, because there may be another file under its name later
	path  string
	size  int64
}

// reserve proves that size bytes can be written, synced and renamed. name is the file name of a key. The lock of that
// key must be held.
func (s *Store) reserve(name string, size int) (*reserve, error) {
	file, err := os.CreateTemp(s.dir, name+".*.new"+tempSuffix) // mode 0600, never a file that was there
	if err != nil {
		return nil, err
	}
	r := &reserve{store: s, file: file, path: file.Name(), size: int64(max(size, leastRoom))}
	if err := r.prove(name); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	return r, nil
}

func (r *reserve) prove(name string) error {
	if err := r.store.handOver(r.file, name); err != nil {
		return err
	}
	filler := make([]byte, r.size)
	_, _ = rand.Read(filler) // random, because a file system that compresses would find room for zeros; Read never fails
	if _, err := r.file.Write(filler); err != nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	if renamesOpenFiles {
		path := strings.TrimSuffix(r.path, ".new"+tempSuffix) + tempSuffix
		if err := os.Rename(r.path, path); err != nil {
			return err
		}
		r.path = path
	}
	return syncDir(r.store.dir)
}

// become stores content as the file at path. After it returns, a crash of the machine does not bring the old file back.
func (r *reserve) become(path string, content []byte) error {
	_, err := r.file.WriteAt(content, 0)
	if err == nil {
		err = r.file.Truncate(int64(len(content)))
	}
	if err == nil {
		err = r.file.Sync()
	}
	err = errors.Join(err, r.file.Close())
	r.file = nil
	if err == nil {
		err = persist(func() error { return os.Rename(r.path, path) })
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrLockLost // the next holder removed it, see sweep
	}
	if err != nil {
		return err
	}
	r.path = ""
	return syncDir(r.store.dir)
}

// showLife shows the processes that wait that this one runs, until stop is called, and ends the context when the lock
// of l is lost.
func (r *reserve) showLife(ctx context.Context, l *lock) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(r.store.silence / 6)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if !l.held() {
				cancel(ErrLockLost)
				return
			}
			_, _ = r.file.WriteAt([]byte{0}, 0) // for the time of the change
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(over)
		<-ended
		cancel(nil)
	})
}

// signs returns a text that changes whenever the holder of the lock of name gives a sign of life, and when another process
// becomes the holder.
func (s *Store) signs(name string) string {
	entries, _ := os.ReadDir(s.dir) // in order
	var signs strings.Builder
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), name+".") || strings.HasSuffix(entry.Name(), valueSuffix) {
			continue
		}
		if info, err := entry.Info(); err == nil {
			fmt.Fprintln(&signs, entry.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return signs.String()
}

// discard removes the file if it did not become a value.
func (r *reserve) discard() error {
	var err error
	if r.file != nil {
		err = r.file.Close()
		r.file = nil
	}
	if r.path != "" {
		if removed := os.Remove(r.path); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}

// sweep removes the reserves of key. Only a holder of its lock makes them, so they belong to holders that died or lost the
// lock. A holder that lost the lock can then store no value, because its file is gone and cannot be renamed.
func (s *Store) sweep(ctx context.Context, key string) {
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, fileName(key)+".") && strings.HasSuffix(name, tempSuffix) {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, name)))
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "filestore: a leftover file could not be removed", "error", err)
	}
}

// probe reports a disk that cannot keep a value, and a file system whose locks cannot be relied upon.
func (s *Store) probe() error {
	r, err := s.reserve("probe", leastRoom)
	if err != nil {
		return fmt.Errorf("the directory cannot be written to: %w", err)
	}
	_ = r.file.Close()
	r.file = nil
	err = s.probeLock(r.path)
	if removed := persist(r.discard); removed != nil {
		err = errors.Join(err, fmt.Errorf("the directory cannot be written to: %w", removed))
	}
	return err
}
