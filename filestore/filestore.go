// Package filestore keeps the credential of package webanklive on disk, so that the processes of one machine share a
// credential, only one process at a time refreshes it, and a restart does not need a new one:
//
//	store, err := filestore.New("/var/lib/shop/webanklive")
//	c, err := webanklive.NewClient(appID, secret, webanklive.WithCredentialStore(store))
//
// For each key there are two files, named after the key's SHA-256: one holds the value, and one is locked while a
// process refreshes it. A process that can read the value can act as the partner for up to two hours. Readers see the old
// value or the new one, whole.
//
// There is no credential when its file is absent, has expired, or was not written whole by this store, which is logged.
// Every other failure is an error, so a full or broken disk is never a reason to mint, that is, to get a new credential.
//
// # Room
//
// Before a mint the store writes, syncs and renames a file as long as the next value. When that fails, the disk is full,
// read-only or broken, and no process mints: [Store.Update] does not call its fn. The value is then written into that file.
// (A file system that never overwrites a block in place, like btrfs or ZFS, may still be full a moment later.)
//
// # Users, groups and root
//
// The directory and the files are their owner's alone (modes 0700 and 0600): New sets the modes of what this user owns. A
// directory of another owner is used when this user can write to it through its group, as on a Kubernetes volume with
// fsGroup (mode 2770 or 2775), and refused when every user can write to it. The files in it are still their writer's
// alone, so all processes need to be the same user.
//
// What root creates, with the command webanklive for instance, is handed over to the owner of the existing value, else to
// the owner of the directory; else the directory's group can read and write it. Root follows no link to a file
// that it would create or lock.
//
// # The lock and its limits
//
// The lock is the operating system's (flock, LockFileEx on Windows): the kernel releases it at once when its holder
// dies. A running holder keeps it, however slow it is, and shows every five seconds that it runs. A stopped holder (SIGSTOP,
// a debugger, a paused container) does not: a process that has waited for 30 seconds takes the lock and does the work.
// When the holder goes on, it finds its lock lost and stores nothing, so the worst is one refresh too many. Meanwhile the
// other processes go on with the credential in memory. On Windows files in use cannot be removed: there the other
// processes wait until the holder goes on.
//
// Removing the lock files while processes run breaks the lock in the same way: Update then refuses to write.
//
// The package is for the processes of one machine and a local file system. Over NFS or SMB such locks are unreliable;
// several machines need package redisstore.
package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/webanklive/webanklive"
)

// ErrLockLost says that the lock file was removed or replaced while [Store.Update] held the lock, perhaps by a process
// that took this one for stopped. The value was not stored.
var ErrLockLost = errors.New("the lock was lost: its file was removed or replaced")

const (
	valueSuffix = ".credential"
	lockSuffix  = ".lock"
	tempSuffix  = ".tmp"
)

// silence is how long the holder of the lock may give no sign of life before another process takes the lock away. The holder
// gives six signs in that time.
const silence = 30 * time.Second

// Store is a [webanklive.CredentialStore] in a directory. It is safe for concurrent use, and any number of stores in
// any number of processes of one user on one machine may share the directory. It holds no file open and runs nothing
// between calls, and needs no Close.
type Store struct {
	dir string
	log *slog.Logger
	try func(*flock.Flock) (bool, error) // takes a lock that is free

	silence time.Duration // after which a holder counts as stopped

	mu     sync.Mutex
	queues map[string]*queue // guarded by mu; by file name
}

var _ webanklive.CredentialStore = (*Store)(nil)

// Option changes one setting of [New]. Options may be given in any order; the last of a kind wins.
type Option func(*Store) error

// WithLogger logs what is in no error: a file that holds no readable value, and a leftover that cannot be removed. The
// default is silent.
func WithLogger(l *slog.Logger) Option {
	return func(s *Store) error {
		if l == nil {
			return errors.New("logger must not be nil")
		}
		s.log = l
		return nil
	}
}

// New returns a store that keeps its files in dir, which should hold nothing else. It creates dir for this user alone
// if it does not exist, and its parents, too. A directory of this user that others may enter is narrowed; one that holds
// other files is refused then, and so is one that every user can write to and that is not this user's: name a new
// directory in it. On Windows a directory inherits who may enter it.
//
// New fails when the disk cannot keep a value, and when its file system does not lock files.
func New(dir string, opts ...Option) (*Store, error) {
	s := &Store{log: slog.New(slog.DiscardHandler), try: (*flock.Flock).TryLock, silence: silence, queues: map[string]*queue{}}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(s); err != nil {
			return nil, fmt.Errorf("filestore: %w", err)
		}
	}
	if err := s.prepare(dir); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return s, nil
}

