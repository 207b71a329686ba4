// Package leaktest runs the example programs as users do and looks for secrets in what they print, serve and show to
// other users of the machine.
//
// A program that brings its own fake platform is built with another livetest/platform.go, which notes every secret that
// the platform makes; so these tests know the secrets of a process that they do not share.
package leaktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	envNotes = "LEAKTEST_NOTES" // the file that the platform notes its secrets in
	patience = time.Minute
)

// noting replaces the function that makes every secret, token and ticket of the fake platform.
const noting = `
func (p *Platform) newSecret() string {
	secret := p.marker + random(max(credentialLen-len(p.marker), 32))
	notes, err := os.OpenFile(os.Getenv("` + envNotes + `"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer notes.Close()
	if _, err := notes.WriteString(secret + "\n"); err != nil {
		panic(err)
	}
	return secret
}
`

// programs builds every example program once and returns their directory.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "webanklive-leaktest-"); err != nil {
		return "", err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	platform := filepath.Join(root, "livetest", "platform.go")
	source, err := os.ReadFile(platform)
	if err != nil {
		return "", err
	}
	source = regexp.MustCompile(`(?s)\nfunc \(p \*Platform\) newSecret\(\) string \{.*?\n}\n`).ReplaceAll(source, []byte(noting))
	source = bytes.Replace(source, []byte("import (\n"), []byte("import (\n\t\"os\"\n"), 1)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{platform: filepath.Join(dir, "platform.go")}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "platform.go"), source, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
	}
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir+string(filepath.Separator),
		"./examples/quickstart", "./examples/fleet", "./examples/tokenservice", "./examples/webdemo")
	build.Dir, build.Stderr = root, os.Stderr
	return dir, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program is one example program, not yet started.
type program struct {
	*exec.Cmd
	t        *testing.T
	out, err bytes.Buffer
	notes    string
}

func newProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	dir, err := programs()
	require.NoError(t, err)
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	p := &program{t: t, Cmd: exec.CommandContext(ctx, filepath.Join(dir, name), args...), notes: filepath.Join(t.TempDir(), "notes")}
	p.Env = append(os.Environ(), envNotes+"="+p.notes, "TMPDIR="+t.TempDir(), "WEBANK_APP_ID=", "WEBANK_SECRET=")
	p.Stdout, p.Stderr = &p.out, &p.err
	return p
}

// secrets are those that the platform inside the program has made so far.
func (p *program) secrets() []string {
	p.t.Helper()
	notes, err := os.ReadFile(p.notes)
	require.NoError(p.t, err)
	secrets := strings.Fields(string(notes))
	require.GreaterOrEqual(p.t, len(secrets), 3, "the partner's secret, a token and a ticket")
	return secrets
}

// assertNoSecret looks for the first half of every secret, and for short ones as a whole.
func assertNoSecret(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		assert.NotContains(t, text, secret[:max(len(secret)/2, min(len(secret), 16))], what)
	}
}

func TestPrograms_PrintNoSecret(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args  []string
		shows string
	}{
		"quickstart":   {nil, "5 evidence"},
		"fleet":        {[]string{"-replicas", "3", "-hours", "1"}, "one shared store"},
		"tokenservice": {nil, "replica 3 launched order B2"},
		"webdemo":      {[]string{"-once", "-lag", "0s"}, "had nothing to refuse"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, name, tc.args...)
			require.NoError(t, p.Run(), "%s", &p.err)
			if strings.Contains(p.out.String(), "needs Go 1.25") {
				t.Skip("the simulator needs Go 1.25")
			}
			require.Contains(t, p.out.String(), tc.shows)
			assertNoSecret(t, name, p.out.String()+p.err.String(), append(p.secrets(), "sign=", "newSignature=")...)
		})
	}
}

// A refused connection is the failure that every partner sees first.
func TestQuickstart_ThatFailsPrintsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "MaRk3r0123456789MaRk3r0123456789"
	p := newProgram(t, "quickstart")
	p.Env = append(p.Env, "WEBANK_APP_ID=TIDA0001", "WEBANK_SECRET="+secret, "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=")
	require.Error(t, p.Run())
	require.Contains(t, p.err.String(), "get access token", "it was about to send the secret")
	assertNoSecret(t, "output", p.out.String()+p.err.String(), secret, "app_id=")
}

func TestPrograms_TakeNoSecretAsAnArgument(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quickstart", "fleet", "tokenservice", "webdemo"} {
		p := newProgram(t, name, "-h")
		_ = p.Run() // an exit status, because nothing was done
		for _, line := range strings.Split(p.err.String(), "\n") {
			assert.NotRegexp(t, `(?i)^\s+-\S*(secret|token|ticket|password|key)`, line, name)
		}
	}
}

// TestWebdemo_ShowsNoSecretWhileItRuns starts the shop, looks at its arguments as other users of the machine can, and at what a
// browser gets up to the redirect to the platform.
func TestWebdemo_ShowsNoSecretWhileItRuns(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "webdemo", "-addr", "127.0.0.1:0", "-platform", "127.0.0.1:0")
	p.Stdout = nil
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	lines := bufio.NewScanner(stdout)
	said, shop := "", ""
	for shop == "" && lines.Scan() {
		said += lines.Text() + "\n"
		shop = regexp.MustCompile(`http://localhost:\d+`).FindString(said)
	}
	require.NotEmpty(t, shop, said)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(shop)
	require.NoError(t, err)
	page := read(t, res)
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, token)
	res, err = browser.PostForm(shop+"/liveness/start", url.Values{"token": {token[1]}})
	require.NoError(t, err)
	page += read(t, res)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	location, err := res.Location()
	require.NoError(t, err)

	secrets := p.secrets()
	require.GreaterOrEqual(t, len(secrets), 4, "a NONCE ticket, too")
	assertNoSecret(t, "page", page, append(secrets, location.Query().Get("sign"))...)
	assertNoSecret(t, "redirect", location.String(), secrets...)
	assert.Equal(t, []string{"nonce", "orderNo", "resultType", "sign", "url", "userId", "version", "webankAppId"},
		slices.Sorted(maps.Keys(location.Query())), "what the protocol wants, and no more")
	res.Header.Del("Location")
	for name, values := range res.Header {
		assertNoSecret(t, name, strings.Join(values, " "), append(secrets, location.Query().Get("sign"))...)
	}
	if runtime.GOOS == "linux" {
		arguments, err := os.ReadFile("/proc/" + strconv.Itoa(p.Process.Pid) + "/cmdline")
		require.NoError(t, err)
		require.Contains(t, string(arguments), "webdemo")
		assertNoSecret(t, "arguments", string(arguments), secrets...)
	}

	require.NoError(t, p.Process.Kill())
	for lines.Scan() {
		said += lines.Text() + "\n"
	}
	require.Contains(t, said, "launched", "the log was read")
	assertNoSecret(t, "log", said, append(secrets, "sign=")...)
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}
