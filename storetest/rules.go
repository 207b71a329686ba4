package storetest

// The rules, in the order of the contract of webanklive.CredentialStore, and the checks of those about values. The checks
// of those about Update are in update.go, of those about waiting for the lock in waiting.go.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
)

type rule struct {
	name  string
	check func(b *bench)
}

var rules = []rule{
	{"absent is ErrNoCredential", checkAbsent},
	{"a failed Load is not ErrNoCredential", checkFailedLoad},
	{"an outage is not ErrNoCredential and runs no fn", checkOutage},
	{"Load returns what Update stored", checkStored},
	{"values are opaque bytes", checkOpaque},
	{"keys are independent", checkKeys},
	{"a value expires after its ttl", checkExpiry},
	{"a ttl of 0 keeps the value", checkKept},
	{"the caller owns what it gets and gives", checkOwnership},
	{"Load does not wait for the lock", checkLoadWhileLocked},
	{"current is the newest value, nil when there is none", checkCurrent},
	{"a nil next stores nothing and returns the current value", checkNilNext},
	{"an error of fn stores nothing and is returned", checkFnError},
	{"an error of fn releases the lock", checkErrorReleases},
	{"a panic in fn stores nothing and releases the lock", checkPanic},
	{"an fn that ends its goroutine stores nothing and releases the lock", checkGoexit},
	{"the lock is exclusive", checkExclusive},
	{"the lock is held for as long as fn runs, however short the lease", checkLongHold},
	{"who waits returns a new value as soon as it is there, without fn", checkWaiterLooks},
	{"who waits runs fn once when the lock is free and the value as it was", checkWaiterRuns},
	{"waiting has no end of its own", checkWaitsOn},
	{"a waiter leaves when its context ends and disturbs nothing", checkWaiter},
	{"an ended context runs no fn", checkEndedContext},
	{"a context that ends while fn runs ends fn's and releases the lock", checkContextEnds},
	{"what fn returns after its context has ended is stored", checkStoredAfterContext},
	{"a lost lock ends fn's context and Update fails", checkLostLock},
	{"a holder that lost its lock unnoticed cannot write or unlock", checkLostUnnoticed},
	{"no error quotes a value", checkQuotesNothing},
}

func checkAbsent(b *bench) {
	s := b.newStore()
	b.wantAbsent(s, b.key("absent"))
	b.update(s, b.key("present"), put("value", 0))
	b.wantAbsent(s, b.key("absent"))
}

// checkFailedLoad catches the store that answers "absent" whatever went wrong.
func checkFailedLoad(b *bench) {
	s, key := b.newStore(), b.key("failed")
	b.update(s, key, put("value", 0))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	value, err := b.tryLoad(ctx, s, key)
	switch {
	case errors.Is(err, webanklive.ErrNoCredential):
		b.Errorf("Load with an ended context says that there is no value: %v", err)
	case err == nil && string(value) != "value":
		b.Errorf("Load with an ended context = %.40q without an error", value)
	}
}

func checkOutage(b *bench) {
	if b.stop == nil {
		b.Skipf("needs WithOutage")
	}
	s, key := b.newStore(), b.key("outage")
	b.update(s, key, put("value", 0))
	b.stop(s)
	for _, key := range []string{key, b.key("outage-absent")} {
		if value, err := b.tryLoad(context.Background(), s, key); err == nil || errors.Is(err, webanklive.ErrNoCredential) {
			b.Errorf("Load of %.80q without a backend = %.40q, error %v", key, value, err)
		}
		var ran atomic.Bool
		r := b.wait("Update without a backend", b.start(context.Background(), s, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			ran.Store(true)
			return nil, 0, nil
		}))
		if ran.Load() {
			b.Errorf("Update of %.80q without a backend ran fn, though nothing can have been locked", key)
		}
		if r.err == nil || errors.Is(r.err, webanklive.ErrNoCredential) {
			b.Errorf("Update of %.80q without a backend returned error %v", key, r.err)
		}
	}
}

func checkStored(b *bench) {
	first, second := b.handles()
	key := b.key("stored")
	for _, value := range []string{"one", "a longer one", "two"} {
		if got := b.update(first, key, put(value, time.Hour)); string(got) != value {
			b.Errorf("Update = %.40q, want what it stored, %q", got, value)
		}
		b.wantValue(first, key, value)
		b.wantValue(second, key, value)
	}
}

func checkOpaque(b *bench) {
	s := b.newStore()
	for name, value := range map[string]string{
		"NUL":          "\x00a\x00\x00b\x00",
		"line ends":    "\r\n$5\r\n\n",
		"not UTF-8":    "\xff\xfe\xc3\x28",
		"100 KB":       strings.Repeat("0123456789", 10_240),
		"JSON":         `{"a":"\u0000"}`,
		"white space":  " \t value \n",
		"looks absent": "nil",
		"empty":        "",
	} {
		key := b.key("opaque-" + strings.ReplaceAll(name, " ", "-"))
		if got := b.update(s, key, put(value, time.Hour)); string(got) != value {
			b.Errorf("%s: Update does not return what it stored", name)
		}
		b.wantValue(s, key, value)
		b.update(s, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			if current == nil || string(current) != value {
				b.Errorf("%s: current is not what was stored", name)
			}
			return nil, 0, nil
		})
	}
}

