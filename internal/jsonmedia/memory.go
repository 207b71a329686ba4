// Memory for fields that are collected: the right size where it can be known, otherwise few steps.

package jsonmedia

import (
	"bytes"
	"math"
)

const (
	// firstPiece is taken before much of the field has arrived. An announced length is not believed until then.
	firstPiece = 256 << 10

	// maxTrust bounds what an announced length can make us take in one step.
	maxTrust = 64 << 20
)

// memory deals out buffers for decoded bytes.
type memory struct {
	length, limit int64
	spare         []byte // left over from the field before
}

// start returns the buffer for a field whose characters begin at window[0], offset bytes into the body.
func (m *memory) start(window []byte, offset int64) []byte {
	if end := bytes.IndexByte(window, '"'); end >= 0 {
		return make([]byte, m.cap(int64(decodedLen(window[:end]))))
	}
	want := m.rest(offset)
	if want <= 0 {
		want = firstPiece
	}
	if int64(len(m.spare)) >= want {
		spare := m.spare
		m.spare = nil
		return spare
	}
	return make([]byte, m.cap(min(want, firstPiece)))
}

// grow returns a larger buffer that begins with the bytes of full, or nil when the limit is reached. The first step
// takes what the rest of the body can hold at most, so that with an honest length there is no second.
func (m *memory) grow(full []byte, offset int64) []byte {
	have := int64(len(full))
	want := 2*have + firstPiece
	if rest := m.rest(offset); rest > 0 {
		want = min(have+rest, max(maxTrust, 2*have))
	}
	want = m.cap(want)
	if want <= have {
		return nil
	}
	buf := make([]byte, want)
	copy(buf, full)
	return buf
}

// done takes the n bytes of a finished field out of its buffer and keeps what is left for the next field: two large
// fields share the one piece that was sized for both. A field that is small beside its buffer is copied, so that a caller who
// keeps a photo does not keep the memory of a video.
func (m *memory) done(buf []byte, n int) []byte {
	data, left := buf[:n:n], buf[n:]
	if n <= len(buf)/16 {
		data, left = bytes.Clone(data), buf
	}
	if len(left) > len(m.spare) {
		m.spare = left
	}
	return data
}

// rest is the most that the body after offset can decode to, or 0 if its length is unknown or was wrong. The slack
// is for a group that began before offset.
func (m *memory) rest(offset int64) int64 {
	if offset >= m.length {
		return 0
	}
	return (m.length-offset)/4*3 + 6
}

func (m *memory) cap(n int64) int64 {
	if m.limit > 0 {
		n = min(n, m.limit)
	}
	return min(n, math.MaxInt) // of 32 bits on some machines
}

// decodedLen is what Base64 without line breaks and escapes decodes to; with them, a little less.
func decodedLen(b []byte) int {
	for range 2 {
		b = bytes.TrimSuffix(b, []byte("="))
	}
	return len(b)/4*3 + len(b)%4*3/4
}
