package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestQuickstartShowsEveryStep(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	require.NoError(t, run(t.Context(), &out, dir, "", "", ""))
	for _, line := range []string{
		"signed by the platform for order Q1, code 0", "PASSED, score 95",
		"NOT passed, code -5016", "活体检测不通过",
		"not signed, code 3001", "该浏览器不支持视频录制（请使用其它验证方案）",
		"asked for 1 access token and 1 SIGN ticket",
	} {
		assert.Contains(t, out.String(), line)
	}
	assert.NotContains(t, out.String(), "sign=")
	assert.NotContains(t, out.String(), "newSignature=")

	photo, err := os.ReadFile(filepath.Join(dir, "Q1-photo.jpg"))
	require.NoError(t, err)
	assert.Equal(t, livetest.SamplePhoto(), photo)
	video, err := os.ReadFile(filepath.Join(dir, "Q1-video.mp4"))
	require.NoError(t, err)
	assert.Equal(t, livetest.SampleVideo(), video)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 2, "nothing is left behind")
}

func TestRealPlatformIsUsedOnlyWithBothVariables(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, t.TempDir(), "app", "", ""))
	err := run(t.Context(), &out, t.TempDir(), "app id", "secret", "")
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	err = run(t.Context(), &out, t.TempDir(), "app", "secret", "no URL")
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
}
