package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// bench is a command line beside a fake platform.
type bench struct {
	env       map[string]string
	stdin     string
	in        io.Reader // nil: stdin, anew for each run
	transport http.RoundTripper
	proxy     func(*http.Request) (*url.URL, error)
	srv       *livetest.Server // may be nil
}

// newBench returns a command line with a store and a platform of its own, which knows the orders passed1 and failed1.
func newBench(t *testing.T) bench {
	t.Helper()
	srv := livetest.NewServer(t)
	srv.AddResult("passed1", livetest.Passing())
	srv.AddResult("failed1", livetest.Failing("-5016"))
	return bench{srv: srv, env: map[string]string{
		"WEBANK_APP_ID": srv.AppID(), "WEBANK_SECRET": srv.Secret(),
		"WEBANK_API_URL": srv.APIURL, "WEBANK_H5_URL": srv.H5URL,
		"WEBANK_STORE": "file:" + filepath.Join(t.TempDir(), "store"),
	}}
}

// remoteBench has no store, and a platform that is not on this machine, as far as the command can tell.
func remoteBench() (bench, *livetest.Platform) {
	p := livetest.New()
	p.AddResult("passed1", livetest.Passing())
	return bench{transport: p.Transport(), env: map[string]string{
		"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET": p.Secret(),
		"WEBANK_API_URL": livetest.MemoryAPIURL, "WEBANK_H5_URL": livetest.MemoryH5URL,
	}}, p
}

func (b bench) with(name, value string) bench {
	b.env = maps.Clone(b.env)
	if b.env == nil {
		b.env = map[string]string{}
	}
	b.env[name] = value
	return b
}

// outcome is what one run of the command left behind.
type outcome struct {
	exit        int
	out, errOut string
}

// run runs the command, which must end with exit.
func (b bench) run(t *testing.T, exit int, args ...string) outcome {
	t.Helper()
	o := b.runIn(t.Context(), args...)
	assert.Equal(t, exit, o.exit, "%q: %s%s", args, o.out, o.errOut)
	return o
}

func (b bench) runIn(ctx context.Context, args ...string) outcome {
	if b.in == nil {
		b.in = strings.NewReader(b.stdin)
	}
	var out, errOut bytes.Buffer
	a := &app{
		env: func(name string) string { return b.env[name] }, in: b.in,
		out: &out, errOut: &errOut, transport: b.transport, proxy: b.proxy,
	}
	exit := a.run(ctx, args)
	if b.srv != nil && args[0] == "doctor" {
		b.srv.Advance(2 * time.Second) // its user gets the next NONCE ticket at once
	}
	return outcome{exit, out.String(), errOut.String()}
}

// refuses expects that args are refused as wrong usage, in one line that contains want, and returns all that is printed
// with --json and without.
func (b bench) refuses(t *testing.T, want string, args ...string) (said string) {
	t.Helper()
	o := b.run(t, exitUsage, args...)
	assert.Regexp(t, `^webanklive: [^\n]+\n$`, o.errOut, args)
	assert.Contains(t, o.errOut, want, args)
	assert.Empty(t, o.out, args)
	forMachines := b.run(t, exitUsage, append(args[:len(args):len(args)], "--json")...)
	assert.Equal(t, "usage", forMachines.errorClass(t), args)
	return o.errOut + forMachines.out
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

// doctor runs doctor --json, which must end with exit, and returns its lines by name.
func (b bench) doctor(t *testing.T, exit int, more ...string) map[string]check {
	t.Helper()
	o := b.run(t, exit, append([]string{"doctor", "--json"}, more...)...)
	var answer doctorAnswer
	require.NoError(t, json.Unmarshal([]byte(o.out), &answer), o.out)
	assert.Equal(t, exit == exitDone, answer.OK)
	byName := map[string]check{}
	for _, c := range answer.Checks {
		byName[c.Name] = c
	}
	return byName
}

// fakeLine is what a command says on standard error when no answer says that the platform is a fake.
func (b bench) fakeLine() string {
	return "The platform is a fake, not the vendor's: " + b.env["WEBANK_API_URL"] + ".\n"
}

// launched takes the link of a new check from the command.
func (b bench) launched(t *testing.T, order string) string {
	t.Helper()
	o := b.run(t, exitDone, "launch", "--user", "u1", "--order", order, "--callback", "https://shop.example/done")
	return strings.TrimSpace(o.out)
}

// stored returns what is in the bench's store.
func (b bench) stored(t *testing.T) string {
	t.Helper()
	return readFile(t, only(t, filepath.Join(strings.TrimPrefix(b.env["WEBANK_STORE"], "file:"), "*.credential")))
}

// only returns the one file that matches pattern.
func only(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, files, 1)
	return files[0]
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// names returns what is in a directory.
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
