package storetest

// A store with a lease that is correct, or has one of the flaws that flaws_test.go lists.

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
	over   bool // nobody waits for a lock any more
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
	flawedWay   = time.Millisecond // to the backend: a call that took no time could be repeated for ever
)

func newFlawed(flaw string) *flawedStore {
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

func (s *flawedStore) endWaits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
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
	time.Sleep(flawedWay)
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
	if s.is("an empty value is none") && len(value.bytes) == 0 {
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
	case "a negative ttl ends at once":
		if ttl < 0 {
			value.expires = time.Now()
		}
	case "keeps next itself":
		value.bytes = next
	}
	s.values[s.valueKey(key)] = value
}

func (s *flawedStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) (value []byte, err error) {
	time.Sleep(flawedWay)
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
	case s.is("an empty current is nil") && len(current) == 0:
		current = nil
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
