package filestore

// The lock of one key: a turn among the goroutines of this process, then the operating system's lock among processes.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// How often a waiter looks: spread, so that waiters do not look in step.
const pollAtLeast, pollAtMost = 10 * time.Millisecond, 50 * time.Millisecond

// A queue is what the goroutines of this process share about one key.
type queue struct {
	turn chan struct{} // full while one of them has the lock, or asks the operating system for it

	// What is known of a holder in another process. Only the goroutine whose turn it is reads and writes these fields.
	sign   string        // the last sign of its life
	silent time.Duration // how long it has given no other, without the time in which this process was stopped
	looked time.Time
}

type lock struct {
	store *Store
	queue *queue
	name  string
	file  *flock.Flock
}

// lock waits for the lock of key, or for another value than the one that was there when the wait began, which it then
// returns, and no lock.
func (s *Store) lock(ctx context.Context, key string) (*lock, []byte, error) {
	name := fileName(key)
	l := &lock{store: s, queue: s.queue(name), name: name}
	myTurn, locked := false, false
	defer func() {
		if myTurn && !locked {
			<-l.queue.turn
		}
	}()
	for w := (wait{store: s, key: key}); ; {
		if ctx.Err() != nil {
			if w.began {
				return nil, nil, fmt.Errorf("the lock is held: %w", ctx.Err())
			}
			return nil, nil, ctx.Err()
		}
		enter := l.queue.turn
		if !myTurn {
			select {
			case enter <- struct{}{}:
				myTurn = true
			default:
			}
		}
		if myTurn {
			enter = nil
			free, err := l.tryFile()
			switch {
			case err != nil:
				return nil, nil, fmt.Errorf("take the lock: %w", err)
			case !free:
				l.takeOver(ctx)
			case w.began: // perhaps it was stored just before the lock was released
				if newer, err := w.look(ctx); newer != nil || err != nil {
					_ = l.file.Unlock()
					return nil, newer, err
				}
				fallthrough
			default:
				locked = true
				return l, nil, nil
			}
		}
		newer, err := w.look(ctx)
		if newer != nil || err != nil && ctx.Err() == nil { // the end of ctx is reported above
			return nil, newer, err
		}
		timer := time.NewTimer(pollAtLeast + rand.N(pollAtMost-pollAtLeast)) //nolint:gosec // spreads load, keeps no secret
		select {
		case enter <- struct{}{}:
			myTurn = true
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// A wait remembers the value that was there when it began.
type wait struct {
	store *Store
	key   string
	began bool
	seen  []byte
}

// look returns a value that is there and was not when the wait began.
func (w *wait) look(ctx context.Context) ([]byte, error) {
	value, err := w.store.read(ctx, w.key)
	if err != nil {
		return nil, err
	}
	if w.began && value != nil && !bytes.Equal(value, w.seen) {
		return value, nil
	}
	w.began, w.seen = true, value
	return nil, nil
}

// tryFile asks the operating system for the lock. It makes a new Flock each time: one that is locked would report so again
// without asking, and the file of an older one may have been removed, so that its lock excludes no other process.
func (l *lock) tryFile() (bool, error) {
	if err := l.store.createLock(l.name); err != nil {
		return false, err
	}
	l.file = flock.New(l.path(), flock.SetFlag(lockFlags), flock.SetPermissions(0o600))
	locked, err := l.store.try(l.file)
	if err != nil || !locked {
		return false, err
	}
	if l.held() {
		return true, nil
	}
	_ = l.file.Unlock()
	return false, nil
}

func (l *lock) path() string { return filepath.Join(l.store.dir, l.name+lockSuffix) }

// held reports whether the locked file is still the file under its name, which other processes would lock.
func (l *lock) held() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Lstat(l.path())
	return err == nil && os.SameFile(mine, theirs)
}

// takeOver removes the lock file of a holder that is alive but gave no sign for too long, because it was stopped, or its
// container was paused. The operating system would never take its lock away. That holder cannot store its value any more, see
// sweep.
func (l *lock) takeOver(ctx context.Context) {
	q, now := l.queue, time.Now()
	passed := min(now.Sub(q.looked), 4*pollAtMost) // this process may have been stopped, too
	q.looked = now
	if sign := l.store.signs(l.name); sign != q.sign {
		q.sign, q.silent = sign, 0
		return
	}
	if q.silent += passed; q.silent < l.store.silence {
		return
	}
	// One process at a time, or the second would remove the lock of the first: hence a lock on the directory, which is
	// possible wherever files that are in use can be removed.
	guard := flock.New(l.store.dir, flock.SetFlag(os.O_RDONLY))
	if alone, err := guard.TryLock(); err != nil || !alone {
		return
	}
	defer func() { _ = guard.Unlock() }()
	if l.store.signs(l.name) != q.sign {
		return
	}
	err := os.Remove(l.path())
	q.sign, q.silent = "", 0
	l.store.log.WarnContext(ctx, "filestore: the holder of the lock gave no sign of life; taking its lock away",
		"file", l.path(), "silence", l.store.silence, "error", err)
}

// release does not remove the file: otherwise one process could lock the old file and another a new one.
func (l *lock) release(ctx context.Context) {
	if err := l.file.Unlock(); err != nil {
		l.store.log.WarnContext(ctx, "filestore: the lock could not be released", "file", l.file.Path(), "error", err)
	}
	<-l.queue.turn
}

func (s *Store) queue(name string) *queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		s.queues[name] = q
	}
	return q
}

// probeLock reports a file system that has no locks, or on which two can hold the same lock. The file at path must exist.
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
