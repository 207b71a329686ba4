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

// A storeOrigin finds the newest credential in a store, or mints it while it holds the store's lock.
type storeOrigin struct {
	store   CredentialStore
	key     string
	mint    func(ctx context.Context, reason string) (rec record, granted bool, err error)
	clock   *clock
	limit   *mintLimit
	log     *slog.Logger
	observe func(ctx context.Context, a Activity, private ...string) (context.Context, func(Outcome))
}

// readTimeout bounds one Load: calls can do without the newest credential, but not for long.
const readTimeout = 10 * time.Second

var errNoUpdate = errors.New("its Update did not run the function, and returned no credential that can be used")

func (o *storeOrigin) newest(ctx context.Context, f *fill) (*record, error) {
	if !f.mintNow {
		rec, err := o.load(ctx)
		if err != nil || rec != nil && o.acceptable(rec, f) {
			return rec, err
		}
		if rec != nil && o.alive(rec, f) {
			f.found(rec, f.began)
		}
	}
	for range 3 {
		u, err := o.update(ctx, f)
		f.reason = u.minted
		switch {
		case u.failure != nil:
			return nil, u.failure
		case err != nil:
			return nil, foreign("credential store", err)
		case u.rec != nil:
			return u.rec, nil
		}
		// Another process stored something while this one waited for the lock.
		rec, err := o.decode(u.value)
		if err != nil || rec != nil && !f.mintNow && o.acceptable(rec, f) {
			return rec, err
		}
	}
	return nil, foreign("credential store", errNoUpdate)
}

// load returns what is stored, nil when that is nothing, or nothing of use.
func (o *storeOrigin) load(ctx context.Context) (*record, error) {
	short, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	value, err := guarded(short, func(ctx context.Context) (value []byte, err error) {
		ctx, ended := o.observe(ctx, Activity{Kind: ActivityStore, Name: "Load"})
		defer func() { ended(Outcome{Err: notAbsent(err), Bytes: int64(len(value))}) }()
		err = errUnfinished
		return o.store.Load(ctx, o.key)
	})
	switch {
	case errors.Is(err, ErrNoCredential):
		return nil, nil
	case err != nil && short.Err() != nil && ctx.Err() == nil:
		return nil, foreign("credential store", fmt.Errorf("not read within %v: %w", readTimeout, notCallers(err)))
	case err != nil:
		return nil, foreign("credential store", err)
	}
	return o.decode(value)
}

// notAbsent returns err unless it says that the store holds nothing, which is no failure.
func notAbsent(err error) error {
	if errors.Is(err, ErrNoCredential) {
		return nil
	}
	return err
}

// updated is what an Update came to.
type updated struct {
	value   []byte  // what the store returned
	rec     *record // found, put back or minted by the function; nil: it did not run, or failed
	minted  string  // why, if it minted; else empty
	failure error   // of the function
}

func (o *storeOrigin) update(ctx context.Context, f *fill) (updated, error) {
	return guarded(ctx, func(ctx context.Context) (u updated, err error) {
		ctx, ended := o.observe(ctx, Activity{Kind: ActivityStore, Name: "Update"})
		defer func() { ended(Outcome{Err: err, Bytes: int64(len(u.value))}) }()
		err = errUnfinished
		u.value, err = o.store.Update(ctx, o.key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
			var stores bool
			if u.rec, stores, u.failure = o.underLock(ctx, current, f, &u.minted); u.failure != nil {
				err := u.failure
				if ctx.Err() != nil {
					u.failure = nil // the lock was lost, which Update reports
				}
				return nil, 0, err
			}
			if !stores {
				return nil, 0, nil
			}
			next, err := u.rec.encode()
			return next, max(u.rec.ExpiresAt.Sub(o.clock.now()), time.Second), err
		})
		return u, err
	})
}

// underLock returns the newest credential: the one that is stored, the one that is held, which it puts back, or a new one.
func (o *storeOrigin) underLock(ctx context.Context, current []byte, f *fill, minted *string) (rec *record, stores bool, err error) {
	stored, err := o.decode(current)
	now, reason := o.clock.now(), reasonDue
	switch {
	case err != nil:
		return nil, false, err
	case f.mintNow:
		reason = reasonAsked
	case stored != nil && o.acceptable(stored, f):
		return stored, false, nil
	case f.held != nil && !f.refused && !f.held.expired(now) && (f.urgent || !f.held.due(now)):
		o.log.Info("webanklive: the store lost the credential; putting it back")
		return f.held, true, nil
	case f.refused:
		reason = reasonRefused
	case f.held == nil && stored == nil:
		reason = reasonFirst
	case f.held == nil || f.held.expired(now):
		reason = reasonExpired
	}
	if err := o.limit.allow(reason, stored); err != nil {
		return nil, false, err
	}
	began := o.limit.now()
	fresh, granted, err := o.mint(ctx, reason)
	if err != nil {
		o.limit.failed(began, reason, granted, err)
		return nil, false, err
	}
	fresh.unplanned = !o.limit.minted(began, reason, fresh.RefreshAt.Sub(fresh.mintedAt))
	rec = fresh.after(o.clock.now(), stored, f.held)
	*minted = reason
	f.found(rec, time.Time{})
	return rec, true, nil
}

// acceptable reports whether a stored record is good enough to stop at.
func (o *storeOrigin) acceptable(rec *record, f *fill) bool {
	return o.alive(rec, f) && (f.urgent || !rec.due(o.clock.now()))
}

// alive reports whether a stored record can be used: a mint has ended one with a lower number, or soon will.
func (o *storeOrigin) alive(rec *record, f *fill) bool {
	return !rec.expired(o.clock.now()) && (f.held == nil || rec.number >= f.held.number) && !(f.refused && rec.same(f.held))
}

// decode returns nil for bytes that are absent or of no use: minting replaces them.
func (o *storeOrigin) decode(value []byte) (*record, error) {
	if value == nil {
		return nil, nil
	}
	rec, err := decodeRecord(value)
	if errors.Is(err, errNewerRecord) {
		return nil, &Error{Op: opCredential, class: ErrUnavailable, Err: err}
	}
	if err != nil {
		o.log.Warn("webanklive: the stored credential is of no use and will be replaced", "error", err)
		return nil, nil
	}
	return rec, nil
}

// foreign wraps what a store or source of the caller's said. A source that is a [Client] has said it all.
func foreign(what string, err error) error {
	var ours *Error
	if errors.As(err, &ours) && ours.classed() != nil {
		return ours
	}
	return &Error{Op: opCredential, class: ErrUnavailable, Err: fmt.Errorf("%s: %w", what, notCallers(err))}
}
