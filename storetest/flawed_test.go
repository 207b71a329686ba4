package storetest

// A store with a lease that is correct, or has one of the flaws that storetest_test.go lists.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
)

// A flawedStore is a correct store with a lease, except for its flaw.
type flawedStore struct {
	*flawedBackend
	flaw   string
	second bool // with a clock that is an hour ahead
}

type flawedBackend struct {
	mu     sync.Mutex
	values map[string]flawedValue
	locks  map[string]*flawedLock
	down   bool
}

type flawedValue struct {
	bytes   []byte
	expires time.Time
}

// A flawedLock is its holder's token, too.
type flawedLock struct {
	expires  time.Time
	extended int
}

const (
	flawedLease = 400 * time.Millisecond
	flawedPoll  = 2 * time.Millisecond
)

func newFlawed(flaw string) webanklive.CredentialStore {
	return &flawedStore{&flawedBackend{values: map[string]flawedValue{}, locks: map[string]*flawedLock{}}, flaw, false}
}

func secondFlawed(s webanklive.CredentialStore) webanklive.CredentialStore {
	second := *s.(*flawedStore)
	second.second = true
	return &second
}

func breakFlawed(store webanklive.CredentialStore, key string) {
	s := store.(*flawedStore)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.locks, s.lockKey(key))
	if s.flaw == "a lost lock is never taken again" {
		s.locks[s.lockKey(key)] = &flawedLock{expires: time.Now().Add(time.Hour)}
	}
}

func stopFlawed(store webanklive.CredentialStore) {
	s := store.(*flawedStore)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
}

// now is the backend's clock, or this machine's for a store with the flaw.
func (s *flawedStore) now(flaw string) time.Time {
	if s.is(flaw) && s.second {
		return time.Now().Add(time.Hour)
	}
	return time.Now()
}

func (s *flawedStore) is(flaw string) bool { return s.flaw == flaw }

func (s *flawedStore) valueKey(key string) string {
	switch s.flaw {
	case "keys fold case":
		return strings.ToLower(key)
	case "keys end at 255 bytes":
		return key[:min(len(key), 255)]
	case "keys are cleaned like paths":
		return strings.TrimSuffix(key, ".")
	}
	return key
}

func (s *flawedStore) lockKey(key string) string {
	switch s.flaw {
	case "one lock for all keys":
		return ""
	case "each handle has its own lock":
		return fmt.Sprint(s.second, key)
	}
	return s.valueKey(key)
}

