package filestore

// The lock of one key: a channel between the goroutines of this process, then the operating system's between processes.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// How often a waiter asks for the lock of another process: spread, so that waiters do not ask in step.
const pollAtLeast, pollAtMost = 10 * time.Millisecond, 50 * time.Millisecond

type lock struct {
	store  *Store
	inside chan struct{} // emptied to release
	file   *flock.Flock
}

// lock waits for the lock of key.
func (s *Store) lock(ctx context.Context, key string) (*lock, error) {
	l := &lock{store: s, inside: s.inside(fileName(key))}
	select {
	case l.inside <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := l.lockFile(ctx, fileName(key)); err != nil {
		<-l.inside
		return nil, err
	}
	return l, nil
}

func (l *lock) lockFile(ctx context.Context, name string) error {
	path := filepath.Join(l.store.dir, name+lockSuffix)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Another Flock each time: one that was locked would say so again to whoever asks, and one whose file was
		// removed before it was locked locks nothing that others see.
		if err := l.store.createLock(name); err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		l.file = flock.New(path, flock.SetFlag(lockFlags), flock.SetPermissions(0o600))
		locked, err := l.store.try(l.file)
		if err != nil {
			return fmt.Errorf("take the lock: %w", err)
		}
		if locked {
			if l.held() {
				return nil
			}
			_ = l.file.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollAtLeast + rand.N(pollAtMost-pollAtLeast)): //nolint:gosec // spreads load, keeps no secret
		}
	}
}

// held reports whether the file that is locked is the one that others would lock.
func (l *lock) held() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(l.file.Path())
	return err == nil && os.SameFile(mine, theirs)
}

// release leaves the file: to remove it would let one process lock the old file and another a new one.
func (l *lock) release(ctx context.Context) {
	if err := l.file.Unlock(); err != nil {
		l.store.log.WarnContext(ctx, "filestore: the lock could not be released", "file", l.file.Path(), "error", err)
	}
	<-l.inside
}

// inside returns the channel that the goroutines of this process pass the lock of a file with.
func (s *Store) inside(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	inside := s.locks[name]
	if inside == nil {
		inside = make(chan struct{}, 1)
		s.locks[name] = inside
	}
	return inside
}

// probeLock reports a file system that has no locks, or whose locks exclude nobody. The file at path must exist.
func (s *Store) probeLock(path string) error {
	first, second := flock.New(path, flock.SetFlag(lockFlags)), flock.New(path, flock.SetFlag(lockFlags))
	locked, err := s.try(first)
	if err == nil && !locked {
		err = errors.New("a lock that nobody has is not to be had")
	}
	if err == nil {
		if locked, err = s.try(second); err == nil && locked {
			err = errors.New("two have the same lock")
		}
	}
	if err = errors.Join(err, second.Unlock(), first.Unlock()); err != nil {
		return fmt.Errorf("the file system of %s does not lock files, so two processes could refresh at once: %w", s.dir, err)
	}
	return nil
}
