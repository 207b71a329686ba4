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
	require.NoError(t, run(t.Context(), &out, dir, noEnv))
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
	with := func(env map[string]string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), &out, t.TempDir(), func(name string) string { return env[name] })
		return out.String(), err
	}
	_, err := with(map[string]string{"WEBANK_APP_ID": "app"})
	require.NoError(t, err)
	_, err = with(map[string]string{"WEBANK_APP_ID": "app id", "WEBANK_SECRET": "secret"})
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)
	_, err = with(map[string]string{"WEBANK_APP_ID": "app", "WEBANK_SECRET": "secret", "WEBANK_CALLBACK_URL": "no URL"})
	require.ErrorIs(t, err, webanklive.ErrInvalidRequest)

	sandbox := livetest.NewServer(t)
	out, err := with(map[string]string{
		"WEBANK_APP_ID": sandbox.AppID(), "WEBANK_SECRET": sandbox.Secret(),
		"WEBANK_API_URL": sandbox.APIURL, "WEBANK_H5_URL": sandbox.H5URL,
	})
	require.NoError(t, err)
	assert.Contains(t, out, sandbox.H5URL+"/api/web/livelogin?")
}

func noEnv(string) string { return "" }
