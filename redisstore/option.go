package redisstore

// What can be set when a Store is made, and nothing later.

import (
	"crypto/cipher"
	"log/slog"
	"time"
)

// Option changes one setting of [New]. Options may be given in any order; the last of a kind wins.
type Option func(*Store)

// WithPrefix sets what every Redis key begins with, "webanklive" unless set. Everybody who shares a credential needs
// the same one. Braces and characters that are not printable ASCII are percent-encoded.
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// WithLease sets how long the lock of a crashed process blocks the others, 15 seconds unless set and at least 100
// milliseconds. Below a few seconds, a slow moment of Redis or of the process is enough to lose the lock.
func WithLease(lease time.Duration) Option {
	return func(s *Store) {
		if lease < 100*time.Millisecond {
			panic("redisstore: the lease must be at least 100 milliseconds")
		}
		s.lease = lease.Truncate(time.Millisecond)
	}
}

// WithEncryption seals the stored bytes with aead, AES-256-GCM for instance, with a random nonce and the key as
// additional data, so that who can read Redis cannot act as the partner. aead must be safe for concurrent use, as
// those of the standard library are.
//
// A value that aead cannot open counts as absent, and the next client mints a new one: a lost encryption key wedges
// nothing. It follows that processes with different encryption keys, or with and without encryption, mint against each
// other. To rotate, first give every process an aead that seals with the old key and opens with both, then one that
// seals with the new key.
func WithEncryption(aead cipher.AEAD) Option {
	return func(s *Store) {
		if aead == nil {
			panic("redisstore: the AEAD must not be nil")
		}
		s.seal.aead = aead
	}
}

// WithLogger logs what no error tells: a value that cannot be decrypted, a lock that was lost or could not be
// released. The default is silent.
func WithLogger(l *slog.Logger) Option {
	return func(s *Store) {
		if l == nil {
			panic("redisstore: the logger must not be nil")
		}
		s.log = l
	}
}
