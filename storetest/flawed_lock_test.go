package storetest

// The lock of a flawedStore.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/webanklive/webanklive"
)

// extend keeps the lock while ctx lives, and ends fn's context when it is lost.
func (s *flawedStore) extend(ctx context.Context, cancel context.CancelCauseFunc, key string, token *flawedLock, errLost error) {
	for ; ctx.Err() == nil; time.Sleep(flawedPoll) {
		s.mu.Lock()
		switch {
		case !s.held(key, token):
			if !s.is("does not watch the lock") && !s.is("does not lock") && !s.is("the lease is not extended") {
				cancel(errLost)
			}
		case s.is("the lease is watched but not extended"), s.is("the lease is not extended"):
		case s.is("the lease is extended twice at most") && token.extended == 2:
		case time.Until(token.expires) < flawedLease/2:
			token.expires = time.Now().Add(flawedLease)
			token.extended++
		}
		s.mu.Unlock()
	}
}

// held reports whether token is the lock of key, and its lease has not ended. It needs mu.
func (s *flawedStore) held(key string, token *flawedLock) bool {
	return token != nil && s.locks[s.lockKey(key)] == token && s.now("leases are judged by the reader's clock").Before(token.expires)
}

// lock returns the lock of key, or no lock and the value that came while it waited for one.
func (s *flawedStore) lock(ctx context.Context, key string) (token *flawedLock, found []byte, err error) {
	var seen []byte
	began := time.Now()
	for first := true; ; first = false {
		s.mu.Lock()
		value := s.read(key)
		free := !s.held(key, s.locks[s.lockKey(key)]) || s.is("does not lock")
		changed := !first && value != nil && !bytes.Equal(value, seen)
		waited := !first && time.Since(began) > flawedLease
		ended := true
		switch {
		case s.over:
			err = errors.New("over")
		case s.down && s.is("every error is absence"):
			err = webanklive.ErrNoCredential
		case s.down && !s.is("runs fn without a backend"):
			err = errors.New("down")
		case ctx.Err() != nil && (!s.is("a waiter does not look at ctx") || first) && !s.is("an ended context may lock"):
			err = ctx.Err()
			switch {
			case s.is("a waiter that leaves unlocks") && !first:
				delete(s.locks, s.lockKey(key))
			case s.is("a waiter invents an error") && !first, s.is("an ended context is an error") && first:
				err = errors.New("gave up")
			case s.is("a wait that ends quotes the value"):
				err = fmt.Errorf("%w; the value is still %s", ctx.Err(), value)
			}
		case waited && s.is("waiting gives up by itself"):
			err = errors.New("gave up")
		case waited && s.is("waiting returns the current value by itself"):
			found = value
		case waited && s.is("who waits runs fn without the lock"):
			token = &flawedLock{}
		case changed && s.is("who waits returns the value it saw first"):
			found = seen
		case changed && !s.is("who waits runs fn whatever was stored") && (free || !s.is("who waits looks only with the lock")):
			found = value
		case free && !first && s.is("who waits returns when the lock is free"):
			found = value
		case free:
			token = &flawedLock{expires: time.Now().Add(flawedLease)}
			s.locks[s.lockKey(key)] = token
			if !first {
				found = []byte("a current of its own")
			}
		default:
			ended = false
			if first {
				seen = value
			}
		}
		s.mu.Unlock()
		if ended {
			return token, found, err
		}
		time.Sleep(flawedPoll)
	}
}

func (s *flawedStore) unlock(key string, token *flawedLock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[s.lockKey(key)] == token || s.is("unlocks whoever holds the lock") || s.is("does not lock") {
		delete(s.locks, s.lockKey(key))
	}
}
