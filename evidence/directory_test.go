package evidence_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/evidence"
)

var _ checks.Evidence = evidence.Directory("")

// media plays StreamLiveMedia: what it has, and what it was asked for.
type media struct {
	photo, video []byte
	asked        []string
}

func (m *media) fetch(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	res, asked := &webanklive.LiveResult{}, ""
	if req.Photo != nil {
		asked += "photo"
		if _, err := req.Photo.Write(m.photo); err != nil {
			return nil, err
		}
		res.PhotoSize, res.PhotoType = int64(len(m.photo)), "image/jpeg"
	}
	if req.Video != nil {
		asked += "video"
		if _, err := req.Video.Write(m.video); err != nil {
			return nil, err
		}
		res.VideoSize, res.VideoType = int64(len(m.video)), "video/mp4"
	}
	m.asked = append(m.asked, asked)
	return res, nil
}

func TestDirectory_AsksForWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "evidence")
	d, m := evidence.Directory(dir), &media{photo: []byte("photo")}

	for _, video := range []string{"", "", "video", "video"} {
		m.video = []byte(video)
		complete, err := d.Save(t.Context(), "A1", m.fetch)
		require.NoError(t, err)
		assert.Equal(t, video != "", complete)
	}
	assert.Equal(t, []string{"photovideo", "video", "video"}, m.asked, "nothing is asked for that is kept")
	assert.Equal(t, map[string]string{"A1-photo.jpg": "photo", "A1-video.mp4": "video"}, contents(t, dir))
}

func TestDirectory_LeavesNothingOfHalfAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := errors.New("connection reset")
	complete, err := evidence.Directory(dir).Save(t.Context(), "A1", func(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
		_, _ = req.Photo.Write([]byte("half of a pho"))
		return nil, broken
	})
	require.ErrorIs(t, err, broken)
	assert.False(t, complete)
	assert.Empty(t, contents(t, dir))
}

func TestDirectory_RemovesTheFilesOfOneOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, m := evidence.Directory(dir), &media{photo: []byte("photo"), video: []byte("video")}
	for _, orderNo := range []string{"A1", "A12"} {
		complete, err := d.Save(t.Context(), orderNo, m.fetch)
		require.NoError(t, err)
		require.True(t, complete)
	}
	require.NoError(t, d.Remove(t.Context(), "A1"))
	require.NoError(t, d.Remove(t.Context(), "A1"), "again")
	require.NoError(t, d.Remove(t.Context(), "never"))
	require.ErrorIs(t, d.Remove(t.Context(), "../A12"), webanklive.ErrInvalidRequest)
	assert.Equal(t, map[string]string{"A12-photo.jpg": "photo", "A12-video.mp4": "video"}, contents(t, dir))
}
