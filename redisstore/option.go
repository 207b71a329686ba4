package redisstore

// What can be set when a Store is made, and nothing later.

import (
	"crypto/cipher"
	"log/slog"
	"slices"
	"time"
)

// Option changes one setting of [New]. Options may be given in any order; the last of a kind wins.
type Option func(*Store)

// WithPrefix sets what every Redis key begins with, "webanklive" unless set. All processes that share a credential need the
// same prefix. Braces and characters that are not printable ASCII are percent-encoded.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// WithLease sets how long the lock of a crashed process blocks the others, 15 seconds unless set and at least 100
// milliseconds. Below a few seconds, a slow moment of Redis or of the process is enough to lose the lock. A failover in
// the middle of a mint that takes less than two thirds of the lease costs nothing: give 30 seconds where a cluster's
// cluster-node-timeout is 15 seconds, and 60 seconds where Sentinel's down-after-milliseconds is 30 seconds, which are
// the defaults.
func WithLease(lease time.Duration) Option {
	return func(s *Store) {
		if lease < 100*time.Millisecond {
			panic("redisstore: the lease must be at least 100 milliseconds")
		}
		s.lease = lease.Truncate(time.Millisecond)
	}
}

// WithEncryption seals the stored bytes with aead, AES-256-GCM for instance, with a random nonce and the key as
// additional data, so that reading Redis is not enough to act as the partner. The store opens (decrypts) what aead has
// sealed and what [WithDecryption] adds. It opens no plain value unless [WithPlaintext] allows it: otherwise a person who
// can write to Redis could have callbacks verified with a SIGN ticket of their own. aead must be safe for concurrent use,
// as those of the standard library are.
//
// A value that cannot be opened is an error that matches [ErrCannotOpen]. So encryption is turned on, turned off, or given
// another key in steps. Each step is deployed process by process, while processes of the step before still run. Wait 25
// minutes, long enough for one refresh, before the next step:
//
//	on:     nothing → WithDecryption(k) → WithEncryption(k) and WithPlaintext() → WithEncryption(k)
//	rotate: WithEncryption(old) and WithDecryption(new) → WithEncryption(new) and WithDecryption(old) → WithEncryption(new)
//	off:    WithEncryption(k) and WithPlaintext() → WithDecryption(k) → nothing
func WithEncryption(aead cipher.AEAD) Option {
	return func(s *Store) {
		if aead == nil {
			panic("redisstore: the AEAD must not be nil")
		}
		s.seal.encrypt = aead
	}
}

// WithDecryption makes the store open values that one of aeads has sealed, too; it does not seal with them. Without
// [WithEncryption] the store writes plain values and also opens them.
func WithDecryption(aeads ...cipher.AEAD) Option {
	return func(s *Store) {
		for _, aead := range aeads {
			if aead == nil {
				panic("redisstore: the AEAD must not be nil")
			}
		}
		s.seal.decrypt = slices.Clone(aeads)
	}
}

// WithPlaintext makes a store with [WithEncryption] still open plain values, while encryption is turned on or off.
// Without WithEncryption it changes nothing.
func WithPlaintext() Option {
	return func(s *Store) { s.seal.plain = true }
}

// WithLogger logs what is in no error: a lock that was lost or could not be released. The default is silent.
func WithLogger(l *slog.Logger) Option {
	return func(s *Store) {
		if l == nil {
			panic("redisstore: the logger must not be nil")
		}
		s.log = l
	}
}