// checkKeys holds the locks of all keys at once, so that two keys that share a lock, or a key whose value is stored
// where the lock of another is, show.
func checkKeys(b *bench) {
	s := b.newStore()
	keys := []string{
		".", "..", "a", "A", "a.", "a b", "a/b", "/a", "../a", `a\b`, "a:b", "a:lock", "a.lock", "lock:a", "a@b.example:443/x",
		"a%2Fb", "a%2fb", "%", "%%", "*", "?", "[a]", "{a}", "{b}a", "a}b{c", "}", "{}", "con", "nul", "~", "-a", "'", `"`, "$a", "`",
		strings.Repeat("k", 299) + "1", strings.Repeat("k", 299) + "2",
	}
	for i := range 50 {
		keys = append(keys, "many-"+strconv.Itoa(i))
	}
	for i, key := range keys {
		keys[i] = b.prefix + key
		if len(key) <= 2 {
			keys = append(keys, key) // a name that is odd as a whole
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), b.patience)
	defer cancel()
	var lockRest func(i int) error
	lockRest = func(i int) error {
		if i == len(keys) {
			return nil
		}
		_, err := s.Update(ctx, keys[i], func(context.Context, []byte) ([]byte, time.Duration, error) {
			err := lockRest(i + 1)
			return []byte("value of " + keys[i]), time.Hour, err
		})
		if err != nil && !errors.As(err, new(keyError)) {
			return keyError{keys[i], err}
		}
		return err
	}
	done := make(chan error, 1)
	go func() { done <- lockRest(0) }()
	select {
	case err := <-done:
		if err != nil {
			b.Fatalf("the locks of %d keys cannot be held at once: %v", len(keys), err)
		}
	case <-time.After(2 * b.patience):
		b.Fatalf("the locks of %d keys cannot be held at once: no end after %v", len(keys), 2*b.patience)
	}
	for _, key := range keys {
		b.wantValue(s, key, "value of "+key)
	}
}

// A keyError is the failure of the innermost Update.
type keyError struct {
	key string
	err error
}

func (e keyError) Error() string { return fmt.Sprintf("key %.80q: %v", e.key, e.err) }

func checkExpiry(b *bench) {
	const ttl = 300 * time.Millisecond
	s, second := b.handles()
	key, long := b.key("expiry"), b.key("expiry-long")
	b.update(s, long, put("long", time.Hour))
	stored := time.Now()
	b.update(s, key, put("short", ttl))
	if took := time.Since(stored); took < ttl/2 {
		if _, err := b.tryLoad(context.Background(), s, key); err != nil && time.Since(stored) < ttl/2 {
			b.Errorf("Load %v after a store with ttl %v: %v", took, ttl, err)
		}
	}
	b.absent(s, key)
	if lived := time.Since(stored); lived < ttl-time.Millisecond { // backends count in milliseconds
		b.Errorf("the value was gone after %v, before its ttl of %v", lived, ttl)
	}
	b.absent(second, key)
	b.update(second, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		if current != nil {
			b.Errorf("current = %.40q after the value expired, want nil", current)
		}
		return nil, 0, nil
	})
	b.wantValue(s, long, "long")
}

// checkKept waits for real: a witness with the ttl that must not apply any more shows when it would have.
func checkKept(b *bench) {
	const ttl = 200 * time.Millisecond
	s, kept, negative, witness := b.newStore(), b.key("kept"), b.key("kept-negative"), b.key("kept-witness")
	b.update(s, kept, put("short", ttl))
	b.update(s, kept, put("kept", 0))
	b.update(s, negative, put("kept", -time.Hour))
	b.update(s, witness, put("witness", ttl))
	b.absent(s, witness)
	b.wantValue(s, kept, "kept")
	b.wantValue(s, negative, "kept")
}

func checkOwnership(b *bench) {
	s, key := b.newStore(), b.key("ownership")
	given := []byte("value")
	spoil := func(what string, value []byte) {
		for i := range value {
			value[i] = 'x'
		}
		if got, err := b.tryLoad(context.Background(), s, key); string(got) != "value" {
			b.Errorf("after %s was overwritten, Load = %.40q, error %v, want %q", what, got, err, "value")
			b.update(s, key, put("value", 0))
		}
	}
	returned := b.update(s, key, func(context.Context, []byte) ([]byte, time.Duration, error) { return given, 0, nil })
	spoil("what Update returned", returned)
	spoil("the next that fn returned", given)
	loaded, err := b.tryLoad(context.Background(), s, key)
	if err != nil {
		b.Fatalf("Load: %v", err)
	}
	spoil("what Load returned", loaded)
	returned = b.update(s, key, func(context.Context, []byte) ([]byte, time.Duration, error) { return nil, 0, nil })
	spoil("what Update returned for a nil next", returned)
}
