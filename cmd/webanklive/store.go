package main

// The credential store: which one, and what the command did with it.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/redisstore"
)

const memoryName = "memory"

var errStoreURL = usageError("WEBANK_STORE must be file:/path/dir, redis://… or rediss://…")

// openStore opens what WEBANK_STORE names; nothing: this process's memory. Errors never quote it: it may hold a password.
func (a *app) openStore(raw string) (*watchedStore, error) {
	scheme, rest, _ := strings.Cut(raw, ":")
	switch {
	case raw == "":
		return &watchedStore{CredentialStore: webanklive.NewMemoryStore(), name: memoryName}, nil
	case scheme == "file" && rest != "" && (!strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "///")):
		store, err := filestore.New(rest, filestore.WithLogger(a.logger()))
		if err != nil {
			return nil, usageError("%s", err.Error())
		}
		return &watchedStore{CredentialStore: store, name: raw}, nil
	case scheme == "redis" || scheme == "rediss":
		return a.openRedis(raw)
	}
	return nil, errStoreURL
}

func init() { logging.Disable() } // the Redis client prints to standard error by itself

func (a *app) openRedis(raw string) (*watchedStore, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, errStoreURL
	}
	query := u.Query()
	opts := []redisstore.Option{redisstore.WithLogger(a.logger())}
	if prefix := query.Get("prefix"); prefix != "" {
		opts = append(opts, redisstore.WithPrefix(prefix))
		query.Del("prefix") // ours, unknown to the Redis client
		u.RawQuery = query.Encode()
	}
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, usageError("the Redis client refuses the URL of WEBANK_STORE: check the database number and the options")
	}
	rdb := redis.NewClient(options)
	return &watchedStore{
		CredentialStore: redisstore.New(rdb, opts...), name: u.Scheme + "://" + u.Host + u.Path, close: rdb.Close,
	}, nil
}

// watchedStore notes what the client does with a store, and lets nobody leave while a new credential is on its way
// into it: the fleet would go on with one that dies.
type watchedStore struct {
	webanklive.CredentialStore
	name  string // without a password
	close func() error

	mayStart bool // an empty store may be given its first credential

	mu       sync.Mutex
	found    []byte // the value that was there last; nil: none
	minted   bool
	first    bool // the credential that was minted found none before it
	closed   bool
	updating sync.WaitGroup
}

var (
	errForeignValue = errors.New("the store holds a value that this command cannot read, maybe one of redisstore.WithEncryption")
	errEmptyStore   = usageError("the store holds no credential of this app ID: check WEBANK_STORE, its prefix and the app ID; --mint starts one")
	errClosing      = errors.New("the command is ending")
)

// readable is why an unreadable value is an error here: the SDK would replace it, and so break a fleet that can read it.
func readable(value []byte) bool { return value == nil || json.Valid(value) }

func (s *watchedStore) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.CredentialStore.Load(ctx, key)
	if err == nil && !readable(value) {
		return nil, errForeignValue
	}
	if err == nil {
		s.note(value, false)
	}
	return value, err
}

func (s *watchedStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	begun := false // not while somebody else has the lock, which is nothing to wait for
	defer func() {
		if begun {
			s.updating.Done()
		}
	}()
	return s.CredentialStore.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
		switch {
		case !readable(current):
			return nil, 0, errForeignValue
		case current == nil && !s.mayStart:
			return nil, 0, errEmptyStore
		}
		if begun = s.begin(); !begun {
			return nil, 0, errClosing
		}
		next, ttl, err := fn(ctx, current)
		if err == nil {
			s.note(current, next != nil)
		}
		return next, ttl, err
	})
}

func (s *watchedStore) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.updating.Add(1)
	}
	return !s.closed
}

func (s *watchedStore) note(value []byte, minted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found, s.minted, s.first = bytes.Clone(value), s.minted || minted, s.first || minted && value == nil
}

// state returns the value that was found, and whether another was put into the store.
func (s *watchedStore) state() (found []byte, minted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found, s.minted
}

// startedEmpty reports whether nothing that was signed before this command can be checked by it.
func (s *watchedStore) startedEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// leaveWait is how long an update may take that the command does not need any more.
const leaveWait = 15 * time.Second

// leaveSilence is how long nobody wonders why the command does not end.
const leaveSilence = 500 * time.Millisecond

// release waits for a mint that is under way, maybe for nobody: the SDK finishes it whoever leaves.
func (a *app) release() {
	s := a.watched
	if s == nil || s.name == memoryName {
		return
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.updating.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(leaveSilence):
		if !a.json {
			a.note("webanklive: finishing the credential that is being made for %s", s.name)
		}
		select {
		case <-done:
		case <-time.After(leaveWait - leaveSilence):
		}
	}
	if s.close != nil {
		_ = s.close()
	}
}
