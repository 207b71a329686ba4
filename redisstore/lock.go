package redisstore

// The lock of one key: taken or waited for, kept, used for the write, released.

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// How often a waiter looks, on average: soon at first, then once a second.
	lookSoon, lookLater = 200 * time.Millisecond, time.Second

	// extendEvery is how many times a lease is extended in its length. So at any time two thirds of the lease are left for a
	// failover, and a sixth for the client to notice it.
	extendEvery = 6

	// releaseLimit is how long a caller waits for an unlock that Redis does not answer.
	releaseLimit = time.Second
)

// A lease is a lock that was taken and may have been lost since.
type lease struct {
	store *Store
	key   string
	token string // empty until the lock is taken

	mu      sync.Mutex
	expires time.Time // guarded by mu; the earliest time: it counts from before the lock was asked for
}

var errLeaseOver = fmt.Errorf("%w: another process has it, or it ran out, or Redis was flushed", ErrLockLost)

// A state is what a script returns for a key.
type state struct {
	locked bool   // of takeScript: this lease has the lock; of lookScript: a process has it
	value  []byte // nil: none
}

// lock waits for the lock of key and returns it with the newest value, nil when there is none; or no lock, and a value
// that was stored since the wait began. Once Redis has answered, errors end the wait only when they last for one lease:
// another process is minting, and a failover that does not end its mint need not end the wait.
func (s *Store) lock(ctx context.Context, key string) (*lease, []byte, error) {
	l := &lease{store: s, key: key}
	first, err := until(ctx, s, min(commandLimit, s.lease), func(limit time.Duration) (state, error) { return l.take(ctx, limit) })
	switch {
	case err != nil:
		return nil, nil, err
	case first.locked:
		return l, first.value, nil
	}
	answered := time.Now()
	for wait := lookSoon; ; wait = min(2*wait, lookLater) {
		if !pause(ctx, wait) {
			return nil, nil, ctx.Err()
		}
		now, err := l.look(ctx)
		if err == nil && !now.locked && !isNew(now.value, first.value) {
			now, err = l.take(ctx, min(s.attempt(), s.lease))
		} else {
			now.locked = false // not ours
		}
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, ErrCannotOpen)):
			return nil, nil, err
		case err != nil && time.Since(answered) >= s.lease && !redis.IsTryAgainError(err):
			return nil, nil, fmt.Errorf("wait for the lock: %w", err)
		case err != nil:
			if redis.IsTryAgainError(err) { // a slot is being moved: Redis works
				answered = time.Now()
			}
			continue
		case isNew(now.value, first.value):
			if now.locked {
				l.release(ctx)
			}
			return nil, now.value, nil
		case now.locked:
			return l, now.value, nil
		}
		answered = time.Now()
	}
}

// isNew reports whether there is a value that differs from the one that was seen. A value that was removed ends no wait.
func isNew(value, seen []byte) bool { return value != nil && !bytes.Equal(value, seen) }

