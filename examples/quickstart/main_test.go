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

func TestRun_ShowsEveryStep(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	require.NoError(t, run(t.Context(), &out, dir, func(string) string { return "" }))
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

	for name, want := range map[string][]byte{"Q1-photo.jpg": livetest.SamplePhoto(), "Q1-video.mp4": livetest.SampleVideo()} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, files, 2, "nothing is left behind")
}

func TestRun_UsesTheRealPlatformOnlyWithBothVariables(t *testing.T) {
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
