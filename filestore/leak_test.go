package filestore_test

// Where the secrets of a client end up on the disk: in the content of files of their owner, and in no name and no text.

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

const marker = "MaRk3r"

// watcher looks into a store's directory whenever the platform is asked for something, under the lock of a mint that
// is, and at what the next one left behind.
type watcher struct {
	webanklive.CredentialStore
	t    *testing.T
	dir  string
	held int // files whose content had the marker
}

func (w *watcher) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	value, err := w.CredentialStore.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
		next, ttl, err := fn(ctx, current)
		w.look()
		return next, ttl, err
	})
	w.look()
	return value, err
}

func (w *watcher) look() {
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		assert.NoError(w.t, err)
		assert.NotContains(w.t, strings.ToLower(path), strings.ToLower(marker))
		assert.Regexp(w.t, `^(new|credentials|in the way|[0-9a-f]{64}\.(credential|lock|[0-9]+\.tmp))$`, entry.Name())
		info, err := entry.Info()
		assert.NoError(w.t, err)
		want := os.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else if content, err := os.ReadFile(path); assert.NoError(w.t, err) && bytes.Contains(content, []byte(marker)) {
			w.held++
			assert.True(w.t, strings.HasSuffix(path, ".credential"), "%s holds the credential", path)
		}
		if runtime.GOOS != "windows" {
			assert.Equal(w.t, want, info.Mode().Perm(), path)
		}
		return nil
	})
	assert.NoError(w.t, err)
}

func TestStore_WritesNoSecretInNamesErrorsAndLogs(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "credentials")
	log := &logtest.Log{}
	srv := livetest.NewServer(t)
	srv.SetMarker(marker)
	w := &watcher{t: t, dir: filepath.Dir(dir)}
	newClient := func() *webanklive.Client {
		w.CredentialStore = newStore(t, dir, filestore.WithLogger(log.Logger()))
		c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL),
			webanklive.WithCredentialStore(w), webanklive.WithLogger(log.Logger()))
		require.NoError(t, err)
		return c
	}
	c := newClient()
	minted, err := c.Credential(t.Context())
	require.NoError(t, err)
	require.Contains(t, minted.AccessToken+minted.SignTicket, marker)
	c.Invalidate(t.Context(), minted)
	_, err = c.Credential(t.Context())
	require.NoError(t, err)
	require.Len(t, srv.Mints(), 2)

	// Half a credential in a foreign file, and none.
	path := valueFile(t, dir)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(whole), marker)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-20], 0o600))
	_, err = newClient().Credential(t.Context())
	require.NoError(t, err)
	require.Len(t, srv.Mints(), 3)
	require.Contains(t, log.String(), "holds no credential")

	// A value that cannot get its name: the error has that of the temporary file.
	path = valueFile(t, dir)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
	_, err = newClient().Credential(t.Context())
	require.NoError(t, err, "what was minted is used, though it was not stored")
	require.Contains(t, log.String(), "could not be refreshed")
	require.Regexp(t, `[0-9a-f]{64}\.[0-9]+\.tmp`, log.String())

	assert.NotContains(t, log.String(), marker)
	require.GreaterOrEqual(t, w.held, 3, "the marker was on the disk")
	require.Contains(t, srv.Requests(livetest.AccessToken)[0].Query.Get("secret"), marker, "the marker was sent")
}
