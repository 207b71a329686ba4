// Package storetest is the conformance suite of [webanklive.CredentialStore]. A store of your own, in a database or a
// configuration service, belongs in production when it passes:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
//			return mystore.New(openDatabase(t))
//		}, storetest.WithSecondHandle(...), storetest.WithLockBreaker(...), storetest.WithOutage(...))
//	}
//
// Each subtest is named after the rule that it checks. The options hand the suite what no store can be asked for
// through its interface; a rule that lacks one is skipped, so a store that several processes share should give all
// that apply.
//
// The suite uses package testing alone.
package storetest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/webanklive/webanklive"
)

// patience is how long a rule waits for what must happen before it reports that it did not.
const patience = 30 * time.Second

// Run checks every rule on stores that newStore makes: one for each rule, several at a time, because the rules run in
// parallel. All of them may keep their values in the same place. The suite uses keys of its own, but leaves values
// behind. A store with a lease should be given one of about a second, or the rules on lost locks take long.
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
			b := &bench{tb: t, patience: patience, prefix: prefix, newStore: func() webanklive.CredentialStore { return newStore(t) }}
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

// Option tells [Run] how to do to a store what its interface cannot. The functions are called on the test's own
// goroutine or, WithLockBreaker's, on the one that holds the lock; the latter must not call t.FailNow.
type Option func(*options)

type options struct {
	secondHandle func(t *testing.T, store webanklive.CredentialStore) webanklive.CredentialStore
	breakLock    func(t *testing.T, store webanklive.CredentialStore, key string)
	stop         func(t *testing.T, store webanklive.CredentialStore)
}

// WithSecondHandle gives the suite a way to get a second store on the backend of one that newStore made, as another
// process would have: another connection, another open file. Rules on values and on the lock then use both.
func WithSecondHandle(second func(t *testing.T, store webanklive.CredentialStore) webanklive.CredentialStore) Option {
	return func(o *options) { o.secondHandle = second }
}

// WithLockBreaker gives the suite a way to take the lock of key away from whoever holds it, as if its lease had run
// out: afterwards the lock is free. A store whose locks cannot be lost does without.
func WithLockBreaker(breakLock func(t *testing.T, store webanklive.CredentialStore, key string)) Option {
	return func(o *options) { o.breakLock = breakLock }
}

// WithOutage gives the suite a way to make the backend of store fail until the end of the subtest. When newStore's
// stores share a backend, give it one that this store reaches through something that can be cut.
func WithOutage(stop func(t *testing.T, store webanklive.CredentialStore)) Option {
	return func(o *options) { o.stop = stop }
}