func (s *flawedStore) Load(ctx context.Context, key string) ([]byte, error) {
	if s.is("Load takes the lock") {
		token, found, err := s.lock(ctx, key)
		if token == nil {
			return found, err
		}
		defer s.unlock(key, token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.is("every error is absence") && (s.down || ctx.Err() != nil):
		return nil, webanklive.ErrNoCredential
	case s.down && s.is("a failed Load quotes the value"):
		return nil, fmt.Errorf("down, the last value was %s", s.values[key].bytes)
	case s.down && s.is("a failed Load quotes a part"):
		return nil, fmt.Errorf("down, the last value was %.14s...", s.values[key].bytes)
	case s.down && s.is("a failed Load quotes it in hex"):
		return nil, fmt.Errorf("down, the last value was %x", s.values[key].bytes)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case s.down:
		return nil, errors.New("down")
	}
	if value := s.read(key); value != nil {
		return value, nil
	}
	switch s.flaw {
	case "absent is some error":
		return nil, errors.New("no rows")
	case "absent is a nil value":
		return nil, nil
	}
	return nil, fmt.Errorf("load: %w", webanklive.ErrNoCredential)
}

func (s *flawedStore) read(key string) []byte {
	value := s.values[s.valueKey(key)]
	if !value.expires.IsZero() && !s.now("lives are judged by the reader's clock").Before(value.expires) {
		return nil
	}
	if s.is("hands out its own bytes") {
		return value.bytes
	}
	return bytes.Clone(value.bytes)
}

func (s *flawedStore) write(key string, next []byte, ttl time.Duration) {
	old := s.values[s.valueKey(key)]
	value := flawedValue{bytes: bytes.Clone(next)}
	if ttl > 0 {
		value.expires = time.Now().Add(ttl)
	}
	switch s.flaw {
	case "forgets the write":
		return
	case "keeps the first value":
		if old.bytes != nil {
			return
		}
	case "values end at NUL":
		value.bytes, _, _ = bytes.Cut(value.bytes, []byte{0})
	case "values end at 64 KiB":
		value.bytes = value.bytes[:min(len(value.bytes), 64<<10)]
	case "values are trimmed":
		value.bytes = bytes.TrimSpace(value.bytes)
	case "never expires":
		value.expires = time.Time{}
	case "expires early":
		value.expires = time.Now().Add(ttl / 8)
	case "ttl of the first value stays":
		if !old.expires.IsZero() {
			value.expires = old.expires
		}
	case "ttl 0 ends at once":
		value.expires = time.Now().Add(ttl)
	case "keeps next itself":
		value.bytes = next
	}
	s.values[s.valueKey(key)] = value
}

func (s *flawedStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) (value []byte, err error) {
	var early []byte
	if s.is("reads before it locks") {
		s.mu.Lock()
		early = s.read(key)
		s.mu.Unlock()
		time.Sleep(flawedPoll)
	}
	token, found, err := s.lock(ctx, key)
	if token == nil {
		return found, err
	}
	unlock := true
	defer func() {
		if unlock {
			s.unlock(key, token)
		}
	}()

	s.mu.Lock()
	current := s.read(key)
	switch {
	case s.is("reads before it locks"):
		current = early
	case s.is("current is empty, not nil") && current == nil:
		current = []byte{}
	case s.is("current outlives its ttl"):
		current = s.values[key].bytes
	case s.is("who waits gets a current of its own") && found != nil:
		current = found
	}
	s.mu.Unlock()

	fnCtx, cancel := context.WithCancelCause(ctx)
	if s.is("fn's ctx goes on") {
		fnCtx, cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	}
	defer cancel(nil)
	errLost := errors.New("lock lost")
	if s.is("a lost lock is absence") {
		errLost = webanklive.ErrNoCredential
	}
	go s.extend(fnCtx, cancel, key, token, errLost)

	unlock = !s.is("a panic keeps the lock") && !s.is("fn that ends its goroutine keeps the lock")
	returned := false
	defer func() {
		switch {
		case returned:
		case s.is("a panic is success") && recover() != nil:
			value, err = []byte("value"), nil
		case s.is("a panic stores"), s.is("fn that ends its goroutine stores"):
			s.mu.Lock()
			defer s.mu.Unlock()
			s.write(key, []byte{}, 0)
		}
	}()
	next, ttl, err := fn(fnCtx, current)
	returned, unlock = true, true
	if s.is("calls fn twice") {
		next, ttl, err = fn(fnCtx, current)
	}
	unlock = (!s.is("an error keeps the lock") || err == nil) && (!s.is("an ended context keeps the lock") || ctx.Err() == nil)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		switch s.flaw {
		case "stores in spite of an error":
			s.write(key, next, ttl)
		case "hides the error of fn":
			return nil, errors.New(err.Error())
		case "swallows the error of fn":
			return nil, nil
		case "an error of fn quotes the value":
			return nil, fmt.Errorf("%w; %s is not stored", err, next)
		}
		return nil, err
	case s.down && s.is("a failed write quotes the value"):
		return nil, fmt.Errorf("SET %s: down", next)
	case s.down:
		return nil, errors.New("down")
	case !s.held(key, token) && !s.is("does not lock") && !s.is("who waits runs fn without the lock"):
		switch s.flaw {
		case "writes without the lock":
			s.write(key, next, ttl)
		case "a lost lock is success":
			return next, nil
		case "a lost lock quotes the value":
			return nil, fmt.Errorf("%w; the value is %s", errLost, s.read(key))
		}
		return nil, errLost
	case ctx.Err() != nil && s.is("an ended context writes nothing"):
		return nil, ctx.Err()
	case ctx.Err() != nil && s.is("an ended context is success and stores naught"):
		return next, nil
	}
	if next == nil {
		switch s.flaw {
		case "stores a nil next":
			s.write(key, []byte{}, ttl)
		case "returns nil for a nil next":
			return nil, nil
		case "a nil next sets the ttl":
			if current != nil {
				s.write(key, current, ttl)
			}
		case "hands out its own bytes":
			return s.read(key), nil
		}
		return current, nil
	}
	s.write(key, next, ttl)
	if s.is("returns the old value") {
		return current, nil
	}
	return next, nil
}

