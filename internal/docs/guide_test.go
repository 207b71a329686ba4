//go:build unix && go1.25

package docs

// The guide docs/integrate.md, followed to the letter in an empty directory against the command's sandbox, and then the
// commands of the other guides. What differs from a reader's terminal: the command is built from this working tree, which
// needs Go 1.25, and stands in for the module, because neither may be released yet; and free ports are used.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGuide_WorksAsPrinted(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("the guide needs", tool)
		}
	}
	guide := readPage(t, "docs/integrate.md")
	steps, files := guide.code("sh"), guide.code("go")
	require.Len(t, steps, 4)
	require.Len(t, files, 1)
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	addr, team := freeAddress(t), freeAddress(t)
	shell := newShell(t, strings.NewReplacer(
		"go install github.com/webanklive/webanklive/cmd/webanklive@latest", "go build -C "+here+"/cmd/webanklive -o \"$BIN/webanklive\" .",
		"go get github.com/webanklive/webanklive@latest", "go mod edit -replace github.com/webanklive/webanklive="+here,
		"webanklive sandbox", "webanklive sandbox --addr 127.0.0.1:0",
		"--addr :8443", "--addr "+team, "sandbox.test.svc:8443", strings.Replace(team, "127.0.0.1", "localhost", 1),
		"127.0.0.1:8080", addr))

	shell.run(steps[0].code)
	shell.waitFor("what the sandbox prints", func() bool {
		printed, err := os.ReadFile(filepath.Join(shell.dir, "shop", "sandbox.env"))
		return err == nil && strings.Contains(string(printed), "WEBANK_H5_URL=")
	})
	shell.run(steps[1].code)
	shell.paste("shop/main.go", files[0].code)
	shell.run(steps[2].code)
	shell.waitFor("the shop", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})

	pass := steps[3].code
	assert.Equal(t, "passed", shell.run(pass))
	said := shell.log()
	order := regexp.MustCompile(`order (L\w+): passed, score "95"`).FindStringSubmatch(said)
	require.NotNil(t, order, "the shop said: %s", said)
	assert.Equal(t, "not passed, please start again", shell.run(strings.Replace(pass, "code=0", "code=-5013", 1)))
	assert.Equal(t, "please identify in another way", shell.run(strings.Replace(pass, "code=0", "code=3001", 1)))

	// What the text says of the command.
	help := map[string]string{}
	for _, p := range every(t) {
		for _, m := range regexp.MustCompile("`webanklive ([a-z]+)( [^`]*)?`").FindAllStringSubmatch(p.text, -1) {
			if help[m[1]] == "" {
				help[m[1]] = shell.run("webanklive " + m[1] + " --help")
			}
			for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(m[2], -1) {
				assert.Contains(t, help[m[1]], flag, "%s names webanklive %s%s", p.path, m[1], m[2])
			}
		}
	}
	assert.GreaterOrEqual(t, len(help), 7)

	// The commands of the other guides, with the order that passed.
	shell.run("ORDER=" + order[1])
	evidence, troubleshooting := readPage(t, "docs/evidence.md").code("sh"), readPage(t, "docs/troubleshooting.md").code("sh")
	shell.run(evidence[0].code + "test -s photo.jpg && test -s video.mp4\n")
	check := shell.run(troubleshooting[0].code)
	assert.Contains(t, check, "BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1")
	assert.NotContains(t, check, "zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS")
	assert.Contains(t, shell.run(troubleshooting[1].code), "-5013")
	guideToTests := readPage(t, "docs/testing.md")
	for _, block := range guideToTests.code("go") {
		if strings.HasPrefix(block.code, "package ") {
			shell.paste("shop/shop_test.go", block.code)
		}
	}
	assert.Contains(t, shell.run("go test -v ."), "PASS: TestAPersonWithAQuietVoiceDoesNotPass")
	sandboxes := guideToTests.code("sh")
	for i, env := range []string{"late.env", "team.env"} {
		shell.run(strings.TrimSuffix(sandboxes[i].code, "\n") + " > " + env + " &\n")
		shell.waitFor("the sandbox of "+env, func() bool {
			printed, err := os.ReadFile(filepath.Join(shell.dir, "shop", env))
			return err == nil && strings.Contains(string(printed), "WEBANK_H5_URL=")
		})
	}
	shell.run("unset WEBANK_SECRET WEBANK_STORE")
	assert.Regexp(t, `ok +TLS +TLS 1\.3`, shell.run(sandboxes[2].code))
}

// A shell is the reader's terminal: what one block sets is there in the next.
type shell struct {
	t        *testing.T
	dir      string
	in       io.Writer
	out      *bufio.Reader
	replacer *strings.Replacer
	blocks   int
}

func newShell(t *testing.T, replacer *strings.Replacer) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), replacer: replacer}
	bin := t.TempDir()
	errs, err := os.Create(filepath.Join(s.dir, "stderr"))
	require.NoError(t, err)
	defer errs.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, "sh")
	cmd.Dir, cmd.Stderr = s.dir, errs
	cmd.Env = append(os.Environ(), "BIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOWORK=off", "GOFLAGS=", "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the servers that it starts end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	s.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	s.out = bufio.NewReader(out)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // killed
	})
	_, err = fmt.Fprintf(s.in, "trap \"echo '%s'\" EXIT\n", shellEnds)
	require.NoError(t, err)
	return s
}

// shellEnds is printed when a command of a block failed. The end of the output would not tell, which the servers share.
const shellEnds = "--- the shell ends"

// run returns what a block prints. It fails the test when a command of the block fails.
func (s *shell) run(block string) string {
	s.t.Helper()
	s.blocks++
	end := fmt.Sprintf("--- block %d ends", s.blocks)
	_, err := fmt.Fprintf(s.in, "set -e\n%s\nset +e\necho '%s'\n", strings.TrimSpace(s.replacer.Replace(block)), end)
	require.NoError(s.t, err)
	var printed strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if strings.TrimSpace(line) == end {
			return strings.TrimSpace(printed.String())
		}
		printed.WriteString(line)
		if err != nil || strings.TrimSpace(line) == shellEnds {
			require.Fail(s.t, "a command failed", "%s\nprinted %s\nand %s", block, &printed, s.log())
		}
	}
}

func (s *shell) paste(file, text string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, file), []byte(s.replacer.Replace(text)), 0o600))
}

func (s *shell) waitFor(what string, there func() bool) {
	s.t.Helper()
	require.Eventually(s.t, there, time.Minute, 20*time.Millisecond, "%s: %s", what, s.log())
}

// log is what everything printed to stderr.
func (s *shell) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "stderr"))
	require.NoError(s.t, err)
	return string(text)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
