package storetest

// What a rule works with: a store, its hooks, and calls that a broken store cannot hang.

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
)

// moment is how long a rule gives a broken store to do what it must not.
const moment = 100 * time.Millisecond

// tb is what a rule needs of [testing.T]; the suite's own tests put in one that expects failures. Fatalf and Skipf end
// the goroutine and belong on the rule's own.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

type bench struct {
	tb
	patience time.Duration
	lease    time.Duration // 0: none, or unknown
	longHold time.Duration
	prefix   string // of every key, so that suites on one backend do not meet

	newStore     func() webanklive.CredentialStore
	secondHandle func(webanklive.CredentialStore) webanklive.CredentialStore // nil: unknown
	breakLock    func(webanklive.CredentialStore, string)                    // nil: unknown
	stop         func(webanklive.CredentialStore)                            // nil: unknown
}

func (b *bench) key(name string) string { return b.prefix + "-" + name }

// handles returns two stores on one backend, or the same one twice when there is no way to get a second.
func (b *bench) handles() (first, second webanklive.CredentialStore) {
	first = b.newStore()
	if b.secondHandle == nil {
		return first, first
	}
	return first, b.secondHandle(first)
}

// result is how a Load or an Update ended.
type result struct {
	value    []byte
	err      error
	panicked any
	returned bool // else it panicked or ended its goroutine
}

// start calls Update on its own goroutine.
func (b *bench) start(ctx context.Context, s webanklive.CredentialStore, key string, fn webanklive.UpdateFunc) <-chan result {
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.value, r.err = s.Update(ctx, key, fn)
		r.returned = true
	}()
	return done
}

// wait returns what start's call came to.
func (b *bench) wait(what string, done <-chan result) result {
	b.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(b.patience):
		b.Fatalf("%s did not return within %v", what, b.patience)
		return result{}
	}
}

// update calls Update and wants it to succeed.
func (b *bench) update(s webanklive.CredentialStore, key string, fn webanklive.UpdateFunc) []byte {
	b.Helper()
	r := b.wait("Update", b.start(context.Background(), s, key, fn))
	if r.err != nil || r.panicked != nil {
		b.Fatalf("Update of %.80q failed: error %v, panic %v", key, r.err, r.panicked)
	}
	return r.value
}

// set stores value under key. It tries again when another Update had the lock in between.
func (b *bench) set(s webanklive.CredentialStore, key, value string) {
	b.Helper()
	for end := time.Now().Add(b.patience); ; {
		var ran atomic.Bool
		b.update(s, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			ran.Store(true)
			return []byte(value), 0, nil
		})
		if ran.Load() {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("Update of %.80q does not run fn, though nobody else stores anything", key)
		}
	}
}

// wantReleased runs attempt, which must leave the lock of key free, and reports a lock that no one could take before
// its lease can have ended. A slow machine may be too slow for that, but not each time.
func (b *bench) wantReleased(s webanklive.CredentialStore, key, after string, attempt func()) {
	b.Helper()
	limit := b.patience / 3
	if b.lease > 0 {
		limit = min(limit, b.lease/2)
	}
	for range 10 {
		began := time.Now()
		attempt()
		b.update(s, key, nothing)
		if time.Since(began) < limit {
			return
		}
	}
	b.Errorf("%s the lock was not released: it was free only when its lease had ended", after)
}

// nothing is an UpdateFunc that stores nothing.
func nothing(context.Context, []byte) ([]byte, time.Duration, error) { return nil, 0, nil }

// tryLoad calls Load.
func (b *bench) tryLoad(ctx context.Context, s webanklive.CredentialStore, key string) ([]byte, error) {
	b.Helper()
	done := make(chan result, 1)
	go func() {
		value, err := s.Load(ctx, key)
		done <- result{value: value, err: err}
	}()
	r := b.wait("Load", done)
	return r.value, r.err
}

// wantValue reports what Load returns unless it is want.
func (b *bench) wantValue(s webanklive.CredentialStore, key, want string) {
	b.Helper()
	got, err := b.tryLoad(context.Background(), s, key)
	if err != nil {
		b.Errorf("Load of %.80q: %v, want %.40q", key, err, want)
	} else if string(got) != want {
		b.Errorf("Load of %.80q = %.40q (%d bytes), want %.40q (%d bytes)", key, got, len(got), want, len(want))
	}
}

// wantAbsent reports what Load returns unless it is ErrNoCredential.
func (b *bench) wantAbsent(s webanklive.CredentialStore, key string) {
	b.Helper()
	if got, err := b.tryLoad(context.Background(), s, key); !errors.Is(err, webanklive.ErrNoCredential) {
		b.Errorf("Load of %.80q = %.40q, error %v, want an error that matches ErrNoCredential", key, got, err)
	}
}

// absent waits until key holds nothing.
func (b *bench) absent(s webanklive.CredentialStore, key string) {
	b.Helper()
	for end := time.Now().Add(b.patience); ; time.Sleep(5 * time.Millisecond) {
		_, err := b.tryLoad(context.Background(), s, key)
		switch {
		case errors.Is(err, webanklive.ErrNoCredential):
			return
		case err != nil:
			b.Fatalf("Load of %.80q: %v", key, err)
		case time.Now().After(end):
			b.Fatalf("%.80q is still there %v after it should have expired", key, b.patience)
		}
	}
}

// held is a lock that an Update of the rule's own holds.
type held struct {
	b      *bench
	finish chan []byte // what fn is to return
	ended  error       // of fn's context when it was released; read after release
	done   <-chan result
}

// hold takes the lock of key and keeps it until release. The bench's watchdog ends fn in any case.
func (b *bench) hold(s webanklive.CredentialStore, key string) *held {
	b.Helper()
	h := &held{b: b, finish: make(chan []byte, 1)}
	entered := make(chan struct{})
	h.done = b.start(context.Background(), s, key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		close(entered)
		select {
		case next := <-h.finish:
			h.ended = ctx.Err()
			return next, 0, nil
		case <-time.After(2 * b.patience):
			return nil, 0, errors.New("storetest: held for too long")
		}
	})
	select {
	case <-entered:
		return h
	case r := <-h.done:
		b.Fatalf("Update of %.80q ended without running fn: error %v", key, r.err)
	case <-time.After(b.patience):
		b.Fatalf("Update of %.80q did not run fn within %v", key, b.patience)
	}
	return nil
}

// release lets fn return next, nil for nothing to store, and returns how Update ended.
func (h *held) release(next []byte) result {
	h.b.Helper()
	h.finish <- next
	return h.b.wait("the Update that held the lock", h.done)
}

// wantLocked reports an error if another Update can take the lock of key now.
func (b *bench) wantLocked(s webanklive.CredentialStore, key string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	ran := make(chan struct{}, 1)
	r := b.wait("an Update whose context ended", b.start(ctx, s, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		ran <- struct{}{}
		return nil, 0, nil
	}))
	switch {
	case len(ran) > 0:
		b.Errorf("a second Update of %.80q ran its fn while the first held the lock", key)
	case !errors.Is(r.err, context.DeadlineExceeded):
		b.Errorf("an Update of %.80q that waited until its context ended returned error %v, want context.DeadlineExceeded", key, r.err)
	}
}

// put is an UpdateFunc that stores value.
func put(value string, ttl time.Duration) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte(value), ttl, nil }
}
