package evidence_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/livetest"
)

// looker looks into a directory whenever evidence is on its way into it.
type looker struct {
	t     *testing.T
	dir   string
	looks int
}

func (l *looker) Write(p []byte) (int, error) {
	l.looks++
	for _, name := range names(l.t, l.dir) {
		assert.NotContains(l.t, name, "MARKER")
		info, err := os.Stat(filepath.Join(l.dir, name))
		assert.NoError(l.t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(l.t, os.FileMode(0o600), info.Mode().Perm(), name)
		}
	}
	return len(p), nil
}

func TestSave_NoSecretIsInNamesContentsAndErrors(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.SetMarker("MARKER")
	srv.AddResult(order, livetest.Passing())
	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL), webanklive.WithMaxRetries(0))
	require.NoError(t, err)
	l := &looker{t: t, dir: filepath.Join(t.TempDir(), "evidence")}
	req := evidence.Request{OrderNo: order, Dir: l.dir, Progress: l}
	files, _, err := evidence.Save(t.Context(), c, req)
	require.NoError(t, err)
	require.Positive(t, l.looks)
	for _, path := range []string{files.Photo, files.Video} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotContains(t, path+string(content), "MARKER")
	}

	fails := func(c evidence.Source, change func(*evidence.Request)) {
		t.Helper()
		req := req
		change(&req)
		_, _, err := evidence.Save(t.Context(), c, req)
		require.Error(t, err)
		text := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err))
		assert.NotContains(t, text, "MARKER")
		assert.NotContains(t, strings.ToLower(text), "sign=")
	}
	fails(c, func(*evidence.Request) {}) // the files are there
	fails(c, func(req *evidence.Request) { req.OrderNo = "another" })
	srv.Fail(livetest.LiveResult, livetest.Fault{Truncate: true, Bytes: 3000}, -1)
	fails(c, func(req *evidence.Request) { req.Overwrite = true })
	srv.Fail(livetest.LiveResult, livetest.Fault{Status: http.StatusBadGateway}, -1)
	fails(c, func(req *evidence.Request) { req.Overwrite = true })
	require.Contains(t, srv.Requests(livetest.AccessToken)[0].Query.Get("secret"), "MARKER", "the marker was sent")
}
