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

// saveBoth returns the arguments that save both files in a new directory.
func saveBoth(t *testing.T) (dir, photo, video string, args []string) {
	dir = t.TempDir()
	photo, video = filepath.Join(dir, "p.jpg"), filepath.Join(dir, "v.mp4")
	return dir, photo, video, []string{"result", "passed1", "--photo", photo, "--video", video}
}

func TestSave_EvidenceIsForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir, photo, video, args := saveBoth(t)
	o := b.run(t, exitDone, args...)
	assert.Contains(t, o.out, "passed\n")
	assert.Contains(t, o.out, photo+", ")
	assert.Empty(t, o.errOut, "no progress without a terminal")
	for name, want := range map[string][]byte{photo: livetest.SamplePhoto(), video: livetest.SampleVideo()} {
		assert.True(t, bytes.Equal(want, []byte(readFile(t, name))), name)
		if info, err := os.Stat(name); assert.NoError(t, err) && runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		}
	}
	assert.Equal(t, []string{"p.jpg", "v.mp4"}, names(t, dir))

	object := b.run(t, exitDone, "result", "passed1", "--json", "--photo", filepath.Join(dir, "alone.jpg")).object(t)
	saved := object["photo"].(map[string]any)
	assert.InDelta(t, len(livetest.SamplePhoto()), saved["bytes"], 0)
	assert.Equal(t, "image/jpeg", saved["type"])
	assert.NotContains(t, object, "video")
}

func TestSave_FilesAreReplacedOnlyByForce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir, _, video, args := saveBoth(t)
	require.NoError(t, os.WriteFile(video, []byte("old"), 0o600))
	o := b.run(t, exitUsage, args...)
	assert.Equal(t, "webanklive: --video "+video+": file already exists (--force replaces it)\n", o.errOut)
	assert.Equal(t, "file_exists", b.run(t, exitUsage, append(args, "--json")...).errorClass(t))
	assert.Zero(t, b.srv.Calls(livetest.LiveResult), "found before the network")
	assert.Equal(t, []string{"v.mp4"}, names(t, dir))

	b.run(t, exitDone, append(args, "--force")...)
	assert.True(t, bytes.Equal(livetest.SampleVideo(), []byte(readFile(t, video))))
	assert.Equal(t, []string{"p.jpg", "v.mp4"}, names(t, dir))
}

func TestSave_WhatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	t.Parallel()
	for name, force := range map[string]bool{"file": false, "directory, by force": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			dir, photo, video, args := saveBoth(t)
			old, appears := video, func() error { return os.WriteFile(video, []byte("old"), 0o600) }
			want, left := "file already exists (--force replaces it)", []string{"v.mp4"} // and no photo
			if force {
				old, appears = photo, func() error { return os.Mkdir(video, 0o700) }
				want, left = "is there already and is no plain file", []string{"p.jpg", "v.mp4"}
				args = append(args, "--force")
				require.NoError(t, os.WriteFile(photo, []byte("old"), 0o600))
			}
			b.srv.Fail(livetest.LiveResult, livetest.Fault{Replace: func(body []byte) []byte {
				assert.NoError(t, appears())
				return body
			}}, 1)
			o := b.run(t, exitUsage, args...)
			assert.Equal(t, "webanklive: --video "+video+": "+want+"\n", strings.TrimPrefix(o.errOut, b.fakeLine()))
			assert.Equal(t, left, names(t, dir))
			assert.Equal(t, "old", readFile(t, old))
		})
	}
}

func TestSave_FailureLeavesNoFileBehind(t *testing.T) {
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
		"interrupted":   {livetest.Fault{Hang: true, Bytes: 4000}, livetest.Passing(), exitInterrupted, "interrupted"},
		"gateway fails": {livetest.Fault{Status: 502}, livetest.Passing(), exitLater, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			dir, _, _, args := saveBoth(t)
			args = append(args, "--json")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch try.class {
			case "deadline":
				args = append(args, "--timeout", "500ms")
			case "interrupted":
				try.fault.Replace = func(body []byte) []byte { cancel(); return body }
			}
			b.srv.AddResult("passed1", try.person)
			if try.fault.Status != 0 || try.fault.Bytes > 0 {
				b.srv.Fail(livetest.LiveResult, try.fault, -1)
			}
			o := b.runIn(ctx, args...)
			assert.Equal(t, try.exit, o.exit)
			assert.Equal(t, try.class, o.errorClass(t))
			assert.Empty(t, names(t, dir))
		})
	}
}

func TestSave_PathsThatCannotBeWrittenAreFoundBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir, links := t.TempDir(), t.TempDir()
	file, beyond, link := filepath.Join(dir, "x"), filepath.Join(dir, "a", "p.jpg"), filepath.Join(links, "link")
	require.NoError(t, os.Symlink(dir, link))
	for _, try := range []struct {
		want string
		args []string
	}{
		{"--photo " + beyond + ": ", []string{"--photo", beyond}},
		{"--photo " + dir + ": is there already and is no plain file\n", []string{"--photo", dir, "--force"}},
		{"--photo and --video are the same file\n", []string{"--photo", file, "--video", filepath.Join(dir, ".", "x")}},
		{"--photo and --video are the same file\n", []string{"--photo", file, "--video", filepath.Join(link, "X")}},
		{"--video " + dir + ": is there already and is no plain file\n", []string{"--photo", file, "--video", dir}},
		{"--video -: standard output is for the decision\n", []string{"--photo", file, "--video", "-"}},
	} {
		o := b.run(t, exitUsage, append([]string{"result", "passed1"}, try.args...)...)
		assert.True(t, strings.HasPrefix(o.errOut, "webanklive: "+try.want), o.errOut)
		assert.NotContains(t, o.errOut, ".webanklive-", "nobody knows the temporary file")
		assert.Empty(t, names(t, dir), try.want)
	}
	assert.Zero(t, b.srv.Calls(livetest.LiveResult))
}
