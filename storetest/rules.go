package storetest

// The rules, in the order of the contract of webanklive.CredentialStore.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
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
	{"current is read after the lock was taken", checkCurrentAfterLock},
	{"a nil next stores nothing and returns the current value", checkNilNext},
	{"an error of fn stores nothing and is returned", checkFnError},
	{"a panic in fn stores nothing and releases the lock", checkPanic},
	{"the lock is exclusive", checkExclusive},
	{"a waiter leaves when its context ends and disturbs nothing", checkWaiter},
	{"an ended context runs no fn", checkEndedContext},
	{"a context that ends while fn runs ends fn's and releases the lock", checkContextEnds},
	{"a lost lock ends fn's context and Update fails", checkLostLock},
	{"a holder that lost its lock unnoticed cannot write or unlock", checkLostUnnoticed},
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
	} {
		key := b.key("opaque-" + strings.ReplaceAll(name, " ", "-"))
		if got := b.update(s, key, put(value, time.Hour)); string(got) != value {
			b.Errorf("%s: Update does not return what it stored", name)
		}
		b.wantValue(s, key, value)
		b.update(s, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			if string(current) != value {
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
	s, key, long := b.newStore(), b.key("expiry"), b.key("expiry-long")
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
	b.update(s, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
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
	s, kept, witness := b.newStore(), b.key("kept"), b.key("kept-witness")
	b.update(s, kept, put("short", ttl))
	b.update(s, kept, put("kept", 0))
	b.update(s, witness, put("witness", ttl))
	b.absent(s, witness)
	b.wantValue(s, kept, "kept")
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

func checkLoadWhileLocked(b *bench) {
	first, second := b.handles()
	key := b.key("load-while-locked")
	b.update(first, key, put("value", 0))
	h := b.hold(first, key)
	b.wantValue(first, key, "value")
	b.wantValue(second, key, "value")
	h.release(nil)
}

func checkCurrent(b *bench) {
	first, second := b.handles()
	key := b.key("current")
	for i, s := range []webanklive.CredentialStore{first, second, first} {
		calls := 0
		b.update(s, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			calls++
			if i == 0 && current != nil {
				b.Errorf("current = %.40q for an absent key, want nil", current)
			}
			if want := strconv.Itoa(i); i > 0 && string(current) != want {
				b.Errorf("current = %.40q, want %q", current, want)
			}
			return []byte(strconv.Itoa(i + 1)), 0, nil
		})
		if calls != 1 {
			b.Errorf("Update called fn %d times, want once", calls)
		}
	}
}

func checkCurrentAfterLock(b *bench) {
	first, second := b.handles()
	key := b.key("current-after-lock")
	b.update(first, key, put("old", 0))
	h := b.hold(first, key)
	seen := make(chan string, 1)
	waiter := b.start(context.Background(), second, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		seen <- string(current)
		return nil, 0, nil
	})
	time.Sleep(moment) // time enough to read too early; a store that reads in time passes in any case
	if r := h.release([]byte("new")); r.err != nil {
		b.Fatalf("Update: %v", r.err)
	}
	if r := b.wait("the Update that waited for the lock", waiter); r.err != nil {
		b.Fatalf("the Update that waited for the lock: %v", r.err)
	}
	if got := <-seen; got != "new" {
		b.Errorf("current = %q, want %q, which was stored while this Update waited for the lock", got, "new")
	}
}

func checkNilNext(b *bench) {
	s, key, witness := b.newStore(), b.key("nil-next"), b.key("nil-next-witness")
	nothing := func(context.Context, []byte) ([]byte, time.Duration, error) { return nil, time.Millisecond, nil }
	if got := b.update(s, key, nothing); got != nil {
		b.Errorf("Update = %.40q for an absent key and a nil next, want nil", got)
	}
	b.wantAbsent(s, key)

	b.update(s, key, put("value", 0))
	if got := b.update(s, key, nothing); string(got) != "value" {
		b.Errorf("Update = %.40q for a nil next, want the value that is there", got)
	}
	b.update(s, witness, put("witness", time.Millisecond))
	b.absent(s, witness)
	b.wantValue(s, key, "value") // not stored again, so the ttl did not apply
}

func checkFnError(b *bench) {
	s, key := b.newStore(), b.key("fn-error")
	errFn := errors.New("storetest: fn failed")
	fail := func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte("half"), 0, errFn }
	for _, before := range []string{"", "value"} {
		if before != "" {
			b.update(s, key, put(before, 0))
		}
		if r := b.wait("Update", b.start(context.Background(), s, key, fail)); !errors.Is(r.err, errFn) {
			b.Errorf("Update returned error %v, want one that matches fn's", r.err)
		}
		if before == "" {
			b.wantAbsent(s, key)
		} else {
			b.wantValue(s, key, before)
		}
	}
	b.update(s, key, put("after", 0)) // the lock is free
}

func checkPanic(b *bench) {
	s, key := b.newStore(), b.key("panic")
	r := b.wait("Update", b.start(context.Background(), s, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		panic("storetest: fn panics")
	}))
	if r.panicked == nil && r.err == nil {
		b.Errorf("Update returned %.40q and no error though fn panicked", r.value)
	}
	b.wantAbsent(s, key)
	b.update(s, key, put("after", 0))
}

