package redisstore

// Encryption of the stored bytes.

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// ErrCannotOpen says that the stored value is encrypted with a key that this store does not have, or is not encrypted
// though the store accepts no such value. Such a value never counts as absent: a process with the wrong key must not mint and
// so end the credential of all others. When the encryption key is lost, delete the Redis key.
var ErrCannotOpen = errors.New("the stored value cannot be opened")

var (
	errOtherKey = fmt.Errorf("%w: it is encrypted, and none of this store's keys opens it", ErrCannotOpen)
	errPlain    = fmt.Errorf("%w: it is not encrypted, and this store accepts only what is", ErrCannotOpen)
)

// The first byte of stored bytes. A plain value is stored without it, unless its own first byte is one of these.
const (
	plainVersion  = 0 // the value follows
	sealedVersion = 1 // nonce and ciphertext follow
)

// A sealer encrypts (seals) with encrypt, or not at all if that is nil. It decrypts (opens) what encrypt or one of decrypt has
// sealed. It accepts plain values if encrypt is nil or plain is set.
type sealer struct {
	encrypt cipher.AEAD
	decrypt []cipher.AEAD
	plain   bool
}

func (s sealer) seal(key string, value []byte) ([]byte, error) {
	if s.encrypt == nil {
		if len(value) > 0 && value[0] <= sealedVersion {
			return append([]byte{plainVersion}, value...), nil
		}
		return value, nil
	}
	sealed := make([]byte, 1+s.encrypt.NonceSize(), 1+s.encrypt.NonceSize()+len(value)+s.encrypt.Overhead())
	sealed[0] = sealedVersion
	nonce := sealed[1:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.encrypt.Seal(sealed, nonce, value, []byte(key)), nil //nolint:gosec // the nonce is random, see above
}

// open never returns nil without an error.
func (s sealer) open(key string, stored []byte) ([]byte, error) {
	if len(stored) == 0 || stored[0] != sealedVersion {
		switch {
		case s.encrypt != nil && !s.plain:
			return nil, errPlain
		case len(stored) > 0 && stored[0] == plainVersion:
			return stored[1:], nil
		}
		return stored, nil
	}
	for _, aead := range append([]cipher.AEAD{s.encrypt}, s.decrypt...) {
		if aead == nil || len(stored) < 1+aead.NonceSize() {
			continue
		}
		nonce, sealed := stored[1:1+aead.NonceSize()], stored[1+aead.NonceSize():]
		if value, err := aead.Open([]byte{}, nonce, sealed, []byte(key)); err == nil {
			return value, nil
		}
	}
	return nil, errOtherKey
}
