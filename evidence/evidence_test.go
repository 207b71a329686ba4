package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

const order = "order42"

// bench is a client of a platform that has the evidence of order, and a directory for it.
type bench struct {
	*livetest.Server
	t      *testing.T
	client *webanklive.Client
	dir    string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Server: livetest.NewServer(t), t: t, dir: t.TempDir()}
	b.AddResult(order, livetest.Passing())
	b.client = clienttest.NewClient(t, b.Server, webanklive.WithMaxRetries(0))
	return b
}

// request is one for order into the directory.
func (b *bench) request() evidence.Request { return evidence.Request{OrderNo: order, Dir: b.dir} }

func (b *bench) save(req evidence.Request) (*evidence.Files, *webanklive.LiveResult, error) {
	return evidence.Save(b.t.Context(), b.client, req)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// write puts a file into the directory that is as old as age.
func (b *bench) write(name, content string, age time.Duration) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(content), 0o600))
	then := time.Now().Add(-age)
	require.NoError(b.t, os.Chtimes(b.path(name), then, then))
}

// contents are the files of a directory by name; a directory in it is a name that ends with a slash.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			files[e.Name()+"/"] = ""
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(data)
	}
	return files
}

// isSaved checks that the directory holds the evidence of order and nothing else.
func (b *bench) isSaved(files *evidence.Files) {
	b.t.Helper()
	photo, video := order+"-photo.jpg", order+"-video.mp4"
	assert.Equal(b.t, &evidence.Files{Photo: b.path(photo), Video: b.path(video)}, files)
	assert.Equal(b.t, map[string]string{photo: string(livetest.SamplePhoto()), video: string(livetest.SampleVideo())}, contents(b.t, b.dir))
}

func TestSave_WritesBothFilesForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	parent := filepath.Join(b.dir, "a")
	b.dir = filepath.Join(parent, "b")
	var progress bytes.Buffer
	req := b.request()
	req.Progress = &progress
	files, res, err := b.save(req)
	require.NoError(t, err)
	b.isSaved(files)
	for name, want := range map[string]fs.FileMode{files.Photo: 0o600, files.Video: 0o600, b.dir: 0o700, parent: 0o700} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, want, info.Mode().Perm(), name)
		}
	}
	assert.Equal(t, res.PhotoSize+res.VideoSize, int64(progress.Len()))
}

func TestSave_NeverOverwritesUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, there := range [][]string{{"-photo.jpg", "-video.mp4"}, {"-photo.heic", "-video.mov"}, {"-photo", "-video"}} {
		b := newBench(t)
		for _, name := range there {
			b.write(order+name, "old", 0)
		}
		before := contents(t, b.dir)
		_, _, err := b.save(b.request())
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, order)
		assert.Zero(t, b.Calls(livetest.LiveResult), "found before the network")
		assert.Equal(t, before, contents(t, b.dir))

		req := b.request()
		req.Overwrite = true
		files, _, err := b.save(req)
		require.NoError(t, err)
		b.isSaved(files) // and no second photo of another type
	}
}

func TestSave_RunAgainFetchesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for there, asked := range map[string]string{"-photo.jpg": "3", "-photo": "3", "-video.mp4": "2", "-video.avi": "2"} {
		b := newBench(t)
		b.write(order+there, "old", 0)
		files, _, err := b.save(b.request())
		require.NoError(t, err, there)
		assert.Contains(t, []string{files.Photo, files.Video}, b.path(order+there))
		assert.NotEmpty(t, files.Photo)
		assert.NotEmpty(t, files.Video)
		assert.Equal(t, "old", contents(t, b.dir)[order+there])
		assert.Len(t, contents(t, b.dir), 2)
		requests := b.Requests(livetest.LiveResult)
		require.Len(t, requests, 1)
		assert.Equal(t, asked, requests[0].Query.Get("get_file"))
	}
}