func checkExclusive(b *bench) {
	const workers, rounds = 16, 5
	first, second := b.handles()
	key := b.key("exclusive")
	var inside, overlaps atomic.Int32
	add := func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		if inside.Add(1) != 1 {
			overlaps.Add(1)
		}
		defer inside.Add(-1)
		n := 0
		if current != nil {
			var err error
			if n, err = strconv.Atoi(string(current)); err != nil {
				return nil, 0, err
			}
		}
		time.Sleep(time.Millisecond) // a window for the store that does not lock
		return []byte(strconv.Itoa(n + 1)), time.Hour, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.patience)
	defer cancel()
	failures := make(chan error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		s := first
		if i%2 == 1 {
			s = second
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range rounds {
				if _, err := s.Update(ctx, key, add); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	wg.Wait()
	if len(failures) > 0 {
		b.Fatalf("%d of %d goroutines failed, the first with: %v", len(failures), workers, <-failures)
	}
	if n := overlaps.Load(); n > 0 {
		b.Errorf("fn ran while another fn of the same key was running, %d times", n)
	}
	b.wantValue(first, key, strconv.Itoa(workers*rounds))
}

func checkWaiter(b *bench) {
	first, second := b.handles()
	key := b.key("waiter")
	h := b.hold(first, key)

	ctx, cancel := context.WithCancel(context.Background())
	var ran atomic.Bool
	waiter := b.start(ctx, second, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		ran.Store(true)
		return []byte("waiter"), 0, nil
	})
	time.Sleep(moment / 2) // so that it waits for the lock and not for its start
	cancel()
	left := time.Now()
	if r := b.wait("an Update whose context was cancelled", waiter); !errors.Is(r.err, context.Canceled) {
		b.Errorf("an Update whose context was cancelled while it waited returned error %v, want context.Canceled", r.err)
	}
	if took := time.Since(left); took > 2*time.Second {
		b.Errorf("it left %v after its context ended", took)
	}

	for range 3 {
		b.wantLocked(second, key)
		b.wantLocked(first, key)
	}
	if r := h.release([]byte("holder")); r.err != nil {
		b.Errorf("the Update that held the lock failed: %v", r.err)
	}
	if ran.Load() {
		b.Errorf("the waiter's fn ran")
	}
	b.wantValue(first, key, "holder")
	if got := b.update(second, key, put("next", 0)); string(got) != "next" {
		b.Errorf("Update = %.40q, want %q", got, "next")
	}
}

func checkEndedContext(b *bench) {
	s, key := b.newStore(), b.key("ended")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var ran atomic.Int32
	const tries = 20 // a select may choose the free lock as well as the ended context
	for range tries {
		r := b.wait("Update with an ended context", b.start(ctx, s, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			ran.Add(1)
			return nil, 0, nil
		}))
		if !errors.Is(r.err, context.Canceled) && ran.Load() == 0 {
			b.Fatalf("Update with an ended context returned error %v, want context.Canceled", r.err)
		}
	}
	if n := ran.Load(); n > 0 {
		b.Errorf("Update with an ended context ran fn, %d of %d times", n, tries)
	}
	b.update(s, key, put("after", 0))
}

func checkContextEnds(b *bench) {
	first, second := b.handles()
	key := b.key("context-ends")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan bool, 1)
	r := b.wait("Update", b.start(ctx, first, key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		cancel()
		select {
		case <-ctx.Done():
			ended <- true
		case <-time.After(b.patience / 2):
			ended <- false
		}
		return []byte("value"), 0, nil
	}))
	if !<-ended {
		b.Errorf("fn's context went on when the caller's ended")
	}
	if r.err == nil {
		b.wantValue(second, key, "value")
	}
	// Not for as long as a lease: what was released is free at once.
	began := time.Now()
	b.update(second, key, put("after", 0))
	if took := time.Since(began); took > b.patience/3 {
		b.Errorf("the lock was free only %v after the Update whose context ended", took)
	}
}

func checkLostLock(b *bench) {
	if b.breakLock == nil {
		b.Skipf("needs WithLockBreaker")
	}
	first, second := b.handles()
	key := b.key("lost")
	b.update(first, key, put("before", 0))
	for _, next := range [][]byte{[]byte("lost"), nil} {
		ended := make(chan bool, 1)
		r := b.wait("Update", b.start(context.Background(), first, key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
			b.breakLock(first, key)
			select {
			case <-ctx.Done():
				ended <- true
			case <-time.After(b.patience / 2):
				ended <- false
			}
			return next, 0, nil
		}))
		if !<-ended {
			b.Errorf("fn's context went on though the lock was lost")
		}
		if r.err == nil || errors.Is(r.err, webanklive.ErrNoCredential) {
			b.Errorf("Update that lost its lock returned error %v, want one that says so", r.err)
		}
		b.wantValue(second, key, "before")
	}
	b.update(second, key, put("after", 0))
	b.wantValue(first, key, "after")
}

func checkLostUnnoticed(b *bench) {
	if b.breakLock == nil {
		b.Skipf("needs WithLockBreaker")
	}
	first, second := b.handles()
	key := b.key("lost-unnoticed")
	b.update(first, key, put("before", 0))

	loser := b.hold(first, key)
	b.breakLock(first, key)
	winner := b.hold(second, key)
	if r := loser.release([]byte("loser")); r.err == nil {
		b.Errorf("Update stored though another one had taken the lock")
	}
	b.wantValue(second, key, "before")
	b.wantLocked(first, key) // the loser's release was not the winner's
	if r := winner.release([]byte("winner")); r.err != nil {
		b.Errorf("the Update that took the lost lock failed: %v", r.err)
	}
	b.wantValue(first, key, "winner")
}
