package redisstore

// The lock of one key: taken, kept, used for the write, released. What must not fall apart is in Lua, so that Redis
// compares the token and acts on it in one step.

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// takeScript takes the lock and reads the value after that, from the primary even if the client reads from
	// replicas. It finds its own token when the client repeats a command whose reply was lost; without that look, a
	// process would wait for itself.
	takeScript = redis.NewScript(`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
	if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, false} end
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {1, redis.call('GET', KEYS[2])}`)

	extendScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

	storeScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
	redis.call('SET', KEYS[2], ARGV[3])
else
	redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
end
return 1`)

	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)
)

const (
	// How often a waiter asks: spread, so that a fleet that started to wait at once does not ask at once.
	pollAtLeast, pollAtMost = 50 * time.Millisecond, 150 * time.Millisecond

	// releaseLimit is how long a caller may be kept by an unlock that Redis does not answer.
	releaseLimit = time.Second
)

// A lease is a lock that was taken and may have been lost since.
type lease struct {
	store   *Store
	key     string
	token   string
	expires time.Time // at the earliest: counted from before the lock was asked for
}

var errLeaseOver = fmt.Errorf("%w: another process has it, or it ran out, or Redis was flushed", ErrLockLost)

// taken is the reply of takeScript.
type taken struct {
	locked  bool
	present bool
	value   string
}

// lock waits for the lock of key and returns the newest value, nil when there is none.
func (s *Store) lock(ctx context.Context, key string) (*lease, []byte, error) {
	l := &lease{store: s, key: key, token: rand.Text()}
	for {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		l.expires = time.Now().Add(s.lease)
		// A reply that comes later than the lease could be of a lock that is gone. Without a reply the lock may have
		// been taken all the same.
		t, err := within(ctx, min(commandLimit, s.lease), l.take, func() { _ = l.unlock(ctx) })
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("take the lock: %w", err)
		case t.locked && t.present:
			return l, s.open(ctx, key, t.value), nil
		case t.locked:
			return l, nil, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollAtLeast + mathrand.N(pollAtMost-pollAtLeast)): //nolint:gosec // spreads load, keeps no secret
		}
	}
}

func (l *lease) take(ctx context.Context) (taken, error) {
	reply, err := takeScript.Run(ctx, l.store.rdb, l.keys(), l.token, l.store.lease.Milliseconds()).Slice()
	if err != nil {
		_ = l.unlock(ctx) // the reply may have been lost, not the command
		return taken{}, err
	}
	if len(reply) != 2 {
		return taken{}, errors.New("a reply of the wrong size")
	}
	locked, ok := reply[0].(int64)
	if !ok {
		return taken{}, errors.New("a reply of the wrong type")
	}
	value, present := reply[1].(string)
	return taken{locked: locked == 1, present: present, value: value}, nil
}

// keep extends the lease until stop is called or ctx ends, and ends the returned context when the lease is lost. A
// caller whose ctx has ended has one lease left to finish, and then no longer blocks the others.
func (l *lease) keep(ctx context.Context) (fnCtx context.Context, stop func()) {
	fnCtx, cancel := context.WithCancelCause(ctx)
	var extending sync.WaitGroup
	extending.Add(1)
	go func() {
		defer extending.Done()
		if err := l.extend(fnCtx); err != nil {
			l.store.log.WarnContext(ctx, "redisstore: lost the lock of the credential", "key", l.store.valueKey(l.key), "error", err)
			cancel(err)
		}
	}()
	return fnCtx, func() {
		cancel(nil)
		extending.Wait()
	}
}

// extend returns nil when ctx ends, and the loss of the lease.
func (l *lease) extend(ctx context.Context) error {
	expires, wait := l.expires, l.store.lease/3
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		sent := time.Now()
		limit := min(commandLimit, max(expires.Sub(sent), time.Millisecond))
		held, err := within(ctx, limit, func(ctx context.Context) (bool, error) {
			return extendScript.Run(ctx, l.store.rdb, l.keys(), l.token, l.store.lease.Milliseconds()).Bool()
		}, nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && held:
			expires, wait = sent.Add(l.store.lease), l.store.lease/3
		case err == nil:
			return errLeaseOver
		case !time.Now().Before(expires):
			return fmt.Errorf("%w: not extended within %v: %w", ErrLockLost, l.store.lease, err)
		default:
			wait = min(l.store.lease/10, time.Until(expires))
		}
	}
}

// write stores value if the lease is still held. It does not end with ctx: what was minted must be stored.
func (l *lease) write(ctx context.Context, value []byte, ttl time.Duration) error {
	milliseconds := max(ttl.Milliseconds(), 0)
	if ttl > 0 && ttl%time.Millisecond != 0 {
		milliseconds++
	}
	held, err := within(context.WithoutCancel(ctx), commandLimit, func(ctx context.Context) (bool, error) {
		return storeScript.Run(ctx, l.store.rdb, l.keys(), l.token, milliseconds, value).Bool()
	}, nil)
	switch {
	case err != nil:
		return fmt.Errorf("store the value: %w", err)
	case !held:
		return errLeaseOver
	}
	return nil
}

// release gives the lock back, even if ctx has ended.
func (l *lease) release(ctx context.Context) {
	if err := l.unlock(ctx); err != nil {
		l.store.log.WarnContext(ctx, "redisstore: the lock of the credential could not be released; others wait until its lease ends",
			"key", l.store.valueKey(l.key), "lease", l.store.lease, "error", err)
	}
}

func (l *lease) unlock(ctx context.Context) error {
	_, err := within(context.WithoutCancel(ctx), releaseLimit, func(ctx context.Context) (any, error) {
		return releaseScript.Run(ctx, l.store.rdb, l.keys()[:1], l.token).Result()
	}, nil)
	return err
}

// keys are those of the scripts: the lock first.
func (l *lease) keys() []string {
	return []string{l.store.lockKey(l.key), l.store.valueKey(l.key)}
}

// within calls do and returns what it does, or an error as soon as ctx has ended or the limit is over: a Redis client
// may look at its context between two commands only. A do that was left behind ends with the client's own timeouts;
// then left runs, unless it is nil.
func within[T any](ctx context.Context, limit time.Duration, do func(context.Context) (T, error), left func()) (T, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	type reply struct {
		value T
		err   error
		late  bool
	}
	replies, gone := make(chan reply), make(chan struct{})
	go func() {
		defer cancel()
		var r reply
		r.value, r.err = do(limited)
		r.late = limited.Err() != nil
		select {
		case replies <- r:
		case <-gone:
			if left != nil {
				left()
			}
		}
	}()
	var none T
	select {
	case r := <-replies:
		switch {
		case r.err == nil || errors.Is(r.err, redis.Nil):
			return r.value, r.err
		case ctx.Err() != nil:
			return none, ctx.Err()
		case !r.late:
			return none, withoutArguments(r.err)
		}
	case <-limited.Done():
		close(gone)
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
	}
	return none, fmt.Errorf("no answer from Redis within %v", limit)
}

// withoutArguments cuts what a server that does not know a command quotes of it: the value may be among that.
func withoutArguments(err error) error {
	if text, _, found := strings.Cut(err.Error(), ", with args beginning with"); found {
		return errors.New(text)
	}
	return err
}