// take takes the lock if it is free. After an error it releases the lock, which may have been taken all the same. Each attempt
// has a token of its own, so that a late unlock of one attempt does not release the lock of the next. The limit must not be
// longer than the lease: the lock of a later reply might be over.
func (l *lease) take(ctx context.Context, limit time.Duration) (state, error) {
	if ctx.Err() != nil {
		return state{}, ctx.Err()
	}
	token, expires := rand.Text(), time.Now().Add(l.store.lease)
	taken, err := ask(ctx, l.store, limit, func(ctx context.Context) (state, error) {
		taken, err := l.state(ctx, takeScript, token, l.store.lease.Milliseconds())
		if err != nil {
			_ = l.unlock(ctx, token) // the reply may have been lost, and not the command
		}
		return taken, err
	}, func() { _ = l.unlock(ctx, token) })
	if err == nil && taken.locked && ctx.Err() != nil {
		_ = l.unlock(ctx, token)
		err = ctx.Err()
	}
	if err != nil {
		return state{}, fmt.Errorf("take the lock: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token, l.expires = token, expires
	return taken, nil
}

// look asks for the value, and whether a process has the lock.
func (l *lease) look(ctx context.Context) (state, error) {
	return ask(ctx, l.store, l.store.attempt(), func(ctx context.Context) (state, error) {
		return l.state(ctx, lookScript)
	}, nil)
}

// state runs a script that returns a state, and opens the value.
func (l *lease) state(ctx context.Context, script string, args ...any) (state, error) {
	reply, err := l.store.eval(ctx, script, l.keys(), args...).Slice()
	if err != nil {
		return state{}, err
	}
	if len(reply) != 2 {
		return state{}, errors.New("a reply of the wrong size")
	}
	locked, ok := reply[0].(int64)
	if !ok {
		return state{}, errors.New("a reply of the wrong type")
	}
	answer := state{locked: locked == 1}
	if stored, present := reply[1].(string); present {
		answer.value, err = l.store.seal.open(l.key, []byte(stored))
	}
	return answer, err
}

// keep extends the lease until stop is called or ctx ends, and ends the returned context when the lease is lost. A caller
// whose ctx has ended still has the lease for its length, and then no longer blocks the others.
func (l *lease) keep(ctx context.Context) (fnCtx context.Context, stop func()) {
	fnCtx, cancel := context.WithCancelCause(ctx)
	var extending sync.WaitGroup
	extending.Add(1)
	go func() {
		defer extending.Done()
		if err := l.extend(fnCtx); err != nil {
			cancel(err) // before the logging, which may be slow
			l.store.warn(ctx, "redisstore: lost the lock of the credential", "key", l.store.valueKey(l.key), "error", err)
		}
	}()
	return fnCtx, func() {
		cancel(nil)
		extending.Wait()
	}
}

// extend extends the lease until ctx ends, and returns nil then; it returns an error when the lease is lost.
func (l *lease) extend(ctx context.Context) error {
	wait := l.store.lease / extendEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		sent := time.Now()
		limit := min(l.store.attempt(), max(l.left(), time.Millisecond))
		held, err := ask(ctx, l.store, limit, func(ctx context.Context) (bool, error) {
			return l.store.eval(ctx, extendScript, l.keys()[:1], l.token, l.store.lease.Milliseconds()).Bool()
		}, nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && held:
			l.mu.Lock()
			l.expires = sent.Add(l.store.lease)
			l.mu.Unlock()
			wait = l.store.lease / extendEvery
		case err == nil:
			return errLeaseOver
		case l.left() <= 0:
			return fmt.Errorf("%w: not extended within %v: %w", ErrLockLost, l.store.lease, err)
		default:
			wait = min(l.store.lease/10, l.left())
		}
	}
}

// warn logs from any goroutine: a logger that panics must not end the process.
func (s *Store) warn(ctx context.Context, message string, args ...any) {
	defer func() { _ = recover() }()
	s.log.WarnContext(ctx, message, args...)
}

// left is the least time that the lease still lasts, unless it was lost.
func (l *lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.expires)
}

// write stores value if the lease is still held. It does not end with ctx: a minted credential must be stored. A write that
// fails is repeated for as long as the lease lasts, so that a failover loses no credential. When only the reply was lost, the
// script stores the same value again.
func (l *lease) write(ctx context.Context, value []byte, ttl time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	milliseconds := max(ttl.Milliseconds(), 0)
	if ttl > 0 && ttl%time.Millisecond != 0 {
		milliseconds++
	}
	for {
		held, err := ask(ctx, l.store, min(l.store.attempt(), max(l.left(), time.Second)), func(ctx context.Context) (bool, error) {
			return l.store.eval(ctx, storeScript, l.keys(), l.token, milliseconds, value).Bool()
		}, nil)
		switch {
		case err == nil && held:
			return nil
		case err == nil:
			return errLeaseOver
		case l.left() <= 0:
			return fmt.Errorf("store the value: %w", err)
		}
		pause(ctx, repeatAfter)
	}
}

// release gives the lock back, even if ctx has ended.
func (l *lease) release(ctx context.Context) {
	if err := l.unlock(ctx, l.token); err != nil {
		l.store.warn(ctx, "redisstore: the lock of the credential could not be released; others wait until its lease ends",
			"key", l.store.valueKey(l.key), "lease", l.store.lease, "error", err)
	}
}

func (l *lease) unlock(ctx context.Context, token string) error {
	_, err := ask(context.WithoutCancel(ctx), l.store, releaseLimit, func(ctx context.Context) (any, error) {
		return l.store.eval(ctx, releaseScript, l.keys()[:1], token).Result()
	}, nil)
	return err
}

// keys are the Redis keys of a script: the lock, and the value.
func (l *lease) keys() []string {
	return []string{l.store.lockKey(l.key), l.store.valueKey(l.key)}
}
