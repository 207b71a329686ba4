package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The go.mod files of development, as far as a release is about them.
var development = map[string]string{
	".":              "",
	"filestore":      "require example.com/lock v1.2.3\nrequire " + root + " v0.0.0\nreplace " + root + " => ../\n",
	"redisstore":     "require " + root + " v0.0.0\nreplace " + root + " => ../\n",
	"sqlchecks":      "require " + root + " v0.0.0\nreplace " + root + " => ../\n",
	"otelwebanklive": "require " + root + " v0.0.0\nreplace " + root + " => ../\n",
	"cmd/webanklive": "require " + root + "/filestore v0.0.0\nreplace " + root + "/filestore => ../../filestore\nreplace " + root + " => ../../\n",
}

func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for module, lines := range development {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, module), 0o755))
		write(t, filepath.Join(dir, module, "go.mod"), "module "+root+"/"+module+"\n\ngo 1.24.0\n\n"+lines)
	}
	write(t, filepath.Join(dir, "go.mod"), "module "+root+"\n\ngo 1.24.0\n")
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

func TestReady_RefusesReplaceLines(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	err := ready(t.Context(), dir, "v0.1.0")
	require.ErrorContains(t, err, "cmd/webanklive/go.mod replaces "+root+"/filestore")
	require.ErrorContains(t, err, "redisstore/go.mod requires "+root+"@v0.0.0, not v0.1.0")

	require.NoError(t, prepare(t.Context(), dir, "v0.1.0"))
	require.NoError(t, ready(t.Context(), dir, "v0.1.0"))

	name := filepath.Join(dir, "filestore", "go.mod")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, string(text), "example.com/lock v1.2.3", "a requirement of another project")
	write(t, name, string(text)+"\nreplace example.com/lock => ../lock\n")
	require.ErrorContains(t, ready(t.Context(), dir, "v0.1.0"), "filestore/go.mod replaces example.com/lock")
}

func TestReady_WantsOneVersionOfAllModules(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	require.NoError(t, prepare(t.Context(), dir, "v0.1.0"))
	name := filepath.Join(dir, "redisstore", "go.mod")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	write(t, name, strings.Replace(string(text), root+" v0.1.0", root+" v0.0.9", 1))
	require.ErrorContains(t, ready(t.Context(), dir, "v0.1.0"), "redisstore/go.mod requires "+root+"@v0.0.9, not v0.1.0")
}
