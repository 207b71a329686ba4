package redisstore

// How a command is sent: bounded in time, and after an error with new connections or a new topology.

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// commandLimit bounds each command, whatever the timeouts and retries of the caller's Redis client are.
	commandLimit = 3 * time.Second

	// clusterAttempt bounds one attempt of a command that is repeated, at a cluster: the client looks for the new owner of a
	// slot only after an attempt has ended. An attempt that was only slow keeps its connection for the next.
	clusterAttempt = time.Second

	// repeatAfter is the pause before a command that failed is sent again. The client loads the topology in that time.
	repeatAfter = 100 * time.Millisecond
)

// errNoAnswer says that a command had no answer in its time.
var errNoAnswer = errors.New("no answer from Redis")

// eval runs a script on keys.
func (s *Store) eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return s.rdb.Eval(ctx, script, keys, args...)
}

// attempt bounds one attempt of a command that its caller repeats.
func (s *Store) attempt() time.Duration {
	if _, cluster := s.rdb.(reloader); cluster {
		return clusterAttempt
	}
	return commandLimit
}

// A reloader is a *redis.ClusterClient, or a type that wraps one.
type reloader interface{ ReloadState(ctx context.Context) }

// ask runs within, and once more, in the time that is left, when [Store.repair] says that this may help. So do must be a
// command that may be repeated.
func ask[T any](ctx context.Context, s *Store, limit time.Duration, do func(context.Context) (T, error), left func()) (T, error) {
	began := time.Now()
	value, err := within(ctx, limit, do, left)
	if err == nil || errors.Is(err, redis.Nil) || ctx.Err() != nil || !s.repair(err) {
		return value, err
	}
	if time.Since(began)+2*repeatAfter > limit || !pause(ctx, repeatAfter) {
		return value, err
	}
	return within(ctx, limit-time.Since(began), do, left)
}

// until tries again while there is no answer and the limit is not over: at a cluster, a new client may ask a node that hangs
// for the topology first.
func until[T any](ctx context.Context, s *Store, limit time.Duration, try func(limit time.Duration) (T, error)) (T, error) {
	end := time.Now().Add(limit)
	for {
		value, err := try(min(s.attempt(), time.Until(end)))
		if !errors.Is(err, errNoAnswer) || ctx.Err() != nil || time.Until(end) < s.attempt()/2 {
			return value, err
		}
	}
}

// repair does what the Redis client does not do by itself after err, and reports whether the command may succeed now. A
// cluster client loads its topology once a minute only, and not after a dial that was refused. A client of one address goes on
// using connections to a server that was demoted behind that address: it knows one wording of READONLY, and proxies have
// others.
func (s *Store) repair(err error) bool {
	if errors.Is(err, ErrCannotOpen) {
		return false // Redis works
	}
	var answer redis.Error
	answered := errors.As(err, &answer)
	switch rdb := s.rdb.(type) {
	case *redis.Client:
		if answered && !demoted(answer) || !answered && !errors.Is(err, errNoAnswer) {
			return false
		}
		giveUpIdle(rdb)
		return true
	case reloader:
		if answered && !demoted(answer) && !redis.IsClusterDownError(err) && !redis.IsLoadingError(err) {
			return false
		}
		rdb.ReloadState(context.Background())
		return true
	}
	return false
}

// demoted reports whether a server, or a proxy before it, says that it does not take writes, or that it is a replica
// without its primary.
func demoted(err error) bool {
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"readonly", "read only", "read-only", "masterdown", "noreplicas"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// giveUpIdle closes the idle connections of rdb. A client has no method for that, but it closes a connection when it could not
// write a command to it. So each connection gets a command that cannot be encoded; nothing is sent.
func giveUpIdle(rdb *redis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for range rdb.PoolStats().IdleConns {
		if ctx.Err() != nil || rdb.PoolStats().IdleConns == 0 {
			return
		}
		conn := rdb.Conn()
		_ = conn.Process(ctx, redis.NewCmd(ctx, "ping", struct{}{}))
		_ = conn.Close()
	}
}

// within calls do and returns what do returns, or an error as soon as ctx has ended or the limit is over: a Redis client may
// look at its context between two commands only. A do that is still running then ends by the client's own timeouts; after
// that left runs, unless it is nil.
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
		r := reply{err: errors.New("the Redis client, or a hook of it, ended its goroutine")}
		defer func() {
			if recover() != nil { // the panic's value is not printed, because it may hold the stored value
				r = reply{err: errors.New("the Redis client, or a hook of it, panicked")}
			}
			r.late = limited.Err() != nil
			select {
			case replies <- r:
			case <-gone:
				if left != nil {
					left()
				}
			}
		}()
		r.value, r.err = do(limited)
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
	return none, fmt.Errorf("%w within %v", errNoAnswer, limit.Round(time.Millisecond))
}

// withoutArguments cuts the arguments out of an error: a server that does not know a command quotes them, and one may be the
// stored value.
func withoutArguments(err error) error {
	if text, _, found := strings.Cut(err.Error(), ", with args beginning with"); found {
		return errors.New(text)
	}
	return err
}

// pause waits for about d, at random, so that processes do not ask at the same time. It reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + mathrand.N(d)) //nolint:gosec // spreads load, keeps no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err() == nil
}
