// Package storetest is the conformance suite of [webanklive.CredentialStore]. A store of your own, in a database or a
// configuration service, belongs in production when it passes:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
//			return mystore.New(openDatabase(t))
//		}, storetest.WithSecondHandle(...), storetest.WithLease(...), storetest.WithLockBreaker(...), storetest.WithOutage(...))
//	}
//
// Each subtest is named after the rule that it checks. The options give the suite what the interface of a store does not
// have: a second connection, the length of the lease, a way to break the lock, a way to stop the backend. A rule that lacks
// its option is skipped, so give every option that applies.
//
// The suite does not check what no call can show: how often a store asks its backend while it waits, and whether the lock
// of a crashed process ends. A second handle whose clock is an hour ahead finds a store that judges leases and expiry by the
// clock of the reading process.
//
// The suite uses package testing alone.
package storetest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/webanklive/webanklive"
)

const (
	// patience is how long a rule waits for what must happen before it reports that it did not.
	patience = 30 * time.Second

	// longHold is how long the lock is held where a rule is about that, unless three leases are longer.
	longHold = 3 * time.Second
)

// Run checks every rule on stores that newStore makes: one for each rule, several at a time, because the rules run in
// parallel. All of them may keep their values in the same place. The suite uses keys of its own, but leaves values
// behind. A store with a lease should be given one of about a second and [WithLease], or the rules about the lock take
// long and do not see a lock that only the end of its lease releases.
func Run(t *testing.T, newStore func(t *testing.T) webanklive.CredentialStore, opts ...Option) {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	prefix := "storetest-" + rand.Text()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b := &bench{tb: t, patience: max(patience, 10*o.lease), lease: o.lease, longHold: max(longHold, 3*o.lease), prefix: prefix, newStore: func() webanklive.CredentialStore { return newStore(t) }}
			if o.secondHandle != nil {
				b.secondHandle = func(s webanklive.CredentialStore) webanklive.CredentialStore { return o.secondHandle(t, s) }
			}
			if o.breakLock != nil {
				b.breakLock = func(s webanklive.CredentialStore, key string) { o.breakLock(t, s, key) }
			}
			if o.stop != nil {
				b.stop = func(s webanklive.CredentialStore) { o.stop(t, s) }
			}
			r.check(b)
		})
	}
}

// Option tells [Run] how to do to a store what its interface cannot do. The functions are called on the test's own goroutine.
// Only that of WithLockBreaker is called on the goroutine that holds the lock, and so must not call t.FailNow.
type Option func(*options)

type options struct {
	lease        time.Duration
	secondHandle func(t *testing.T, store webanklive.CredentialStore) webanklive.CredentialStore
	breakLock    func(t *testing.T, store webanklive.CredentialStore, key string)
	stop         func(t *testing.T, store webanklive.CredentialStore)
}

// WithSecondHandle gives the suite a way to get a second store on the backend of one that newStore made, as another
// process would have: another connection, another open file, and, for a store that reads a clock of its own, another
// clock: one that is an hour ahead proves that leases and lives are judged by the backend's. Rules on values and on the
// lock then use both.
func WithSecondHandle(second func(t *testing.T, store webanklive.CredentialStore) webanklive.CredentialStore) Option {
	return func(o *options) { o.secondHandle = second }
}

// WithLease tells the suite how long the lease of the store's locks is, 0 for a store whose locks have none. The suite
// then holds the lock for three leases where a lease must be extended, and asks for a lock that must have been released
// sooner than its lease can have ended, so that no rule is hidden by the end of a lease, however short.
func WithLease(d time.Duration) Option {
	return func(o *options) { o.lease = d }
}

// WithLockBreaker gives the suite a way to take the lock of key away from its holder, as if the lease had run out: afterwards
// the lock is free. A store whose locks cannot be lost needs no such option.
func WithLockBreaker(breakLock func(t *testing.T, store webanklive.CredentialStore, key string)) Option {
	return func(o *options) { o.breakLock = breakLock }
}

// WithOutage gives the suite a way to make the backend of store fail until the end of the subtest. When newStore's
// stores share a backend, give it one that this store reaches through something that can be cut.
func WithOutage(stop func(t *testing.T, store webanklive.CredentialStore)) Option {
	return func(o *options) { o.stop = stop }
}
