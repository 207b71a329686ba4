package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// bench is a command line beside a fake platform.
type bench struct {
	env       map[string]string
	stdin     string
	transport http.RoundTripper
	proxy     func(*http.Request) (*url.URL, error)
	srv       *livetest.Server // may be nil
}

// outcome is what one run of the command left behind.
type outcome struct {
	exit        int
	out, errOut string
}

func (b bench) with(name, value string) bench {
	b.env = maps.Clone(b.env)
	if b.env == nil {
		b.env = map[string]string{}
	}
	b.env[name] = value
	return b
}

func (b bench) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return b.runIn(t, t.Context(), args...)
}

func (b bench) runIn(t *testing.T, ctx context.Context, args ...string) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{
		env: func(name string) string { return b.env[name] }, in: strings.NewReader(b.stdin),
		out: &out, errOut: &errOut, transport: b.transport, proxy: b.proxy,
	}
	exit := a.run(ctx, args)
	if b.srv != nil && args[0] == "doctor" {
		b.srv.Advance(2 * time.Second) // its user gets the next NONCE ticket at once
	}
	return outcome{exit, out.String(), errOut.String()}
}

// object reads standard output as the one JSON object that --json promises.
func (o outcome) object(t *testing.T) map[string]any {
	t.Helper()
	require.Equal(t, 1, strings.Count(o.out, "\n"), "one line: %q", o.out)
	require.Empty(t, o.errOut)
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &object), o.out)
	return object
}

// errorClass returns the class of the "error" in the JSON object.
func (o outcome) errorClass(t *testing.T) string {
	t.Helper()
	failed, ok := o.object(t)["error"].(map[string]any)
	require.True(t, ok, o.out)
	require.NotEmpty(t, failed["message"])
	class, _ := failed["class"].(string)
	return class
}

// newBench returns a command line that is configured for srv, with a store of its own.
func newBench(t *testing.T, srv *livetest.Server) bench {
	t.Helper()
	return bench{srv: srv, env: map[string]string{
		"WEBANK_APP_ID": srv.AppID(), "WEBANK_SECRET": srv.Secret(),
		"WEBANK_API_URL": srv.APIURL, "WEBANK_H5_URL": srv.H5URL,
		"WEBANK_STORE": "file:" + filepath.Join(t.TempDir(), "store"),
	}}
}

// remoteBench is for a platform that is not on this machine, as far as the command can tell.
func remoteBench(t *testing.T) (bench, *livetest.Platform) {
	t.Helper()
	p := livetest.New()
	return bench{transport: p.Transport(), env: map[string]string{
		"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET": p.Secret(),
		"WEBANK_API_URL": livetest.MemoryAPIURL, "WEBANK_H5_URL": livetest.MemoryH5URL,
	}}, p
}

// fakeLine is what a command says on standard error when no answer says that the platform is a fake.
func (b bench) fakeLine() string {
	return "The platform is a fake, not the vendor's: " + b.env["WEBANK_API_URL"] + ".\n"
}

// launched takes the link of a new check from the command.
func (b bench) launched(t *testing.T, order string) string {
	t.Helper()
	o := b.run(t, "launch", "--user", "u1", "--order", order, "--callback", "https://shop.example/done")
	require.Zero(t, o.exit, o.errOut)
	return strings.TrimSpace(o.out)
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// stored returns what is in the bench's store.
func (b bench) stored(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(b.env["WEBANK_STORE"], "file:"), "*.credential"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	return string(content)
}
