package storetest

// Tests of the tests: the in-memory store passes, a store with a lease passes with every option, and each rule fails
// for a store that breaks it.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) webanklive.CredentialStore { return webanklive.NewMemoryStore() })
}

func TestFlawlessStore(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) webanklive.CredentialStore { return newFlawed("") },
		WithSecondHandle(func(_ *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
			return secondFlawed(s)
		}),
		WithLockBreaker(func(_ *testing.T, s webanklive.CredentialStore, key string) { breakFlawed(s, key) }),
		WithOutage(func(_ *testing.T, s webanklive.CredentialStore) { stopFlawed(s) }))
}

func TestWithoutOptionsRulesAreSkipped(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		rec := check(r, "", func(b *bench) { b.secondHandle, b.breakLock, b.stop = nil, nil, nil })
		needsOption := strings.Contains(r.name, "outage") || strings.Contains(r.name, "lost")
		assert.Equal(t, needsOption, rec.skipped, r.name)
		assert.Empty(t, rec.failures, r.name)
	}
}

// flaws names, for each way to break a store, the rules that must notice.
var flaws = map[string][]string{
	"absent is some error":             {"absent is ErrNoCredential"},
	"absent is a nil value":            {"absent is ErrNoCredential"},
	"every error is absence":           {"a failed Load is not ErrNoCredential", "an outage is not ErrNoCredential and runs no fn"},
	"runs fn without a backend":        {"an outage is not ErrNoCredential and runs no fn"},
	"forgets the write":                {"Load returns what Update stored", "the lock is exclusive"},
	"keeps the first value":            {"Load returns what Update stored"},
	"returns the old value":            {"Load returns what Update stored"},
	"values end at NUL":                {"values are opaque bytes"},
	"values end at 64 KiB":             {"values are opaque bytes"},
	"values are trimmed":               {"values are opaque bytes"},
	"one lock for all keys":            {"keys are independent"},
	"keys fold case":                   {"keys are independent"},
	"keys end at 255 bytes":            {"keys are independent"},
	"keys are cleaned like paths":      {"keys are independent"},
	"never expires":                    {"a value expires after its ttl"},
	"expires early":                    {"a value expires after its ttl"},
	"current outlives its ttl":         {"a value expires after its ttl"},
	"ttl of the first value stays":     {"a ttl of 0 keeps the value"},
	"ttl 0 ends at once":               {"a ttl of 0 keeps the value"},
	"keeps next itself":                {"the caller owns what it gets and gives"},
	"hands out its own bytes":          {"the caller owns what it gets and gives"},
	"Load takes the lock":              {"Load does not wait for the lock"},
	"current is empty, not nil":        {"current is the newest value, nil when there is none"},
	"calls fn twice":                   {"current is the newest value, nil when there is none"},
	"reads before it locks":            {"current is read after the lock was taken", "the lock is exclusive"},
	"stores a nil next":                {"a nil next stores nothing and returns the current value"},
	"returns nil for a nil next":       {"a nil next stores nothing and returns the current value"},
	"a nil next sets the ttl":          {"a nil next stores nothing and returns the current value"},
	"stores in spite of an error":      {"an error of fn stores nothing and is returned"},
	"hides the error of fn":            {"an error of fn stores nothing and is returned"},
	"swallows the error of fn":         {"an error of fn stores nothing and is returned"},
	"an error keeps the lock":          {"an error of fn stores nothing and is returned"},
	"a panic keeps the lock":           {"a panic in fn stores nothing and releases the lock"},
	"a panic is success":               {"a panic in fn stores nothing and releases the lock"},
	"does not lock":                    {"the lock is exclusive", "a waiter leaves when its context ends and disturbs nothing"},
	"each handle has its own lock":     {"the lock is exclusive", "a waiter leaves when its context ends and disturbs nothing"},
	"a waiter does not look at ctx":    {"a waiter leaves when its context ends and disturbs nothing"},
	"a waiter invents an error":        {"a waiter leaves when its context ends and disturbs nothing"},
	"a waiter that leaves unlocks":     {"a waiter leaves when its context ends and disturbs nothing"},
	"an ended context may lock":        {"an ended context runs no fn"},
	"an ended context is an error":     {"an ended context runs no fn"},
	"fn's ctx goes on":                 {"a context that ends while fn runs ends fn's and releases the lock"},
	"an ended context keeps the lock":  {"a context that ends while fn runs ends fn's and releases the lock"},
	"does not watch the lock":          {"a lost lock ends fn's context and Update fails"},
	"a lost lock is success":           {"a lost lock ends fn's context and Update fails", "a holder that lost its lock unnoticed cannot write or unlock"},
	"a lost lock is absence":           {"a lost lock ends fn's context and Update fails"},
	"writes without the lock":          {"a holder that lost its lock unnoticed cannot write or unlock"},
	"unlocks whoever holds the lock":   {"a holder that lost its lock unnoticed cannot write or unlock"},
	"a lost lock is never taken again": {"a holder that lost its lock unnoticed cannot write or unlock"},
}

