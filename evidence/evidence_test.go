package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/livetest"
)

const order = "order42"

func newClient(t *testing.T) (*webanklive.Client, *livetest.Server) {
	t.Helper()
	srv := livetest.NewServer(t)
	srv.AddResult(order, livetest.Passing())
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	return c, srv
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSave_WritesBothFilesForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	var progress bytes.Buffer
	files, res, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir, Progress: &progress})
	require.NoError(t, err)
	assert.Equal(t, &evidence.Files{Photo: filepath.Join(dir, order+"-photo.jpg"), Video: filepath.Join(dir, order+"-video.mp4")}, files)
	for name, want := range map[string][]byte{files.Photo: livetest.SamplePhoto(), files.Video: livetest.SampleVideo()} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		if info, err := os.Stat(name); assert.NoError(t, err) && runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		}
	}
	for _, made := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(made); assert.NoError(t, err) && runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), made)
		}
	}
	assert.Equal(t, res.PhotoSize+res.VideoSize, int64(progress.Len()))
	assert.Len(t, names(t, dir), 2)
}

func TestSave_NeverOverwritesUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, there := range [][]string{{"-photo.jpg", "-video.mp4"}, {"-photo.heic", "-video.mov"}, {"-photo", "-video"}} {
		c, srv := newClient(t)
		dir := t.TempDir()
		for _, name := range there {
			require.NoError(t, os.WriteFile(filepath.Join(dir, order+name), []byte("old"), 0o600))
		}
		before := names(t, dir)
		_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, order)
		assert.Zero(t, srv.Calls(livetest.LiveResult), "found before the network")
		assert.Equal(t, before, names(t, dir))

		files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir, Overwrite: true})
		require.NoError(t, err)
		requireSaved(t, files)
		assert.Equal(t, []string{order + "-photo.jpg", order + "-video.mp4"}, names(t, dir), "no second photo of another type")
	}
}

func requireSaved(t *testing.T, files *evidence.Files) {
	t.Helper()
	photo, err := os.ReadFile(files.Photo)
	require.NoError(t, err)
	assert.Equal(t, livetest.SamplePhoto(), photo)
	video, err := os.ReadFile(files.Video)
	require.NoError(t, err)
	assert.Equal(t, livetest.SampleVideo(), video)
}

func TestSave_RunAgainFetchesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for there, asked := range map[string]string{"-photo.jpg": "3", "-photo": "3", "-video.mp4": "2", "-video.avi": "2"} {
		c, srv := newClient(t)
		dir := t.TempDir()
		old := filepath.Join(dir, order+there)
		require.NoError(t, os.WriteFile(old, []byte("old"), 0o600))
		files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
		require.NoError(t, err, there)
		assert.Contains(t, []string{files.Photo, files.Video}, old)
		assert.NotEmpty(t, files.Photo)
		assert.NotEmpty(t, files.Video)
		content, err := os.ReadFile(old)
		require.NoError(t, err)
		assert.Equal(t, "old", string(content))
		assert.Len(t, names(t, dir), 2)
		requests := srv.Requests(livetest.LiveResult)
		require.Len(t, requests, 1)
		assert.Equal(t, asked, requests[0].Query.Get("get_file"))
	}
}

// The photo comes first and the video late, as it may with the vendor.
func TestSave_UntilTheVideoComes(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	dir := t.TempDir()
	srv.AddResult("late1", livetest.Person{Code: "0", Photo: livetest.SamplePhoto()})
	req := evidence.Request{OrderNo: "late1", Dir: dir}
	for range 2 {
		files, _, err := evidence.Save(t.Context(), c, req)
		require.NoError(t, err)
		assert.Equal(t, &evidence.Files{Photo: filepath.Join(dir, "late1-photo.jpg")}, files)
	}
	srv.AddResult("late1", livetest.Passing())
	files, _, err := evidence.Save(t.Context(), c, req)
	require.NoError(t, err)
	requireSaved(t, files)
	_, _, err = evidence.Save(t.Context(), c, req)
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, []string{"late1-photo.jpg", "late1-video.mp4"}, names(t, dir))
}

