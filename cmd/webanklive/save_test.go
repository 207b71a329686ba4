package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestEvidenceIsSavedForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	b := newBench(t, srv)
	dir := t.TempDir()
	photo, video := filepath.Join(dir, "p.jpg"), filepath.Join(dir, "v.mp4")
	o := b.run(t, "result", "order1", "--photo", photo, "--video", video)
	require.Zero(t, o.exit, o.errOut)
	assert.Contains(t, o.out, "passed\n")
	assert.Contains(t, o.out, photo+", ")
	assert.Empty(t, o.errOut, "no progress without a terminal")
	for name, want := range map[string][]byte{photo: livetest.SamplePhoto(), video: livetest.SampleVideo()} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), name)
		if info, err := os.Stat(name); assert.NoError(t, err) && runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		}
	}
	assert.Equal(t, []string{"p.jpg", "v.mp4"}, names(t, dir))

	object := b.run(t, "result", "order1", "--json", "--photo", filepath.Join(dir, "alone.jpg")).object(t)
	saved := object["photo"].(map[string]any)
	assert.InDelta(t, len(livetest.SamplePhoto()), saved["bytes"], 0)
	assert.Equal(t, "image/jpeg", saved["type"])
	assert.NotContains(t, object, "video")
}

func TestFilesAreReplacedOnlyByForce(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	b := newBench(t, srv)
	dir := t.TempDir()
	photo, video := filepath.Join(dir, "p.jpg"), filepath.Join(dir, "v.mp4")
	require.NoError(t, os.WriteFile(video, []byte("old"), 0o600))
	args := []string{"result", "order1", "--photo", photo, "--video", video}
	o := b.run(t, args...)
	assert.Equal(t, exitUsage, o.exit)
	assert.Equal(t, "webanklive: --video "+video+": file already exists (--force replaces it)\n", o.errOut)
	assert.Zero(t, srv.Calls(livetest.LiveResult), "found before the network")
	assert.Equal(t, []string{"v.mp4"}, names(t, dir))
	assert.Equal(t, "file_exists", b.run(t, append(args, "--json")...).errorClass(t))

	assert.Zero(t, b.run(t, append(args, "--force")...).exit)
	got, err := os.ReadFile(video)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(livetest.SampleVideo(), got))
	assert.Equal(t, []string{"p.jpg", "v.mp4"}, names(t, dir))
}

func TestFailureLeavesNoFileBehind(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		fault  livetest.Fault
		person livetest.Person
		exit   int
		class  string
	}{
		"not passed":    {livetest.Fault{}, livetest.Failing("-5016"), exitNo, "not_passed"},
		"no video":      {livetest.Fault{}, livetest.Person{Code: "0", Photo: livetest.SamplePhoto()}, exitNotReady, "media_missing"},
		"cut":           {livetest.Fault{Truncate: true, Bytes: 4000}, livetest.Passing(), exitLater, "media_broken"},
		"hangs":         {livetest.Fault{Hang: true, Bytes: 4000}, livetest.Passing(), exitLater, "deadline"},
		"gateway fails": {livetest.Fault{Status: 502}, livetest.Passing(), exitLater, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := livetest.NewServer(t)
			srv.AddResult("order1", try.person)
			if try.fault.Status != 0 || try.fault.Bytes > 0 {
				srv.Fail(livetest.LiveResult, try.fault, -1)
			}
			dir := t.TempDir()
			args := []string{"result", "order1", "--json", "--photo", filepath.Join(dir, "p"), "--video", filepath.Join(dir, "v")}
			if try.fault.Hang {
				args = append(args, "--timeout", "500ms")
			}
			o := newBench(t, srv).run(t, args...)
			assert.Equal(t, try.exit, o.exit)
			assert.Equal(t, try.class, o.errorClass(t))
			assert.Empty(t, names(t, dir))
		})
	}
}

func TestPathsThatCannotBeWrittenAreFoundBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	dir := t.TempDir()
	file, beyond := filepath.Join(dir, "x"), filepath.Join(dir, "a", "p.jpg")
	for want, args := range map[string][]string{
		"--photo " + beyond + ": ":                                     {"--photo", beyond},
		"--photo " + dir + ": is there already and is no plain file\n": {"--photo", dir, "--force"},
		"--photo and --video are the same file\n":                      {"--photo", file, "--video", filepath.Join(dir, ".", "x")},
		"--video " + dir + ": is there already and is no plain file\n": {"--photo", file, "--video", dir},
		"--video -: standard output is for the decision\n":             {"--photo", file, "--video", "-"},
		"--video is empty\n":                                           {"--photo", file, "--video", ""},
	} {
		o := b.run(t, append([]string{"result", "order1"}, args...)...)
		assert.Equal(t, exitUsage, o.exit, want)
		assert.True(t, strings.HasPrefix(o.errOut, "webanklive: "+want), o.errOut)
		assert.NotContains(t, o.errOut, ".webanklive-", "nobody knows the temporary file")
		assert.Empty(t, names(t, dir), want)
	}
	assert.Zero(t, srv.Calls(livetest.LiveResult))
}

func TestFileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	dir := t.TempDir()
	photo, video := filepath.Join(dir, "p.jpg"), filepath.Join(dir, "v.mp4")
	srv.Fail(livetest.LiveResult, livetest.Fault{Replace: func(body []byte) []byte {
		_ = os.WriteFile(video, []byte("old"), 0o600)
		return body
	}}, 1)
	o := newBench(t, srv).run(t, "result", "order1", "--photo", photo, "--video", video)
	assert.Equal(t, exitUsage, o.exit)
	assert.Equal(t, "webanklive: --video "+video+": file already exists (--force replaces it)\n", o.errOut)
	assert.Equal(t, []string{"v.mp4"}, names(t, dir), "the photo is not left behind")
	old, err := os.ReadFile(video)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
}

func TestForceReplacesBothOrNeither(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	dir := t.TempDir()
	photo, video := filepath.Join(dir, "p.jpg"), filepath.Join(dir, "v.mp4")
	require.NoError(t, os.WriteFile(photo, []byte("old"), 0o600))
	srv.Fail(livetest.LiveResult, livetest.Fault{Replace: func(body []byte) []byte {
		_ = os.Mkdir(video, 0o700)
		return body
	}}, 1)
	o := newBench(t, srv).run(t, "result", "order1", "--force", "--photo", photo, "--video", video)
	assert.Equal(t, exitUsage, o.exit)
	assert.Contains(t, o.errOut, "--video "+video+": is there already and is no plain file")
	assert.Equal(t, []string{"p.jpg", "v.mp4"}, names(t, dir))
	old, err := os.ReadFile(photo)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
}

func TestInterruptedSaveLeavesNothing(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	srv.Fail(livetest.LiveResult, livetest.Fault{Replace: func(body []byte) []byte {
		cancel()
		return body
	}, Hang: true, Bytes: 4000}, -1)
	o := newBench(t, srv).runIn(t, ctx, "result", "order1", "--json", "--photo", filepath.Join(dir, "p.jpg"))
	assert.Equal(t, exitInterrupted, o.exit)
	assert.Equal(t, "interrupted", o.errorClass(t))
	assert.Empty(t, names(t, dir))
}
