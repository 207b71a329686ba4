package shop

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

func TestAlbum_KeepsFewAndNotForLong(t *testing.T) {
	t.Parallel()
	a := newAlbum()
	now := time.Now()
	a.now = func() time.Time { return now }
	fetch := func(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
		_, err := req.Photo.Write([]byte("photo of " + req.OrderNo))
		_, err2 := req.Video.Write([]byte("video"))
		return &webanklive.LiveResult{PhotoType: "image/jpeg"}, errors.Join(err, err2)
	}
	for i := range maxPictures + 1 {
		now = now.Add(time.Second)
		complete, err := a.Save(t.Context(), strconv.Itoa(i), fetch)
		require.NoError(t, err)
		require.True(t, complete)
	}
	_, ok := a.of("0")
	assert.False(t, ok, "the oldest goes")
	p, ok := a.of("1")
	require.True(t, ok)
	assert.Equal(t, "photo of 1", string(p.photo))
	require.NoError(t, a.Remove(t.Context(), "1"))
	_, ok = a.of("1")
	assert.False(t, ok)

	now = now.Add(keepPictures)
	_, ok = a.of("8")
	assert.False(t, ok)
	assert.Empty(t, a.kept)
}

func TestAlbum_KeepsNothingOfHalfOrTooMuch(t *testing.T) {
	t.Parallel()
	a := newAlbum()
	complete, err := a.Save(t.Context(), "half", func(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
		_, err := req.Photo.Write([]byte("photo"))
		return &webanklive.LiveResult{}, err
	})
	require.NoError(t, err)
	assert.False(t, complete)
	_, err = a.Save(t.Context(), "flood", func(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
		for range maxPhoto/1000 + 1 {
			if _, err := req.Photo.Write([]byte(strings.Repeat("x", 1000))); err != nil {
				return nil, err
			}
		}
		return &webanklive.LiveResult{}, nil
	})
	require.ErrorIs(t, err, errFull)
	assert.Empty(t, a.kept)
}

func TestBoundedStore_RefusesRatherThanForgets(t *testing.T) {
	t.Parallel()
	s := &boundedStore{Store: checks.NewMemoryStore(), n: maxChecks - 1}
	first, err := s.Create(t.Context(), checks.NewCheck{OrderNo: "L1", UserID: "ann", Attempts: 10})
	require.NoError(t, err)
	_, err = s.Create(t.Context(), checks.NewCheck{OrderNo: "L2", UserID: "ben", Attempts: 10})
	require.ErrorIs(t, err, errFull)
	require.NoError(t, s.Delete(t.Context(), "none", 1))
	require.NoError(t, s.Delete(t.Context(), "L1", first.Version))
	_, err = s.Create(t.Context(), checks.NewCheck{OrderNo: "L2", UserID: "ben", Attempts: 10})
	require.NoError(t, err)
}
