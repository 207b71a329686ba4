// The rules by which buffers are dealt out.

package jsonmedia

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoLargeFieldsShareOnePiece(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	window := []byte(strings.Repeat("Q", 1000))
	first := m.start(window, 0)
	require.Len(t, first, firstPiece)
	first = m.grow(first, 349_528)
	require.GreaterOrEqual(t, len(first), 3_000_000)
	require.Less(t, len(first), 3_000_100)

	one := m.done(first, 1_000_000)
	second := m.start(window, 1_333_400)
	require.Same(t, &first[1_000_000], &second[0], "no new memory")
	two := m.done(second, 1_000_000)
	third := m.start(window, 2_666_800)
	require.Same(t, &second[1_000_000], &third[0], "nor one byte twice")
	assert.Equal(t, len(one), cap(one))
	assert.Equal(t, len(two), cap(two))
}

func TestASmallFieldIsCopiedOutOfALargePiece(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	buf := make([]byte, 3_000_000)
	copy(buf, "photo")
	photo := m.done(buf, 5)
	assert.Equal(t, "photo", string(photo))
	next := m.start([]byte("QUJD"), 100_000)
	require.Same(t, &buf[0], &next[0], "the piece is free again")
	copy(next, "video")
	assert.Equal(t, "photo", string(photo))
}

func TestALittleLeftOverDoesNotReplaceMuch(t *testing.T) {
	t.Parallel()
	m := memory{length: 4_000_000}
	m.done(make([]byte, 3_000_000), 1_000_000)
	m.done(make([]byte, 100), 90)
	assert.Len(t, m.spare, 2_000_000)
}

func TestWithoutALengthMemoryDoubles(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{-1, 0, 1000} { // 1000: announced, but more came
		m := memory{length: length}
		buf := m.start([]byte("QUJD"), 2000)
		require.Len(t, buf, firstPiece)
		for range 4 {
			grown := m.grow(buf, 2000)
			require.GreaterOrEqual(t, len(grown), 2*len(buf))
			buf = grown
		}
	}
}