// prepare makes dir the store's, and fails now rather than when a minted credential is to be written.
func (s *Store) prepare(dir string) error {
	if dir == "" {
		return errors.New("the directory must not be empty")
	}
	abs, err := filepath.Abs(dir) // a later change of the working directory changes nothing
	if err != nil {
		return err
	}
	s.dir = abs
	if err := makeDir(abs); err != nil {
		return fmt.Errorf("create the directory: %w", err)
	}
	if err := s.secure(); err != nil {
		return err
	}
	return s.probe()
}

// Load returns the newest value of key, or an error that matches [webanklive.ErrNoCredential] when there is none, it
// has expired, or the file is not one that this store wrote whole. Any other error means that the file could not be
// read. It does not wait for the lock. The caller owns the returned slice.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.read(ctx, key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("filestore: load: %w", err)
	case value == nil:
		return nil, fmt.Errorf("filestore: load: %w", webanklive.ErrNoCredential)
	}
	return value, nil
}

// Update takes the lock of key, reads the newest value, makes room for the next one, calls fn on the caller's goroutine,
// stores what it returns and releases the lock. Without room fn is not called. A caller that waits for the lock looks at
// the value about thirty times a second and returns it, without calling fn, as soon as it differs from the one that was
// there when the wait began. The end of ctx is reported as ctx's error. Once fn has returned, its value is stored even if
// ctx has ended meanwhile: if a minted token were not stored, the other processes would go on with one that dies. When the
// lock was lost, fn's ctx ends within five seconds, nothing is stored, and the error matches [ErrLockLost]. A ttl that is not
// positive keeps the value until it is replaced. The caller owns the returned slice.
func (s *Store) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	value, err := s.update(ctx, key, fn)
	if err != nil {
		return nil, fmt.Errorf("filestore: update: %w", err)
	}
	return value, nil
}

func (s *Store) update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	l, newer, err := s.lock(ctx, key)
	if newer != nil || err != nil {
		return newer, err
	}
	defer l.release(ctx)

	s.sweep(ctx, key) // before the value is read: from here on, a holder whose lock was lost can store nothing
	current, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	room, err := s.reserve(fileName(key), valueAt+len(current))
	if err != nil {
		return nil, fmt.Errorf("no room for another value, so none was asked for: %w", err)
	}
	defer func() {
		if err := room.discard(); err != nil {
			s.log.WarnContext(ctx, "filestore: a leftover file could not be removed", "error", err)
		}
	}()
	if !l.held() {
		return nil, ErrLockLost
	}
	fnCtx, stop := room.showLife(ctx, l)
	defer stop()
	next, ttl, err := fn(fnCtx, current)
	stop()
	switch {
	case errors.Is(context.Cause(fnCtx), ErrLockLost), err == nil && !l.held():
		return nil, ErrLockLost
	case err != nil:
		return nil, err
	case next == nil:
		return current, nil
	}
	var expires time.Time
	if ttl > 0 {
		expires = time.Now().Add(ttl)
	}
	content, err := encode(key, next, expires)
	if err == nil {
		err = room.become(s.path(key, valueSuffix), content)
	}
	if err != nil {
		return nil, fmt.Errorf("store the value: %w", err)
	}
	return next, nil
}

// read returns the live value of key, nil when there is none.
func (s *Store) read(ctx context.Context, key string) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	path := s.path(key, valueSuffix)
	content, err := readRegular(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.present()
	case err == nil:
		var value []byte
		var expires time.Time
		if value, expires, err = decode(key, content); err == nil {
			if !expires.IsZero() && !time.Now().Before(expires) {
				return nil, nil
			}
			return value, nil
		}
		if errors.Is(err, errNewer) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	case !errors.Is(err, errForeign):
		return nil, err
	}
	s.log.WarnContext(ctx, "filestore: the file holds no credential; treating it as absent", "file", path, "error", err)
	return nil, nil
}

// present returns an error when the directory is missing, for instance because its disk is not mounted. A missing file does
// not mean then that there is no credential.
func (s *Store) present() error {
	_, err := os.Stat(s.dir)
	return err
}

// readRegular reads a file that the store may have written. What is no regular file, or too long, is not read.
func readRegular(path string) ([]byte, error) {
	var content []byte
	err := persist(func() error {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return err
		case !info.Mode().IsRegular(), info.Size() > maxFile: // reading a pipe would block
			return errForeign
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was read only
		content, err = io.ReadAll(io.LimitReader(file, maxFile))
		return err
	})
	return content, err
}

func (s *Store) path(key, suffix string) string { return filepath.Join(s.dir, fileName(key)+suffix) }

// fileName is a name of key that every file system takes, whatever characters key has, and whether or not the file
// system tells upper from lower case.
func fileName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Format shows the directory for every verb.
func (s *Store) Format(f fmt.State, _ rune) {
	if s == nil {
		fmt.Fprint(f, "filestore.Store(nil)")
		return
	}
	fmt.Fprintf(f, "filestore.Store{Dir: %q}", s.dir)
}
