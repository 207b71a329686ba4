package storetest

// The checks of waiting for the lock: an Update that waits looks at the value, waits as long as its ctx lives, and does not
// disturb the holder.

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// checkLongHold catches a lease that is not extended: another Update gets the lock, or the holder loses it.
func checkLongHold(b *bench) {
	first, second := b.handles()
	key := b.key("long-hold")
	b.update(first, key, put("before", 0))
	h := b.hold(first, key)
	for began := time.Now(); time.Since(began) < b.longHold; {
		b.wantLocked(second, key)
	}
	if r := h.release([]byte("after")); r.err != nil {
		b.Errorf("an Update whose fn ran for %v failed: %v", b.longHold, r.err)
	} else if h.ended != nil {
		b.Errorf("the context of an fn that ran for %v ended: %v", b.longHold, h.ended)
	}
	b.wantValue(second, key, "after")
}

// checkWaiterLooks takes the lock again as soon as the value is there: a store that looks at the value only once it has the
// lock waits on.
func checkWaiterLooks(b *bench) {
	const waiters = 16
	first, second := b.handles()
	key := b.key("waiter-looks")
	for _, before := range []string{"", "before"} {
		if before != "" {
			b.set(first, key, before)
		}
		h := b.hold(first, key)
		var ran atomic.Int32
		var waiting []<-chan result
		for range waiters {
			waiting = append(waiting, b.start(context.Background(), second, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
				ran.Add(1)
				return nil, 0, nil
			}))
		}
		time.Sleep(moment) // so that they wait for the lock and not for their start
		want := before + "new"
		if r := h.release([]byte(want)); r.err != nil {
			b.Fatalf("Update: %v", r.err)
		}
		again := b.hold(first, key)
		for _, done := range waiting {
			r := b.wait("an Update that waited for the lock while another one stored a value and a third one took the lock", done)
			if r.err != nil || string(r.value) != want {
				b.Errorf("an Update that waited while another one stored %q = %.40q, error %v", want, r.value, r.err)
			}
		}
		if n := ran.Load(); n > 0 {
			b.Errorf("%d of %d Updates that waited while another one stored a value ran their fn", n, waiters)
		}
		again.release(nil)
	}
}

func checkWaiterRuns(b *bench) {
	first, second := b.handles()
	key := b.key("waiter-runs")
	for _, before := range []string{"", "before"} {
		if before != "" {
			b.set(first, key, before)
		}
		h := b.hold(first, key)
		var ran atomic.Int32
		seen := make(chan string, 2)
		waiter := b.start(context.Background(), second, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			ran.Add(1)
			select {
			case seen <- string(current):
			default:
			}
			return []byte(before + "mine"), 0, nil
		})
		time.Sleep(moment / 2)
		h.release(nil)
		r := b.wait("an Update that waited for the lock", waiter)
		switch {
		case r.err != nil:
			b.Fatalf("an Update that waited for the lock failed: %v", r.err)
		case ran.Load() != 1:
			b.Errorf("an Update that waited for the lock of a value that stayed as it was ran its fn %d times, want once", ran.Load())
		case string(r.value) != before+"mine":
			b.Errorf("an Update that waited for the lock = %.40q, want what its fn stored, %q", r.value, before+"mine")
		default:
			if got := <-seen; got != before {
				b.Errorf("current = %.40q, want %q", got, before)
			}
		}
	}
}

func checkWaitsOn(b *bench) {
	first, second := b.handles()
	key := b.key("waits-on")
	h := b.hold(first, key)
	var ran atomic.Bool
	waiter := b.start(context.Background(), second, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		ran.Store(true)
		return nil, 0, nil
	})
	select {
	case r := <-waiter:
		b.Fatalf("an Update that waited for the lock ended though nothing was stored and its context had not ended: error %v, fn ran: %v", r.err, ran.Load())
	case <-time.After(b.longHold):
	}
	h.release(nil)
	if r := b.wait("an Update that waited for the lock", waiter); r.err != nil || !ran.Load() {
		b.Errorf("an Update that had waited for %v: error %v, fn ran: %v", b.longHold, r.err, ran.Load())
	}
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