// On a file system without links a name is reserved by an empty file, which a killed run leaves behind.
func TestSave_AnEmptyFileIsNoEvidence(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	for _, name := range []string{"-photo.jpg", "-photo.png", "-video"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, order+name), nil, 0o600))
	}
	files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
	require.NoError(t, err)
	requireSaved(t, files)
	assert.Equal(t, []string{order + "-photo.jpg", order + "-video.mp4"}, names(t, dir))
}

func TestSave_SweepsWhatKilledRunsLeft(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".evidence-1": 2 * time.Hour, ".evidence-2": 61 * time.Minute, ".evidence-3": 50 * time.Minute, ".other": 100 * time.Hour,
		"a.evidence-4": 100 * time.Hour, "order43-photo.jpg": 100 * time.Hour,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("half"), 0o600))
		then := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, then, then))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".evidence-dir"), 0o700))
	then := time.Now().Add(-100 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, ".evidence-dir"), then, then))
	_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
	require.NoError(t, err)
	assert.Equal(t, []string{".evidence-3", ".evidence-dir", ".other", "a.evidence-4", order + "-photo.jpg", order + "-video.mp4", "order43-photo.jpg"},
		names(t, dir))
}

func TestSave_ExtensionsFollowTheBytes(t *testing.T) {
	t.Parallel()
	fill := strings.Repeat("\x00", 100)
	for magic, extension := range map[string]string{
		"\xFF\xD8\xFF": ".jpg", "\x89PNG\r\n\x1A\n": ".png", "BM": ".bmp", "GIF89a": ".gif", "RIFF....WEBP": ".webp",
		"\x00\x00\x00\x18ftypheic": ".heic", "\x00\x00\x00\x18ftypmp42": ".mp4", "\x00\x00\x00\x14ftypqt  ": ".mov",
		"\x1A\x45\xDF\xA3": ".webm", "RIFF....AVI ": ".avi", "what": "",
	} {
		c, srv := newClient(t)
		dir := t.TempDir()
		srv.AddResult("kind1", livetest.Person{Code: "0", Photo: []byte(magic + fill), Video: []byte(magic + fill)})
		files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: "kind1", Dir: dir})
		require.NoError(t, err)
		assert.Equal(t, []string{"kind1-photo" + extension, "kind1-video" + extension}, names(t, dir),
			"what came in the place of a photo is not renamed to fit")
		assert.Equal(t, filepath.Join(dir, "kind1-photo"+extension), files.Photo)
	}
}

