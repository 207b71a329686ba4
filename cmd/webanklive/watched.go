package main

// What the command does with a credential store: it notes which value it found, does not start an empty store by accident, and
// does not end before a new credential is stored.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/redisstore"
)

// watchedStore notes what the client does with a store. It also knows whether a new credential is being made, so that the
// command does not end before that is stored: the fleet would go on with a credential that dies.
type watchedStore struct {
	webanklive.CredentialStore
	name  string       // without a password
	dir   string       // of a file store
	redis *redisTarget // of a Redis store
	close func() error

	mayStart bool // an empty store may be given its first credential

	mu       sync.Mutex
	found    []byte // the value that was there last; nil: none
	minted   bool
	first    bool // the store was empty when a credential was minted
	closed   bool
	updating sync.WaitGroup
}

var (
	errForeignValue = errors.New("the store holds a value that is no credential")
	errEmptyStore   = usageError("the store holds no credential of this app ID: check WEBANK_STORE, its prefix and the app ID; --mint starts one")
	errClosing      = errors.New("the command is ending")
)

// readable reports whether the SDK can read value. If it cannot, the command fails: the SDK would replace the value, and so
// break a fleet that can read it.
func readable(value []byte) bool { return value == nil || json.Valid(value) }

func (s *watchedStore) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.CredentialStore.Load(ctx, key)
	if err == nil && !readable(value) {
		return nil, errForeignValue
	}
	if err == nil {
		s.note(value, false)
	}
	return value, s.explain(err)
}

func (s *watchedStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	begun := false // not while another process has the lock, because then there is nothing to wait for
	defer func() {
		if begun {
			s.updating.Done()
		}
	}()
	value, err := s.CredentialStore.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
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
	return value, s.explain(err)
}

// A storeMistake is an error of a store that was configured wrongly. Trying again does not help.
type storeMistake struct {
	err    error
	advice string
}

func (m *storeMistake) Error() string   { return m.err.Error() + " (" + m.advice + ")" }
func (m *storeMistake) Unwrap() []error { return []error{m.err, errUsage} }

const clusterNode = "this is a node of a Redis Cluster: the scheme is redis+cluster or rediss+cluster"

// explain adds advice to an error: which URL is right for servers that refuse this one, or which key for a value that cannot be
// opened.
func (s *watchedStore) explain(err error) error {
	switch {
	case err == nil || s.redis == nil:
		return err
	case errors.Is(err, redisstore.ErrCannotOpen) && s.redis.sealed:
		return &storeMistake{err, "WEBANK_STORE_KEY is not the fleet's key, or the fleet does not encrypt yet"}
	case errors.Is(err, redisstore.ErrCannotOpen):
		return &storeMistake{err, "the fleet uses redisstore.WithEncryption: set WEBANK_STORE_KEY or WEBANK_STORE_KEY_FILE to its key"}
	}
	for _, wrong := range []struct{ kind, text, advice string }{
		{redisSingle, "MOVED ", clusterNode},
		{redisSingle, "READONLY ", "this is a replica, which does not write: name the master, or ask Sentinel with redis+sentinel or rediss+sentinel"},
		{redisSingle, "unknown command 'get'", "this may be a Sentinel: the scheme is redis+sentinel or rediss+sentinel"},
		{redisCluster, "cluster support disabled", "this is no Redis Cluster: the scheme is redis or rediss"},
	} {
		if s.redis.kind == wrong.kind && strings.Contains(err.Error(), wrong.text) {
			return &storeMistake{err, wrong.advice}
		}
	}
	return err
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

// state returns the value that was found, and whether a new one was stored.
func (s *watchedStore) state() (found []byte, minted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found, s.minted
}

// startedEmpty reports whether the store was empty. Then this command can check nothing that was signed before.
func (s *watchedStore) startedEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// leaveWait is how long the command waits at its end for an update that is under way.
const leaveWait = 15 * time.Second

// leaveSilence is how long it waits before it says so.
const leaveSilence = 500 * time.Millisecond

// release waits for a mint that is under way, even if no call waits for it any more: the SDK finishes it all the same.
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