// extend keeps the lock while ctx lives, and ends fn's context when it is lost.
func (s *flawedStore) extend(ctx context.Context, cancel context.CancelCauseFunc, key string, token *flawedLock, errLost error) {
	for ; ctx.Err() == nil; time.Sleep(flawedPoll) {
		s.mu.Lock()
		switch {
		case !s.held(key, token):
			if !s.is("does not watch the lock") && !s.is("does not lock") && !s.is("the lease is not extended") {
				cancel(errLost)
			}
		case s.is("the lease is watched but not extended"), s.is("the lease is not extended"):
		case s.is("the lease is extended twice at most") && token.extended == 2:
		case time.Until(token.expires) < flawedLease/2:
			token.expires = time.Now().Add(flawedLease)
			token.extended++
		}
		s.mu.Unlock()
	}
}

// held reports whether token is the lock of key, and its lease has not ended. It needs mu.
func (s *flawedStore) held(key string, token *flawedLock) bool {
	return token != nil && s.locks[s.lockKey(key)] == token && s.now("leases are judged by the reader's clock").Before(token.expires)
}

// lock returns the lock of key, or no lock and the value that came while it waited for one.
func (s *flawedStore) lock(ctx context.Context, key string) (*flawedLock, []byte, error) {
	token := &flawedLock{}
	var seen []byte
	began := time.Now()
	for first := true; ; first = false {
		s.mu.Lock()
		value := s.read(key)
		other := s.locks[s.lockKey(key)]
		free := !s.held(key, other) || s.is("does not lock")
		changed := !first && value != nil && !bytes.Equal(value, seen)
		waited := !first && time.Since(began) > flawedLease
		var end func() (*flawedLock, []byte, error)
		result := func(l *flawedLock, value []byte, err error) {
			end = func() (*flawedLock, []byte, error) { return l, value, err }
		}
		switch {
		case s.down && s.is("every error is absence"):
			result(nil, nil, webanklive.ErrNoCredential)
		case s.down && !s.is("runs fn without a backend"):
			result(nil, nil, errors.New("down"))
		case ctx.Err() != nil && (!s.is("a waiter does not look at ctx") || first) && !s.is("an ended context may lock"):
			if s.is("a waiter that leaves unlocks") && !first {
				delete(s.locks, s.lockKey(key))
			}
			result(nil, nil, ctx.Err())
			if s.is("a waiter invents an error") && !first || s.is("an ended context is an error") && first {
				result(nil, nil, errors.New("gave up"))
			} else if s.is("a wait that ends quotes the value") {
				result(nil, nil, fmt.Errorf("%w; the value is still %s", ctx.Err(), value))
			}
		case waited && s.is("waiting gives up by itself"):
			result(nil, nil, errors.New("gave up"))
		case waited && s.is("waiting returns the current value by itself"):
			result(nil, value, nil)
		case waited && s.is("who waits runs fn without the lock"):
			result(token, nil, nil)
		case changed && s.is("who waits returns the value it saw first"):
			result(nil, seen, nil)
		case changed && !s.is("who waits runs fn whatever was stored") && (free || !s.is("who waits looks only with the lock")):
			result(nil, value, nil)
		case free && !first && s.is("who waits returns when the lock is free"):
			result(nil, value, nil)
		case free:
			token.expires = time.Now().Add(flawedLease)
			s.locks[s.lockKey(key)] = token
			result(token, nil, nil)
			if !first {
				result(token, []byte("a current of its own"), nil)
			}
		case first:
			seen = value
		}
		s.mu.Unlock()
		if end != nil {
			return end()
		}
		time.Sleep(flawedPoll)
	}
}

func (s *flawedStore) unlock(key string, token *flawedLock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[s.lockKey(key)] == token || s.is("unlocks whoever holds the lock") || s.is("does not lock") {
		delete(s.locks, s.lockKey(key))
	}
}