// On a file system without links a name is reserved by an empty file, which a killed run leaves behind.
func TestSave_AnEmptyFileIsNoEvidence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"-photo.jpg", "-photo.png", "-video"} {
		b.write(order+name, "", 0)
	}
	files, _, err := b.save(b.request())
	require.NoError(t, err)
	b.isSaved(files)
}

func TestSave_SweepsWhatKilledRunsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, age := range map[string]time.Duration{
		".evidence-1": 2 * time.Hour, ".evidence-2": 61 * time.Minute, ".evidence-3": 50 * time.Minute, ".other": 100 * time.Hour,
		"a.evidence-4": 100 * time.Hour, "order43-photo.jpg": 100 * time.Hour,
	} {
		b.write(name, "half", age)
	}
	directory := b.path(".evidence-dir")
	require.NoError(t, os.Mkdir(directory, 0o700))
	require.NoError(t, os.Chtimes(directory, time.Time{}, time.Now().Add(-100*time.Hour)))
	_, _, err := b.save(b.request())
	require.NoError(t, err)
	assert.Equal(t, []string{
		".evidence-3", ".evidence-dir/", ".other", "a.evidence-4", order + "-photo.jpg", order + "-video.mp4", "order43-photo.jpg",
	}, slices.Sorted(maps.Keys(contents(t, b.dir))))
}

func TestSave_ExtensionsFollowTheBytes(t *testing.T) {
	t.Parallel()
	fill := strings.Repeat("\x00", 100)
	for magic, extension := range map[string]string{
		"\xFF\xD8\xFF": ".jpg", "\x89PNG\r\n\x1A\n": ".png", "BM": ".bmp", "GIF89a": ".gif", "RIFF....WEBP": ".webp",
		"\x00\x00\x00\x18ftypheic": ".heic", "\x00\x00\x00\x18ftypmp42": ".mp4", "\x00\x00\x00\x14ftypqt  ": ".mov",
		"\x1A\x45\xDF\xA3": ".webm", "RIFF....AVI ": ".avi", "what": "",
	} {
		b := newBench(t)
		b.AddResult(order, livetest.Person{Code: "0", Photo: []byte(magic + fill), Video: []byte(magic + fill)})
		files, _, err := b.save(b.request())
		require.NoError(t, err)
		assert.Equal(t, &evidence.Files{Photo: b.path(order + "-photo" + extension), Video: b.path(order + "-video" + extension)}, files,
			"what came in the place of a photo is not renamed to fit")
		assert.Len(t, contents(t, b.dir), 2)
	}
}

func TestSave_AWordIsNeverSaved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Fail(livetest.LiveResult, livetest.Fault{Body: `{"code":"0","orderNo":"order42","photo":"null","video":"none"}`}, 1)
	files, _, err := b.save(b.request())
	require.NoError(t, err)
	assert.Equal(t, &evidence.Files{}, files)
	assert.Empty(t, contents(t, b.dir))
}

// appearing makes a file appear while the evidence is on its way.
type appearing struct {
	*bench
	name string
}

func (a appearing) StreamLiveMedia(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	a.write(a.name, "old", 0)
	return a.client.StreamLiveMedia(ctx, req)
}

func TestSave_FileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-video.mp4", "-video.webm", "-photo.jpg", "-photo"} {
		b := newBench(t)
		files, res, err := evidence.Save(t.Context(), appearing{b, order + name}, b.request())
		require.NoError(t, err, "the other file is new")
		assert.Equal(t, "0", res.Code)
		assert.Contains(t, []string{files.Photo, files.Video}, b.path(order+name))
		assert.Len(t, contents(t, b.dir), 2)
		assert.Equal(t, "old", contents(t, b.dir)[order+name])
	}
}

func TestSave_WhenEverythingAppearsMeanwhileIsAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write(order+"-photo.jpg", "old", 0)
	_, res, err := evidence.Save(t.Context(), appearing{b, order + "-video.mp4"}, b.request())
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, "0", res.Code, "the result comes along")
	assert.Len(t, contents(t, b.dir), 2, "no temporary file stays")
}

func TestSave_LeavesNothingBehindWhenItFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	corrupt := func(b []byte) []byte { return bytes.Replace(b, []byte(`"video":"AAAA`), []byte(`"video":"A*AA`), 1) }
	for name, tc := range map[string]struct {
		fault    livetest.Fault
		progress error
		want     error
	}{
		"cut":            {livetest.Fault{Truncate: true, Bytes: 4000}, nil, webanklive.ErrMedia},
		"not passed":     {livetest.Fault{Code: "-5013"}, nil, webanklive.ErrNotPassed},
		"platform down":  {livetest.Fault{Status: 502}, nil, webanklive.ErrUnavailable},
		"corrupt Base64": {livetest.Fault{Replace: corrupt}, nil, webanklive.ErrMedia},
		"progress fails": {livetest.Fault{}, broken, broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.Fail(livetest.LiveResult, tc.fault, -1)
			req := b.request()
			req.Progress = clienttest.WriterFunc(func(p []byte) (int, error) { return len(p), tc.progress })
			files, _, err := b.save(req)
			require.ErrorIs(t, err, tc.want)
			assert.Nil(t, files)
			assert.Empty(t, contents(t, b.dir))
		})
	}
}

// The photo comes first and the video late, as it may with the vendor. The photo is of no known type.
func TestSave_AMissingVideoIsNoFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.AddResult(order, livetest.Person{Code: "0", Photo: []byte(strings.Repeat("no known type ", 8))})
	req := b.request()
	req.WaitForMedia = time.Millisecond
	for range 2 {
		files, _, err := b.save(req)
		require.NoError(t, err)
		assert.Equal(t, &evidence.Files{Photo: b.path(order + "-photo")}, files)
		assert.Len(t, contents(t, b.dir), 1)
	}
	b.AddResult(order, livetest.Passing())
	files, _, err := b.save(req)
	require.NoError(t, err)
	assert.Equal(t, &evidence.Files{Photo: b.path(order + "-photo"), Video: b.path(order + "-video.mp4")}, files)
	_, _, err = b.save(req)
	require.ErrorIs(t, err, fs.ErrExist)
}

func TestSave_OfConcurrentOnesOneWins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	errs, files := make([]error, 8), make([]*evidence.Files, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Add(1)
		go func() {
			defer all.Done()
			files[i], _, errs[i] = b.save(b.request())
		}()
	}
	all.Wait()
	won := 0
	var saved *evidence.Files
	for i, err := range errs {
		if err == nil {
			won++
			saved = files[i]
		} else {
			require.ErrorIs(t, err, fs.ErrExist)
		}
	}
	assert.Equal(t, 1, won)
	b.isSaved(saved)
}

func TestSave_AnUnusableDirectoryIsAnErrorBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("file", "", 0)
	for _, dir := range []string{"", b.path("file"), b.path("file/below")} {
		_, _, err := b.save(evidence.Request{OrderNo: order, Dir: dir})
		require.ErrorContains(t, err, "evidence: ", dir)
	}
	assert.Zero(t, b.Calls(livetest.LiveResult))
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
	for _, order := range []string{"../escaped", "a/b", "/etc/x", ""} {
		_, _, err := evidence.Save(t.Context(), believing{}, evidence.Request{OrderNo: order, Dir: filepath.Join(above, "evidence")})
		require.ErrorIs(t, err, webanklive.ErrInvalidRequest, order)
	}
	entries, err := os.ReadDir(above)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestSave_OverwriteReplacesBothOrNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write(order+"-photo.jpg", "old", 0)
	require.NoError(t, os.Mkdir(b.path(order+"-video.mp4"), 0o700))
	req := b.request()
	req.Overwrite = true
	_, _, err := b.save(req)
	require.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, map[string]string{order + "-photo.jpg": "old", order + "-video.mp4/": ""}, contents(t, b.dir))
}
