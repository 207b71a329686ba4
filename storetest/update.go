package storetest

// The checks of Update: what its function gets, what becomes of what it returns, and the lock.

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
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

func checkNilNext(b *bench) {
	s, key, witness := b.newStore(), b.key("nil-next"), b.key("nil-next-witness")
	nothing := func(context.Context, []byte) ([]byte, time.Duration, error) { return nil, time.Millisecond, nil } // a ttl, too
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

func checkErrorReleases(b *bench) {
	first, second := b.handles()
	key := b.key("error-releases")
	errFn := errors.New("storetest: fn failed")
	b.wantReleased(second, key, "after an error of fn", func() {
		b.wait("Update", b.start(context.Background(), first, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			return nil, 0, errFn
		}))
	})
}

func checkPanic(b *bench) {
	first, second := b.handles()
	key := b.key("panic")
	b.wantReleased(second, key, "after a panic in fn", func() {
		r := b.wait("Update", b.start(context.Background(), first, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			panic("storetest: fn panics")
		}))
		if r.panicked == nil && r.err == nil {
			b.Errorf("Update returned %.40q and no error though fn panicked", r.value)
		}
	})
	b.wantAbsent(first, key)
}

// checkGoexit has an fn that ends its goroutine, as FailNow of a test does.
func checkGoexit(b *bench) {
	first, second := b.handles()
	key := b.key("goexit")
	b.wantReleased(second, key, "after fn ended its goroutine", func() {
		r := b.wait("Update", b.start(context.Background(), first, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			runtime.Goexit()
			return nil, 0, nil
		}))
		if r.returned && r.err == nil {
			b.Errorf("Update returned %.40q and no error though fn never returned", r.value)
		}
	})
	b.wantAbsent(first, key)
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
			for added := 0; added < rounds; {
				ran := false
				_, err := s.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
					ran = true
					return add(ctx, current)
				})
				if err != nil {
					failures <- err
					return
				}
				if ran { // else another one's value came while this one waited
					added++
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
	b.wantReleased(second, key, "after the context of an Update ended", func() {
		if ended, _ := b.updateWhoseContextEnds(first, key, nil); !ended {
			b.Errorf("fn's context went on when the caller's ended")
		}
	})
}

// checkStoredAfterContext catches a store that writes with a context that has ended: the credential that fn has minted
// meanwhile would be lost for all processes.
func checkStoredAfterContext(b *bench) {
	first, second := b.handles()
	key := b.key("stored-after-context")
	for _, value := range []string{"first", "second"} {
		if _, r := b.updateWhoseContextEnds(first, key, []byte(value)); r.err != nil {
			b.Errorf("Update whose context ended while fn ran returned error %v, want what fn returned to be stored", r.err)
		} else if string(r.value) != value {
			b.Errorf("Update whose context ended while fn ran = %.40q, want %q", r.value, value)
		}
		b.wantValue(second, key, value)
	}
}

// updateWhoseContextEnds calls Update, ends its context while fn runs, and reports whether fn's ended, too.
func (b *bench) updateWhoseContextEnds(s webanklive.CredentialStore, key string, next []byte) (ended bool, r result) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r = b.wait("Update", b.start(ctx, s, key, func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		cancel()
		select {
		case <-ctx.Done():
			ended = true
		case <-time.After(b.patience / 2):
		}
		return next, 0, nil
	}))
	return ended, r
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

// checkQuotesNothing provokes the errors that can be provoked and looks for the values in them.
func checkQuotesNothing(b *bench) {
	first, second := b.handles()
	key := b.key("quotes-nothing")
	const stored, next = "StOrEdSeCrEt", "NeXtVaLuE"
	long := func(secret string) string { return strings.Repeat(secret, 20) } // so that a part of it shows, too
	look := func(what string, err error) {
		for _, text := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err)} {
			for _, secret := range []string{stored, next} {
				if strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret))) ||
					strings.Contains(text, base64.RawStdEncoding.EncodeToString([]byte(secret))) { // 12 and 9 bytes: no padding
					b.Errorf("the error of %s quotes a value", what)
					return
				}
			}
		}
	}
	returning := func(err error, before func()) webanklive.UpdateFunc {
		return func(context.Context, []byte) ([]byte, time.Duration, error) {
			before()
			return []byte(long(next)), 0, err
		}
	}
	b.set(first, key, long(stored))

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.tryLoad(ended, first, key)
	look("Load with an ended context", err)
	look("Update with an ended context", b.wait("Update", b.start(ended, first, key, returning(nil, func() {}))).err)
	look("an fn that failed", b.wait("Update", b.start(context.Background(), first, key, returning(errors.New("storetest: fn failed"), func() {}))).err)

	brief, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	h := b.hold(first, key)
	look("an Update that waited", b.wait("Update", b.start(brief, second, key, returning(nil, func() {}))).err)
	h.release(nil)

	if b.breakLock != nil {
		look("a lost lock", b.wait("Update", b.start(context.Background(), first, key, returning(nil, func() { b.breakLock(first, key) }))).err)
		b.set(first, key, long(stored))
	}
	if b.stop != nil {
		entered, stopped := make(chan struct{}), make(chan struct{})
		done := b.start(context.Background(), first, key, returning(nil, func() {
			close(entered)
			<-stopped
		}))
		select {
		case <-entered:
		case <-time.After(b.patience):
			b.Fatalf("Update did not run fn within %v", b.patience)
		}
		b.stop(first) // on this goroutine, as promised
		close(stopped)
		look("a write without a backend", b.wait("Update", done).err)
		_, err = b.tryLoad(context.Background(), first, key)
		look("Load without a backend", err)
		look("Update without a backend", b.wait("Update", b.start(context.Background(), first, key, returning(nil, func() {}))).err)
	}
}
