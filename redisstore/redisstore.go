// Package redisstore keeps the credential of package webanklive in Redis, so that a fleet of processes shares one and
// only one process at a time refreshes it:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "redis:6379", Password: …})
//	c, err := webanklive.NewClient(appID, secret, webanklive.WithCredentialStore(redisstore.New(rdb)))
//
// It needs Redis 6 or newer, or a server that speaks the same protocol with Lua, and works with a single server,
// Sentinel and Cluster, not with a Ring. For each key there are two Redis keys in one slot: prefix:{key} holds the
// value, and prefix:{key}:lock the random token of the process that holds the lock. The Redis user needs GET, SET, DEL,
// PEXPIRE and EVAL on them, and with Cluster CLUSTER SLOTS, too.
//
// Only a nil reply means that there is no credential. Every other failure is an error, so an outage is never a reason to
// mint, that is, to get a new credential.
//
// # The lock and its limits
//
// The lock is a lease, 15 seconds unless set: its holder extends it while it works, and when the holder crashes the lease
// ends by itself. A holder that was suspended, or cut off from Redis, for longer than the lease has lost the lock without
// knowing. The scripts that write, extend and unlock therefore compare the token first: such a holder's write is refused.
//
// After a mint, a write that fails is repeated until the lease ends, and the Redis client is made to look for the new
// primary. So a failover that takes less than two thirds of the lease costs nothing; [WithLease] says how to choose the
// lease. But Redis replicates asynchronously: a failover or a flush at the wrong moment can lose the lock or the
// value, and two processes may then mint within seconds of each other. That costs one refresh too many, no more: the
// second mint ends the first credential a minute later, and before that every client has read the store again.
//
// # Who can read the credential
//
// Every user who may read these Redis keys, the dumps of the database, MONITOR or SLOWLOG. Use TLS and a password, and
// [WithEncryption] when others use the same Redis. No key name holds a secret, and no error or log line quotes a value.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/webanklive/webanklive"
)

// ErrLockLost says that the lock ran out, or was taken by another process, before [Store.Update] had stored the value. The
// value was not stored; what the other process stored stays. It is also the cause with which the context of fn ends.
var ErrLockLost = errors.New("the lock was lost")

// Store is a [webanklive.CredentialStore] in Redis. It is safe for concurrent use, and any number of stores in any
// number of processes may share the same Redis and prefix. It keeps no state, runs nothing in the background between
// calls, and needs no Close; the Redis client stays the caller's to close.
//
// Formatted with any verb it shows its prefix and lease only.
type Store struct {
	rdb    redis.UniversalClient
	prefix string
	lease  time.Duration
	seal   sealer
	log    *slog.Logger
}

var _ webanklive.CredentialStore = (*Store)(nil)

// New returns a store that uses rdb: a [redis.Client], also one from redis.NewFailoverClient, or a
// [redis.ClusterClient]. It sends nothing yet. A client that may read from replicas makes Load lag as they do; Update
// always asks the primary. New panics when rdb or an option's argument is unusable, because that is a mistake in the
// program. A [redis.Ring] is: its clients choose the server of a key by what each of them can reach, so that two of
// them can hold the lock at once.
//
// After an error the store closes the idle connections of a Client that may lead to a server that was demoted, and
// has a ClusterClient load its topology.
func New(rdb redis.UniversalClient, opts ...Option) *Store {
	if rdb == nil {
		panic("redisstore: the Redis client must not be nil")
	}
	if _, ring := rdb.(*redis.Ring); ring {
		panic("redisstore: a *redis.Ring cannot keep the lock: two of its clients can choose two servers for a key")
	}
	s := &Store{rdb: rdb, prefix: "webanklive", lease: 15 * time.Second, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	return s
}

// Load returns the newest value of key, or an error that matches [webanklive.ErrNoCredential] when Redis says that it
// has none. Any other error means that Redis could not be asked, or, when it matches [ErrCannotOpen], that the value is
// encrypted otherwise; the end of ctx is reported as ctx's error. The caller owns the returned slice.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	stored, err := until(ctx, s, commandLimit, func(limit time.Duration) (string, error) {
		return ask(ctx, s, limit, func(ctx context.Context) (string, error) {
			return s.rdb.Get(ctx, s.valueKey(key)).Result()
		}, nil)
	})
	var value []byte
	switch {
	case errors.Is(err, redis.Nil):
		err = webanklive.ErrNoCredential
	case err == nil:
		value, err = s.seal.open(key, []byte(stored))
	}
	if err != nil {
		return nil, fmt.Errorf("redisstore: load: %w", err)
	}
	return value, nil
}

// Update takes the lock of key, reads the newest value, calls fn on the caller's goroutine, stores what it returns
// and releases the lock. It waits for the lock as long as ctx lives; ctx's end is reported as ctx's error. While it
// waits it looks at the value, with one command, at first after a fifth of a second, then about once a second, and returns
// it, without calling fn, as soon as it differs from the one that was there when the wait began. Once Redis has answered
// such a wait, errors end it only when they have lasted for one lease.
//
// While fn runs and ctx lives, the lease is extended every sixth of its length. Once fn has returned, its value is
// stored even if ctx has ended meanwhile: if a minted token were not stored, the fleet would go on with one that dies. So a
// write that fails is repeated until the lease ends.
//
// When the lock is lost, the context that fn got ends with the cause [ErrLockLost], nothing is stored, and the error
// matches ErrLockLost, and also fn's error if fn failed. fn does not run on a value that cannot be opened, see
// [ErrCannotOpen]. A ttl below one millisecond counts as one; a ttl that is not positive keeps the value until it is
// replaced. The caller owns the returned slice.
func (s *Store) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	value, err := s.update(ctx, key, fn)
	if err != nil {
		return nil, fmt.Errorf("redisstore: update: %w", err)
	}
	return value, nil
}

func (s *Store) update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	l, current, err := s.lock(ctx, key)
	if l == nil {
		return current, err
	}
	defer l.release(ctx)
	fnCtx, stop := l.keep(ctx)
	defer stop()

	next, ttl, err := fn(fnCtx, current)
	lost := context.Cause(fnCtx)
	if !errors.Is(lost, ErrLockLost) {
		lost = nil
	}
	switch {
	case err != nil && lost != nil:
		return nil, fmt.Errorf("%w: %w", lost, err)
	case err != nil:
		return nil, err
	case lost != nil:
		return nil, lost
	case next == nil:
		return current, nil
	}
	sealed, err := s.seal.seal(key, next)
	if err != nil {
		return nil, err
	}
	if err := l.write(ctx, sealed, ttl); err != nil {
		return nil, err
	}
	return next, nil
}

// valueKey and lockKey name the Redis keys of key. Cluster hashes only what is between the first braces, so both are
// in one slot, as a script demands.
func (s *Store) valueKey(key string) string {
	return escape(s.prefix) + ":{" + escape(key) + "}"
}

func (s *Store) lockKey(key string) string { return s.valueKey(key) + ":lock" }

// escape keeps braces, which Cluster reads, and what is not printable out of a Redis key. No two texts have the same
// result, and the empty one has a result that no other has: Cluster ignores empty braces.
func escape(text string) string {
	if text == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '{' || c == '}' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Format shows the prefix and the lease for every verb: the Redis client knows a password.
func (s Store) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "redisstore.Store{Prefix: %q, Lease: %v}", s.prefix, s.lease)
}

// LogValue does for slog what Format does for fmt.
func (s Store) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }
