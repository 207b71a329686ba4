package storetest

// The checks of Update: what its function gets, what becomes of what it returns, and the lock.

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
)

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
