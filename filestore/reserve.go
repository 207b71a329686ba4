package filestore

// Room for a value, proved before it is asked for, and how it is stored for good.
//
// A credential that was minted and cannot be kept is worse than none: the next process mints again, and kills it. So
// the file of the new value is there, as long as it will be, on the disk and under a name of its own, before fn runs.

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

// A record of a credential takes about 1 KB. What is longer than leastRoom and than the value before it may still fail
// to be written.
const leastRoom = 8 << 10

// A reserve is the file that the next value is written into.
type reserve struct {
	store *Store
	file  *os.File // open all the time: what stands under its name may be another file by then
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
	_, _ = rand.Read(filler) // a file system that compresses would find room for zeros; Read never fails
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

// become stores content for good as the file at path: after it returns, a crash of the machine does not bring the old
// one back.
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
		return ErrLockLost // the next holder swept it away
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
			_, _ = r.file.WriteAt([]byte{0}, 0) // what matters is when
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(over)
		<-ended
		cancel(nil)
	})
}

// signs returns what changes whenever the holder of the lock of name shows that it runs, and when there is another.
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

// discard removes what did not become a value.
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

// sweep removes the reserves of key. Only the holder of its lock makes any, so they are of holders that died, or whose
// lock was lost: those can no longer store a value, because there is nothing left to rename.
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
