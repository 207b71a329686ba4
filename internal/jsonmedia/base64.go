// The Base64 decoder of the hot path: whole groups of four characters, nothing else.
//
// It runs at 1.8 to 1.9 times the speed of encoding/base64 (BenchmarkDecodeGroups: 1.98 against 1.02 GB/s), and,
// unlike that, says where it stopped without an error. Vector instructions would do ten times as much, but would save
// no more than 5 ms of a 5 MB video, less than TLS costs.

package jsonmedia

import "encoding/binary"

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

	// notBase64 marks characters outside the alphabet. It lies above the 24 bits of a group, so that one
	// comparison judges four characters.
	notBase64 = 1 << 24
)

// group[i][c] is the value of character c in place i of a group, shifted to where it belongs.
var group = func() (t [4][256]uint32) {
	for i := range t {
		for c := range t[i] {
			t[i][c] = notBase64
		}
		for v, c := range []byte(alphabet) {
			t[i][c] = uint32(v) << (18 - 6*i) //nolint:gosec // v < 64
		}
	}
	return t
}()

// decodeGroups decodes whole groups of four characters from src into dst, until one holds anything else or either
// is used up, and returns how many groups it decoded. It may overwrite bytes of dst past those that count.
func decodeGroups(dst, src []byte) int {
	// Eight characters at a time make six bytes; one store of eight is cheaper than six, and the two too many are
	// overwritten by the next. The conditions of the loop are what spares the bounds checks inside.
	n := 0
	t0, t1, t2, t3 := &group[0], &group[1], &group[2], &group[3]
	for len(src) >= 8 && len(dst) >= 8 {
		a := t0[src[0]] | t1[src[1]] | t2[src[2]] | t3[src[3]]
		b := t0[src[4]] | t1[src[5]] | t2[src[6]] | t3[src[7]]
		if (a|b)&notBase64 != 0 {
			break
		}
		binary.BigEndian.PutUint64(dst, uint64(a)<<40|uint64(b)<<16)
		dst, src = dst[6:], src[8:]
		n += 2
	}
	for len(src) >= 4 && len(dst) >= 3 {
		a := t0[src[0]] | t1[src[1]] | t2[src[2]] | t3[src[3]]
		if a&notBase64 != 0 {
			break
		}
		dst[0], dst[1], dst[2] = byte(a>>16), byte(a>>8), byte(a)
		dst, src = dst[3:], src[4:]
		n++
	}
	return n
}
