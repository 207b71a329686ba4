package webanklive

// Where the credential is kept: the interface, the store that is this process's memory, and how a client works with one.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A CredentialStore keeps the credential of an app ID for every process that shares the store, and makes sure that
// only one of them refreshes it at a time. It must be safe for concurrent use.
//
// The bytes are opaque to a store and are a bearer secret: a program that reads them can act as the partner for up to two
// hours. No error of a store may quote them. A key holds no secret, only printable ASCII, and is at most a few hundred
// bytes long; it may contain characters that a file name may not.
//
// Every lock with a lease has a limit: a holder that was suspended for longer than its lease does not know that it lost the
// lock. So a store refuses the write of such a holder, and nothing worse happens than one refresh too many.
type CredentialStore interface {
	// Load returns the newest value of key, or an error that matches [ErrNoCredential] when there is none or it has
	// expired. Any other error means that the store does not work: the client then goes on with the credential in memory
	// and never mints. The caller owns the returned slice.
	Load(ctx context.Context, key string) ([]byte, error)

	// Update takes the fleet-wide lock of key, reads the newest value, calls fn, stores what fn returns, and releases the
	// lock. It waits for the lock as long as ctx lives, looks at the value meanwhile, and returns it, without calling fn,
	// as soon as it differs from the one that was there when the wait began: another process has done the work. So it
	// calls fn at most once. A value that only expires or is removed ends no wait.
	//
	// The value is stored only while the lock is still held. When the lock is lost, Update returns an error, and the ctx
	// that fn got ends as soon as the store notices. Update returns the value that is stored in the end, nil when there is
	// none. When fn fails, it returns fn's error, wrapped or as it is, and nothing was stored. What fn returns is stored, and
	// the lock is released, even if ctx ends meanwhile; the lock is also released if fn panics or ends its goroutine.
	Update(ctx context.Context, key string, fn UpdateFunc) ([]byte, error)
}

// An UpdateFunc runs while the lock of a key is held. current is the newest value, nil when there is none; it was
// read after the lock was taken, because another process may have done the work meanwhile. It must not be kept or
// modified. A nil next stores nothing; an empty one is a value. The value expires after ttl; one that is not positive
// keeps it until it is replaced.
type UpdateFunc func(ctx context.Context, current []byte) (next []byte, ttl time.Duration, err error)

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
		return nil, ctx.Err() // a select would choose at random between this and a free lock
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

// A storeOrigin finds the newest credential in a store, or mints it while it holds the store's lock.
type storeOrigin struct {
	store   CredentialStore
	key     string
	mint    func(ctx context.Context, reason string) (record, error)
	clock   *clock
	limit   *mintLimit
	log     *slog.Logger
	observe observeFunc
}

// readTimeout bounds one Load: a store that hangs must not keep a process from noticing what others minted.
const readTimeout = 10 * time.Second

func (o *storeOrigin) newest(ctx context.Context, f *fill) (*record, error) {
	if !f.refresh {
		short, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		value, err := foreign(short, storeGrace, o.observe, "Load", func(ctx context.Context) ([]byte, error) { return o.store.Load(ctx, o.key) })
		if err != nil && !errors.Is(err, ErrNoCredential) {
			return nil, foreignError("credential store", err)
		}
		if rec, err := o.decode(ctx, value); err != nil || o.acceptable(rec, f) {
			return rec, err
		}
	}
	for range 3 {
		u, err := foreign(ctx, storeGrace, o.observe, "Update", func(ctx context.Context) (u updated, err error) {
			u.value, err = o.store.Update(ctx, o.key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
				next, ttl, err := u.underLock(ctx, o, f, current)
				if ctx.Err() == nil { // else the lock was lost, which Update reports
					u.failure = err
				}
				return next, ttl, err
			})
			return u, err
		})
		f.reason = u.reason
		switch {
		case u.failure != nil:
			return nil, u.failure
		case err != nil:
			return nil, foreignError("credential store", err)
		case u.rec != nil:
			return u.rec, nil
		}
		// Another process stored something while this one waited for the lock.
		if rec, err := o.decode(ctx, u.value); err != nil || o.acceptable(rec, f) {
			return rec, err
		}
	}
	return nil, unavailable("credential store: its Update did not run the function, and returned no credential that can be used")
}

// updated is the outcome of an Update.
type updated struct {
	value   []byte  // what the store returned
	rec     *record // what the function found, put back or minted; nil: it did not run, or failed
	reason  string  // of a mint; empty: none
	failure error   // of the function
}

// underLock is the function of an Update.
func (u *updated) underLock(ctx context.Context, o *storeOrigin, f *fill, current []byte) (next []byte, ttl time.Duration, err error) {
	stored, err := o.decode(ctx, current)
	if err != nil || o.acceptable(stored, f) {
		u.rec = stored
		return nil, 0, err
	}
	now, reason := o.clock.now(), reasonDue
	switch held := f.held; {
	case f.refresh:
		reason = reasonRefresh
	case f.refused:
		reason = reasonRefused
	case held == nil && stored == nil:
		reason = reasonFirst
	case held == nil || held.expired(now):
		reason = reasonExpired
	case f.urgent || !held.due(now):
		o.log.InfoContext(ctx, "webanklive: the store lost the credential; putting it back")
		u.rec = held
	}
	if u.rec == nil {
		if err := o.limit.allow(reason, stored); err != nil {
			return nil, 0, err
		}
		rec, err := foreign(ctx, mintGrace, unobserved, "", func(ctx context.Context) (record, error) { return o.mint(ctx, reason) })
		if ours := new(*Error); err != nil && !errors.As(err, ours) {
			err = unavailable("mint: %w", err)
		}
		rec.unplanned = unplanned(reason)
		o.limit.note(now, reason, err)
		if err != nil {
			return nil, 0, err
		}
		u.rec, u.reason = rec.after(o.clock.now(), stored, f.held), reason
		f.minted(u.rec)
	}
	next, err = u.rec.encode()
	return next, max(u.rec.ExpiresAt.Sub(o.clock.now()), time.Second), err
}

// acceptable reports whether a fill can use a stored record, or must go on. A record with a lower number than the held one
// cannot be used: a later mint has ended it, or will within a minute.
func (o *storeOrigin) acceptable(rec *record, f *fill) bool {
	now := o.clock.now()
	return rec != nil && !f.refresh && !rec.expired(now) && (f.urgent || !rec.due(now)) &&
		(f.held == nil || rec.number >= f.held.number && !(f.refused && rec.same(f.held)))
}

// decode returns nil when there are no bytes, or none that can be read: a mint replaces them.
func (o *storeOrigin) decode(ctx context.Context, value []byte) (*record, error) {
	if value == nil {
		return nil, nil
	}
	rec, err := decodeRecord(value)
	if errors.Is(err, errNewerRecord) {
		return nil, unavailable("%w", err)
	}
	if err != nil {
		o.log.WarnContext(ctx, "webanklive: the stored credential is of no use and will be replaced", "error", err)
	}
	return rec, nil
}
