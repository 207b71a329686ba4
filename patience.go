package webanklive

// How long an attempt waits for the platform.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// answerTimeout is how long the platform may be silent: until the headers, and in each read of a body.
	// http.Client.Timeout would cut a healthy slow download instead.
	answerTimeout = 10 * time.Second

	// callTimeout and mediaTimeout bound one request as a whole, so that one byte a second does not go on for ever.
	callTimeout  = 30 * time.Second
	mediaTimeout = 10 * time.Minute
)

var (
	errSilent  = fmt.Errorf("the platform was silent for %v", answerTimeout)
	errTooSlow = errors.New("the reply took too long")
)

// A watch ends the attempts whose patience is over, with one timer for all of a client's: to set one for each attempt,
// let alone for each read, wakes a thread of a process that is otherwise idle, and that costs a third of a short call.
// The zero watch is ready. It is safe for concurrent use.
type watch struct {
	mu       sync.Mutex
	attempts map[*patience]struct{}
	set      bool // the timer runs; at the latest it fires when an attempt that does not rest may be over
}

// patience bounds one attempt: answerTimeout each time that it waits for the platform, and a total. While the caller's
// writer takes its time, nobody waits for the platform.
type patience struct {
	began  time.Time
	total  time.Duration
	cancel context.CancelCauseFunc
	since  atomic.Int64 // nanoseconds after began at which the wait began; resting: there is none
}

const resting = -1

// begin returns the patience of an attempt that waits from now on. It must be given to end.
func (w *watch) begin(total time.Duration, cancel context.CancelCauseFunc) *patience {
	p := &patience{began: time.Now(), total: total, cancel: cancel}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.attempts == nil {
		w.attempts = map[*patience]struct{}{}
	}
	w.attempts[p] = struct{}{}
	w.setTimer(answerTimeout)
	return p
}

func (w *watch) end(p *patience) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.attempts, p)
}

// setTimer must be called with w.mu held.
func (w *watch) setTimer(d time.Duration) {
	if !w.set {
		w.set = true
		time.AfterFunc(d, w.look)
	}
}

// look cancels what is over, and comes back when the next one may be.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = false
	next := answerTimeout
	for p := range w.attempts {
		left, why := p.left()
		if left <= 0 {
			p.cancel(why)
			delete(w.attempts, p)
			continue
		}
		next = min(next, left)
	}
	if len(w.attempts) > 0 {
		w.setTimer(next)
	}
}

// left returns how long p may go on waiting, and why no longer.
func (p *patience) left() (time.Duration, error) {
	since, elapsed := p.since.Load(), time.Since(p.began)
	if since == resting {
		return answerTimeout, nil
	}
	silence, total := time.Duration(since)+answerTimeout-elapsed, p.total-elapsed
	if total <= silence {
		return total, errTooSlow
	}
	return silence, errSilent
}

// wait begins to wait for the platform, and rest ends it. The watch does not look at who rests, so wait does.
func (p *patience) wait() {
	elapsed := time.Since(p.began)
	p.since.Store(int64(elapsed))
	if elapsed >= p.total {
		p.cancel(errTooSlow)
	}
}

func (p *patience) rest() { p.since.Store(resting) }
