package filestore

// The format of a file. It tells a value that this store wrote completely from anything else.
//
//	bytes 0-6    "WBLCRED"
//	byte  7      version, 1
//	bytes 8-15   when it expires: Unix nanoseconds, big-endian; 0: never
//	bytes 16-47  SHA-256 of bytes 0-15, the length of the key, the key and the value
//	the rest     the value

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	magic      = "WBLCRED"
	version    = 1
	expiryAt   = 8
	checksumAt = 16
	valueAt    = checksumAt + sha256.Size

	// maxFile is longer than any credential, and short enough that a foreign file can be read up to it.
	maxFile = 16 << 20
)

var (
	errForeign = errors.New("not written by this store, or not whole")
	errNewer   = errors.New("written by a newer version of this store")
)

func encode(key string, value []byte, expires time.Time) ([]byte, error) {
	if len(value) > maxFile-valueAt {
		return nil, fmt.Errorf("a value of %d bytes is too long", len(value))
	}
	content := make([]byte, valueAt, valueAt+len(value))
	copy(content, magic)
	content[len(magic)] = version
	if !expires.IsZero() {
		binary.BigEndian.PutUint64(content[expiryAt:], uint64(expires.UnixNano())) //nolint:gosec // wraps back in decode
	}
	copy(content[checksumAt:], checksum(key, content, value))
	return append(content, value...), nil
}

// decode returns a value that is never nil, or an error: errForeign, or errNewer for a value that must not be replaced,
// because during a rolling upgrade the newer processes still need it.
func decode(key string, content []byte) (value []byte, expires time.Time, err error) {
	switch {
	case len(content) < valueAt || !bytes.HasPrefix(content, []byte(magic)):
		return nil, time.Time{}, errForeign
	case content[len(magic)] > version:
		return nil, time.Time{}, errNewer
	case content[len(magic)] < version:
		return nil, time.Time{}, errForeign
	}
	value = content[valueAt:]
	if !bytes.Equal(content[checksumAt:valueAt], checksum(key, content, value)) {
		return nil, time.Time{}, errForeign
	}
	if at := binary.BigEndian.Uint64(content[expiryAt:]); at != 0 {
		expires = time.Unix(0, int64(at)) //nolint:gosec // it was an int64
	}
	return value, expires, nil
}

// checksum covers the key, so that a file that was copied to another key's name is foreign there.
func checksum(key string, header, value []byte) []byte {
	h := sha256.New()
	h.Write(header[:checksumAt])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	h.Write([]byte(key))
	h.Write(value)
	return h.Sum(nil)
}
