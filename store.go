package webanklive

// Where the credential is kept, or where it comes from: two interfaces, and the store that is this process's memory.

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// A CredentialStore keeps the credential of an app ID for every process that shares the store, and makes sure that
// only one of them refreshes it at a time. It must be safe for concurrent use.
//
// The bytes are opaque to a store and are a bearer secret: whoever reads them can act as the partner for up to two
// hours. No error of a store may quote them. A key holds no secret, only printable ASCII, and is at most a few hundred
// bytes long; it may contain characters that a file name may not.
//
// The honest limit of every lock with a lease: a holder that was suspended for longer than its lease does not know
// it. So a store refuses the write of such a holder, and nothing worse happens than one refresh too many.
type CredentialStore interface {
	// Load returns the newest value of key, or an error that matches [ErrNoCredential] when there is none or it has
	// expired. Any other error means that the store does not work, which is not the same: the client then goes on
	// with what it remembers and never mints. The caller owns the returned slice.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update takes the fleet-wide lock of key, reads the newest value, calls fn, stores what fn returns, and releases the
	// lock. It waits for the lock as long as ctx lives, looks at the value meanwhile, and returns it, without calling fn,
	// as soon as it differs from the one that was there when the wait began: another process has done the work. So it
	// calls fn at most once. A value that only expires or is removed ends no wait.
	//
	// The value is stored only while the lock is still held. When the lock is lost Update returns an error, and the ctx
	// that fn got ends as soon as the store notices. It returns the value that is stored in the end, nil when there is none, and fn's
	// error, wrapped or as it is, when fn failed; then nothing was stored. What fn returns is stored, and the lock is
	// released, even if ctx ends meanwhile; the lock is released, too, if fn panics or ends its goroutine.
	Update(ctx context.Context, key string, fn UpdateFunc) ([]byte, error)
}

// An UpdateFunc runs while the lock of a key is held. current is the newest value, nil when there is none; it was
// read after the lock was taken, because another process may have done the work meanwhile. It must not be kept or
// modified. A nil next stores nothing; an empty one is a value. The value expires after ttl; one that is not positive
// keeps it until it is replaced.
type UpdateFunc func(ctx context.Context, current []byte) (next []byte, ttl time.Duration, err error)

// A CredentialSource hands out the credential of a central token service (中控), see [WithCredentialSource]. It must
// be safe for concurrent use. A client asks it about every 25 seconds while it is busy, at most once a second while
// callbacks come whose signature does not match, one call at a time, and remembers the answer in between. Its errors are
// logged and returned, so they must hold no secret; of a *url.Error only the cause is kept. An *[Error] keeps its class.
type CredentialSource interface {
	// Credential returns the newest credential. AccessToken and SignTicket are required. A zero ExpiresAt means
	// that the source does not know; an empty PreviousSignTicket that it keeps none.
	Credential(ctx context.Context) (Credential, error)

	// Invalidate reports, perhaps more than once, that the platform refused refused. The source checks whether that is
	// still its newest one and, if so, gets another; the next call of Credential brings it. The calls that were refused
	// wait for it, so it should return soon.
	Invalidate(ctx context.Context, refused Credential)
}

// NewMemoryStore returns a CredentialStore in this process's memory: the default, one for each [Client]. Make it
// yourself only to share it among several clients for one app ID in one process.
func NewMemoryStore() CredentialStore {
	return &memoryStore{entries: map[string]*memoryEntry{}}
}

type memoryStore struct {
	mu      sync.Mutex
	entries map[string]*memoryEntry
}

type memoryEntry struct {
	lock    chan struct{} // full while an UpdateFunc runs: a mutex that a waiter can leave
	value   []byte        // guarded by memoryStore.mu; nil: none
	expires time.Time     // likewise; zero: never
	changed chan struct{} // likewise; closed when the value is replaced
}

func (s *memoryStore) Load(_ context.Context, key string) ([]byte, error) {
	if value := s.read(key); value != nil {
		return value, nil
	}
	return nil, ErrNoCredential
}

func (s *memoryStore) Update(ctx context.Context, key string, fn UpdateFunc) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err() // a select takes a free lock all the same, half the time
	}
	entry := s.entry(key)
	s.mu.Lock()
	changed := entry.changed
	s.mu.Unlock()
	select {
	case entry.lock <- struct{}{}:
	default:
		select {
		case entry.lock <- struct{}{}:
		case <-changed:
			return s.read(key), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-entry.lock }()

	current := s.read(key)
	select {
	case <-changed:
		return current, nil
	default:
	}
	next, ttl, err := fn(ctx, current)
	switch {
	case err != nil:
		return nil, err
	case next == nil:
		return current, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.value, entry.expires = bytes.Clone(next), time.Time{}
	close(entry.changed)
	entry.changed = make(chan struct{})
	if ttl > 0 {
		entry.expires = time.Now().Add(ttl)
	}
	return next, nil
}

// Format shows nothing that is stored, for every verb.
func (s *memoryStore) Format(f fmt.State, _ rune) { fmt.Fprint(f, "webanklive.MemoryStore") }

// read returns a copy of the live value of key, nil when there is none.
func (s *memoryStore) read(key string) []byte {
	entry := s.entry(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !entry.expires.IsZero() && !time.Now().Before(entry.expires) {
		return nil
	}
	return bytes.Clone(entry.value)
}

func (s *memoryStore) entry(key string) *memoryEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.entries[key]
	if entry == nil {
		entry = &memoryEntry{lock: make(chan struct{}, 1), changed: make(chan struct{})}
		s.entries[key] = entry
	}
	return entry
}
