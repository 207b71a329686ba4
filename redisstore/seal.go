package redisstore

// Encryption of the stored bytes.

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

// sealedVersion is the first byte of sealed bytes: nonce and ciphertext follow.
const sealedVersion = 1

var errUnsealed = errors.New("the stored bytes are not sealed with this key")

// A sealer seals nothing while aead is nil.
type sealer struct {
	aead cipher.AEAD
}

func (s sealer) seal(key string, plain []byte) ([]byte, error) {
	if s.aead == nil {
		return plain, nil
	}
	sealed := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	sealed[0] = sealedVersion
	nonce := sealed[1:]
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(sealed, nonce, plain, []byte(key)), nil //nolint:gosec // the nonce is random, see above
}

// open never returns nil without an error.
func (s sealer) open(key string, stored []byte) ([]byte, error) {
	if s.aead == nil {
		return stored, nil
	}
	size := s.aead.NonceSize()
	if len(stored) < 1+size || stored[0] != sealedVersion {
		return nil, errUnsealed
	}
	plain, err := s.aead.Open([]byte{}, stored[1:1+size], stored[1+size:], []byte(key))
	if err != nil {
		return nil, errUnsealed
	}
	return plain, nil
}