func TestSave_AWordIsNeverSaved(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	dir := t.TempDir()
	srv.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"0","orderNo":"order42","photo":"null","video":"none"}`}, 1)
	files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
	require.NoError(t, err)
	assert.Equal(t, &evidence.Files{}, files)
	assert.Empty(t, names(t, dir))
}

// appearing makes a file appear while the evidence is on its way.
type appearing struct {
	*webanklive.Client
	name string
}

func (a appearing) StreamLiveMedia(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	if err := os.WriteFile(a.name, []byte("old"), 0o600); err != nil {
		return nil, err
	}
	return a.Client.StreamLiveMedia(ctx, req)
}

func TestSave_FileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-video.mp4", "-video.webm", "-photo.jpg", "-photo"} {
		c, _ := newClient(t)
		dir := t.TempDir()
		there := filepath.Join(dir, order+name)
		files, res, err := evidence.Save(t.Context(), appearing{c, there}, evidence.Request{OrderNo: order, Dir: dir})
		require.NoError(t, err, "the other file is new")
		assert.Equal(t, "0", res.Code)
		assert.Contains(t, []string{files.Photo, files.Video}, there)
		assert.Len(t, names(t, dir), 2)
		old, err := os.ReadFile(there)
		require.NoError(t, err)
		assert.Equal(t, "old", string(old))
	}
}

func TestSave_WhenEverythingAppearsMeanwhileIsAnError(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, order+"-photo.jpg"), []byte("old"), 0o600))
	_, res, err := evidence.Save(t.Context(), appearing{c, filepath.Join(dir, order+"-video.mp4")}, evidence.Request{OrderNo: order, Dir: dir})
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, "0", res.Code, "the result comes along")
	assert.Len(t, names(t, dir), 2, "no temporary file stays")
}

func TestSave_LeavesNothingBehindWhenItFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault livetest.Fault
		want  error
	}{
		"cut":            {livetest.Fault{Truncate: true, Bytes: 4000}, webanklive.ErrMedia},
		"not passed":     {livetest.Fault{Code: "-5013"}, webanklive.ErrNotPassed},
		"platform down":  {livetest.Fault{Status: 502}, webanklive.ErrUnavailable},
		"corrupt Base64": {livetest.Fault{Replace: func(b []byte) []byte { return bytes.Replace(b, []byte(`"video":"AAAA`), []byte(`"video":"A*AA`), 1) }}, webanklive.ErrMedia},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, srv := newClient(t)
			srv.Fail(livetest.LiveResult, tc.fault, -1)
			dir := t.TempDir()
			files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
			require.ErrorIs(t, err, tc.want)
			assert.Nil(t, files)
			assert.Empty(t, names(t, dir))
		})
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestSave_ProgressThatFailsStopsIt(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir, Progress: failing{}})
	require.ErrorContains(t, err, "broken pipe")
	assert.Empty(t, names(t, dir))
}

func TestSave_AMissingVideoIsNoFile(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	srv.AddResult("photo1", livetest.Person{Code: "0", Photo: []byte(strings.Repeat("no known type ", 8))})
	dir := t.TempDir()
	files, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: "photo1", Dir: dir, WaitForMedia: time.Millisecond})
	require.NoError(t, err)
	assert.Equal(t, &evidence.Files{Photo: filepath.Join(dir, "photo1-photo")}, files)
	assert.Equal(t, []string{"photo1-photo"}, names(t, dir))
}

func TestSave_OfConcurrentOnesOneWins(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Add(1)
		go func() {
			defer all.Done()
			_, _, errs[i] = evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
		}()
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, fs.ErrExist)
		}
	}
	assert.Equal(t, 1, won)
	assert.Equal(t, []string{order + "-photo.jpg", order + "-video.mp4"}, names(t, dir))
}

func TestSave_AnUnusableDirectoryIsAnErrorBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir})
		require.ErrorContains(t, err, "evidence: ", dir)
	}
	assert.Zero(t, srv.Calls(livetest.LiveResult))
}

// believing is a source that asks for any order number there is.
type believing struct{}

func (believing) StreamLiveMedia(_ context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	n, err := req.Photo.Write([]byte("photo"))
	return &webanklive.LiveResult{Code: "0", PhotoSize: int64(n)}, err
}

func TestSave_AnInvalidOrderNumberTouchesNoFile(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	dir := filepath.Join(above, "evidence")
	for _, order := range []string{"../escaped", "a/b", "/etc/x", ""} {
		_, _, err := evidence.Save(t.Context(), believing{}, evidence.Request{OrderNo: order, Dir: dir})
		require.ErrorIs(t, err, webanklive.ErrInvalidRequest, order)
	}
	assert.Empty(t, names(t, above))
}

func TestSave_OverwriteReplacesBothOrNone(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	dir := t.TempDir()
	photo := filepath.Join(dir, order+"-photo.jpg")
	require.NoError(t, os.WriteFile(photo, []byte("old"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, order+"-video.mp4"), 0o700))
	_, _, err := evidence.Save(t.Context(), c, evidence.Request{OrderNo: order, Dir: dir, Overwrite: true})
	require.ErrorIs(t, err, fs.ErrExist)
	old, err := os.ReadFile(photo)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
	assert.Len(t, names(t, dir), 2)
}
