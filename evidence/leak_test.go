package evidence_test

import (
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/internal/clienttest"
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
	entries, err := os.ReadDir(l.dir)
	assert.NoError(l.t, err)
	for _, e := range entries {
		assert.NotContains(l.t, e.Name(), "MARKER")
		info, err := e.Info()
		if assert.NoError(l.t, err) && runtime.GOOS != "windows" {
			assert.Equal(l.t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
	}
	return len(p), nil
}

func TestSave_NoSecretIsInNamesContentsAndErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.SetMarker("MARKER")
	b.client = clienttest.NewClient(t, b.Server, webanklive.WithMaxRetries(0)) // with the marker in its secret
	l := &looker{t: t, dir: b.dir}
	req := b.request()
	req.Progress = l
	files, _, err := b.save(req)
	require.NoError(t, err)
	require.Positive(t, l.looks)
	b.isSaved(files)

	fails := func(req evidence.Request) {
		t.Helper()
		_, _, err := b.save(req)
		require.Error(t, err)
		text := clienttest.EveryPrint(err)
		assert.NotContains(t, text, "MARKER")
		assert.NotContains(t, strings.ToLower(text), "sign=")
	}
	fails(req) // the files are there
	req.OrderNo = "another"
	fails(req)
	req.OrderNo, req.Overwrite = order, true
	b.Fail(livetest.LiveResult, livetest.Fault{Truncate: true, Bytes: 3000}, -1)
	fails(req)
	b.Fail(livetest.LiveResult, livetest.Fault{Status: http.StatusBadGateway}, -1)
	fails(req)
	require.Contains(t, b.Requests(livetest.AccessToken)[0].Query.Get("secret"), "MARKER", "the marker was sent")
}