func TestEveryRuleNoticesItsFlaws(t *testing.T) {
	t.Parallel()
	byName := map[string]rule{}
	for _, r := range rules {
		byName[r.name] = r
	}
	covered := map[string]bool{}
	for flaw, names := range flaws {
		for _, name := range names {
			covered[name] = true
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				r, ok := byName[name]
				require.True(t, ok, "no such rule")
				rec := check(r, flaw, nil)
				assert.NotEmpty(t, rec.failures, "the rule did not notice")
				assert.False(t, rec.skipped)
			})
		}
	}
	for name := range byName {
		assert.True(t, covered[name], "no flaw shows that the rule %q can fail", name)
	}
}

// check runs one rule on a store with a flaw, "" for none.
func check(r rule, flaw string, change func(*bench)) *recorder {
	rec := &recorder{}
	b := &bench{
		tb: rec, patience: time.Second, prefix: "storetest",
		newStore:     func() webanklive.CredentialStore { return newFlawed(flaw) },
		secondHandle: secondFlawed, breakLock: breakFlawed, stop: stopFlawed,
	}
	if flaw == "" {
		b.patience = patience
	}
	if change != nil {
		change(b)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.check(b)
	}()
	<-done
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec
}

// A recorder is a tb that expects failures.
type recorder struct {
	mu       sync.Mutex
	failures []string
	skipped  bool
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

// A flawedStore is a correct store with a lease, except for its flaw.
type flawedStore struct {
	*flawedBackend
	flaw string
	name string // of the handle
}

type flawedBackend struct {
	mu     sync.Mutex
	values map[string]flawedValue
	locks  map[string]*int // the holder's token
	down   bool
}

type flawedValue struct {
	bytes   []byte
	expires time.Time
}

func newFlawed(flaw string) webanklive.CredentialStore {
	return &flawedStore{&flawedBackend{values: map[string]flawedValue{}, locks: map[string]*int{}}, flaw, "first"}
}

func secondFlawed(s webanklive.CredentialStore) webanklive.CredentialStore {
	second := *s.(*flawedStore)
	second.name = "second"
	return &second
}

func breakFlawed(store webanklive.CredentialStore, key string) {
	s := store.(*flawedStore)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[s.lockKey(key)] = nil
	if s.flaw == "a lost lock is never taken again" {
		s.locks[s.lockKey(key)] = new(int)
	}
}

func stopFlawed(store webanklive.CredentialStore) {
	s := store.(*flawedStore)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
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
		return s.name + key
	}
	return s.valueKey(key)
}

func (s *flawedStore) Load(ctx context.Context, key string) ([]byte, error) {
	if s.is("Load takes the lock") {
		token, err := s.lock(ctx, key)
		if err != nil {
			return nil, err
		}
		defer s.unlock(key, token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.is("every error is absence") && (s.down || ctx.Err() != nil):
		return nil, webanklive.ErrNoCredential
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
	if !value.expires.IsZero() && !time.Now().Before(value.expires) {
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
	}
	token, err := s.lock(ctx, key)
	if err != nil {
		return nil, err
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
	if !s.is("does not watch the lock") && !s.is("does not lock") {
		go func() {
			for fnCtx.Err() == nil {
				if !s.holds(key, token) {
					cancel(errLost)
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}

	switch s.flaw {
	case "a panic keeps the lock":
		unlock = false
	case "a panic is success":
		defer func() {
			if recover() != nil {
				value, err = []byte("value"), nil
			}
		}()
	}
	next, ttl, err := fn(fnCtx, current)
	unlock = true
	if s.is("calls fn twice") {
		next, ttl, err = fn(fnCtx, current)
	}
	unlock = (!s.is("an error keeps the lock") || err == nil) && (!s.is("an ended context keeps the lock") || ctx.Err() == nil)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		switch s.flaw {
		case "stores in spite of an error":
			s.write(key, next, ttl)
		case "hides the error of fn":
			return nil, errors.New(err.Error())
		case "swallows the error of fn":
			return nil, nil
		}
		return nil, err
	}
	if s.locks[s.lockKey(key)] != token && !s.is("does not lock") {
		switch s.flaw {
		case "writes without the lock":
			s.write(key, next, ttl)
		case "a lost lock is success":
			return next, nil
		}
		return nil, errLost
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

func (s *flawedStore) holds(key string, token *int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locks[s.lockKey(key)] == token
}

func (s *flawedStore) lock(ctx context.Context, key string) (*int, error) {
	token := new(int)
	for first := true; ; first = false {
		s.mu.Lock()
		switch {
		case s.down && !s.is("runs fn without a backend"):
			s.mu.Unlock()
			if s.is("every error is absence") {
				return nil, webanklive.ErrNoCredential
			}
			return nil, errors.New("down")
		case ctx.Err() != nil && (!s.is("a waiter does not look at ctx") || first) && !s.is("an ended context may lock"):
			if s.is("a waiter that leaves unlocks") && !first {
				s.locks[s.lockKey(key)] = nil
			}
			s.mu.Unlock()
			if s.is("a waiter invents an error") && !first || s.is("an ended context is an error") && first {
				return nil, errors.New("gave up")
			}
			return nil, ctx.Err()
		case s.locks[s.lockKey(key)] == nil || s.is("does not lock"):
			s.locks[s.lockKey(key)] = token
			s.mu.Unlock()
			return token, nil
		}
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func (s *flawedStore) unlock(key string, token *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[s.lockKey(key)] == token || s.is("unlocks whoever holds the lock") || s.is("does not lock") {
		s.locks[s.lockKey(key)] = nil
	}
}
