//go:build !windows

package main

// The built command, in a real terminal and in pipes.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

var built struct {
	sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) {
	exit := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(exit)
}

// command returns the built command with the bench's environment and no other.
func (b bench) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "webanklive-test-*"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "webanklive")
		var text []byte
		if text, built.err = exec.Command("go", "build", "-o", built.path, ".").CombinedOutput(); built.err != nil {
			built.err = &failure{text: string(text)}
		}
	})
	require.NoError(t, built.err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, built.path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"TERM=xterm"}
	for name, value := range b.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// screen is what a terminal has shown so far.
type screen struct {
	t    *testing.T
	tty  *os.File
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // something came
	done chan struct{} // nothing will come any more
}

// inTerminal starts cmd with all its files in a terminal of 100 columns.
func inTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 100})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	s := &screen{t: t, tty: tty, more: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		piece := make([]byte, 4096)
		for {
			n, err := tty.Read(piece)
			s.mu.Lock()
			s.text.Write(piece[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil { // the last one to hold the terminal has gone
				return
			}
		}
	}()
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until the terminal shows what pattern says.
func (s *screen) waitFor(pattern string) {
	s.t.Helper()
	seen := regexp.MustCompile(pattern)
	for !seen.MatchString(s.String()) {
		select {
		case <-s.more:
		case <-s.done:
			require.Regexp(s.t, pattern, s.String())
			return
		}
	}
}

func exitOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return cmd.ProcessState.ExitCode()
}

// big is a person whose video is not there at once.
func bigPerson() livetest.Person {
	return livetest.Person{Code: "0", LiveRate: "99", Photo: livetest.SamplePhoto(), Video: append(livetest.SampleVideo(), make([]byte, 8<<20)...)}
}

func TestCtrlCInTheMiddleOfADownloadLeavesNoFile(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", bigPerson())
	srv.Fail(livetest.LiveResult, livetest.Fault{Hang: true, Bytes: 6 << 20}, -1)
	cmd := newBench(t, srv).command(t, "result", "order1", "--photo", "photo.jpg", "--video", "video.mp4")
	s := inTerminal(t, cmd)
	s.waitFor(`photo \d+\.\d KiB  video 4\.\d MiB  \d+\.\d [KM]iB/s  \ds`)
	assert.NotEmpty(t, names(t, cmd.Dir), "something is on the disk now")
	_, err := s.tty.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, exitInterrupted, exitOf(t, cmd))
	<-s.done
	assert.Empty(t, names(t, cmd.Dir))
	assert.Regexp(t, `\r +\r(\^C)?The platform is a fake, .+\.\r\nwebanklive: interrupted\r\n$`, s.String(), "the line is cleared")
}

func TestCtrlCInTheMiddleOfAWaitEndsItAtOnce(t *testing.T) {
	t.Parallel()
	cmd := newBench(t, livetest.NewServer(t)).command(t, "result", "missing1", "--photo", "photo.jpg", "--wait", "72h")
	s := inTerminal(t, cmd)
	s.waitFor(`\rnot there yet, asking again  1s`)
	pressed := time.Now()
	_, err := s.tty.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, exitInterrupted, exitOf(t, cmd))
	assert.Less(t, time.Since(pressed), 2*time.Second)
	<-s.done
	assert.Empty(t, names(t, cmd.Dir))
	assert.Regexp(t, `\r +\r(\^C)?The platform is a fake, .+\.\r\nwebanklive: interrupted\r\n$`, s.String())
}

func TestSpecialFilesAreNoTargets(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Symlink("elsewhere", link))
	for _, target := range []string{pipe, link, "/dev/null", "/dev/stdout"} {
		for _, more := range [][]string{nil, {"--force"}} {
			o := b.run(t, append([]string{"result", "order1", "--video", target}, more...)...)
			assert.Equal(t, exitUsage, o.exit, target)
			assert.Equal(t, "webanklive: --video "+target+": is there already and is no plain file\n", o.errOut)
		}
	}
	assert.Equal(t, []string{"link", "pipe"}, names(t, dir))
	assert.Zero(t, srv.Calls(livetest.LiveResult))
}

// What a shell allows a file to grow to fills up as a disk does.
func TestDiskThatIsFullNamesTheFileAndLeavesNothing(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", bigPerson())
	b := newBench(t, srv)
	for _, more := range [][]string{nil, {"--json"}} {
		cmd := b.command(t, append([]string{"result", "order1", "--photo", "photo.jpg", "--video", "video.mp4"}, more...)...)
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 200 && exec "$@"`, "sh"}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Path = "/bin/sh"
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		assert.Error(t, cmd.Run())
		o := outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
		assert.Equal(t, exitUsage, o.exit)
		assert.Empty(t, names(t, cmd.Dir))
		if more == nil {
			assert.Equal(t, b.fakeLine()+"webanklive: --video video.mp4: file too large\n", o.errOut)
			continue
		}
		assert.Equal(t, "file", o.errorClass(t))
		assert.Empty(t, o.object(t)["error"].(map[string]any)["code"], "the platform did nothing wrong")
	}
}

func TestCtrlCEndsTheReadOfASecretFromAPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	b := newBench(t, livetest.NewServer(t)).with("WEBANK_SECRET", "")
	for _, args := range [][]string{{"sign", "a=b", "ticket=@" + pipe}, {"result", "order1", "--secret-file", pipe}, {"doctor", "--secret-file", pipe}} {
		ctx, cancel := context.WithCancel(t.Context())
		exit := make(chan int, 1)
		go func() { exit <- b.runIn(t, ctx, args...).exit }()
		var writer *os.File // opens when the command reads, which never gets anything
		var err error
		require.Eventually(t, func() bool {
			writer, err = os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			return err == nil
		}, 10*time.Second, 10*time.Millisecond)
		cancel()
		select {
		case got := <-exit:
			assert.Equal(t, exitInterrupted, got, args)
		case <-time.After(10 * time.Second):
			assert.Fail(t, "the read goes on", args)
		}
		require.NoError(t, writer.Close())
	}
}

func TestProgressIsDrawnInATerminalAndClearedAtTheEnd(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", bigPerson())
	srv.Fail(livetest.LiveResult, livetest.Fault{Delay: 400 * time.Millisecond}, 1)
	b := newBench(t, srv)
	cmd := b.command(t, "result", "order1", "--photo", "photo.jpg", "--video", "video.mp4")
	s := inTerminal(t, cmd)
	s.waitFor(`\rasking the platform  0s`)
	assert.Zero(t, exitOf(t, cmd))
	<-s.done
	assert.Regexp(t, `\r +\r\x1b\[32mpassed\x1b\[0m\r\n`, s.String())
	assert.Contains(t, s.String(), "video    video.mp4, 8.0 MiB video/mp4")
	assert.Equal(t, []string{"photo.jpg", "video.mp4"}, names(t, cmd.Dir))

	cmd = b.command(t, "result", "order1", "--photo", "photo.jpg")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	require.NoError(t, cmd.Run())
	assert.Contains(t, out.String(), "passed\n", "no colour in a pipe")
	assert.Empty(t, errOut.String(), "no progress in a pipe")
}

func TestColourIsForTerminalsThatWantIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, livetest.NewServer(t)).with("WEBANK_API_URL", "http://127.0.0.1:1")
	for name, try := range map[string]struct {
		bench bench
		args  []string
		want  bool
	}{
		"terminal":   {b, nil, true},
		"NO_COLOR":   {b.with("NO_COLOR", "1"), nil, false},
		"--no-color": {b, []string{"--no-color"}, false},
		"TERM=dumb":  {b.with("TERM", "dumb"), nil, false},
	} {
		cmd := try.bench.command(t, append([]string{"doctor"}, try.args...)...)
		s := inTerminal(t, cmd)
		assert.Equal(t, exitNo, exitOf(t, cmd))
		<-s.done
		assert.Contains(t, s.String(), "NONCE ticket")
		assert.Equal(t, try.want, strings.Contains(s.String(), "\x1b[3"), name)
	}
}

func TestQRCodeIsDrawnBelowTheLinkOrBesideThePipe(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	launch := func(user string) []string {
		return []string{"launch", "--qr", "--order", "o" + user, "--user", user, "--callback", "https://shop.example/done"}
	}
	cmd := b.command(t, launch("u1")...)
	s := inTerminal(t, cmd)
	assert.Zero(t, exitOf(t, cmd))
	<-s.done
	lines := strings.Split(s.String(), "\r\n")
	assert.True(t, strings.HasPrefix(lines[0], srv.H5URL), lines[0])
	assert.True(t, strings.HasPrefix(lines[1], "\x1b[97;40m███"), "white on black in any colours")
	assert.Contains(t, s.String(), "██ ▄▄▄▄▄ █")
	assert.NotContains(t, s.String(), "Make it wider")

	cmd = b.command(t, launch("u2")...)
	var out bytes.Buffer
	cmd.Stdout = &out
	errTTY, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	beside, err := io.ReadAll(errTTY)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	assert.Regexp(t, `^http\S+\n$`, out.String(), "a pipe gets the link alone")
	assert.Contains(t, string(beside), "██ ▄▄▄▄▄ █")

	tty, err := pty.StartWithSize(b.command(t, launch("u3")...), &pty.Winsize{Rows: 50, Cols: 40})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	narrow, _ := io.ReadAll(tty) // ends with an error when the command does
	assert.Regexp(t, `The QR code needs \d\d columns; the terminal has 40`, string(narrow))
}

func TestSandboxEndsWellByCtrlC(t *testing.T) {
	t.Parallel()
	cmd := bench{}.command(t, "sandbox", "--addr", "127.0.0.1:0")
	s := inTerminal(t, cmd)
	s.waitFor(`Ctrl-C ends it\.`)
	_, err := s.tty.WriteString("\x03")
	require.NoError(t, err)
	assert.Zero(t, exitOf(t, cmd))
}

func TestPipesThatCloseEarlyDoNoHarm(t *testing.T) {
	t.Parallel()
	cmd := bench{}.command(t, "codes")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = w
	require.NoError(t, r.Close())
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	require.NoError(t, cmd.Run())
	require.NoError(t, w.Close())
	assert.Empty(t, errOut.String())

	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		for _, args := range [][]string{{"version"}, {"version", "--json"}} {
			cmd = bench{}.command(t, args...)
			cmd.Stdout = full
			errOut.Reset()
			cmd.Stderr = &errOut
			require.Error(t, cmd.Run())
			assert.Equal(t, exitUsage, cmd.ProcessState.ExitCode())
			assert.Contains(t, errOut.String(), "no space left")
		}
		cmd = bench{}.command(t, "codes", "--json", "no such words")
		cmd.Stdout = full
		errOut.Reset()
		cmd.Stderr = &errOut
		require.Error(t, cmd.Run())
		assert.Equal(t, exitNo, cmd.ProcessState.ExitCode())
		assert.Regexp(t, `^webanklive: nothing in the catalogue says that; write /dev/stdout: no space left`, errOut.String(), "an error that JSON cannot tell is told")
		require.NoError(t, full.Close())
	}
}

func TestBuiltCommandReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Failing("-5016"))
	cmd := newBench(t, srv).command(t, "result", "order1", "--json")
	text, err := cmd.Output()
	require.Error(t, err)
	assert.Equal(t, exitNo, cmd.ProcessState.ExitCode())
	var answer resultAnswer
	require.NoError(t, json.Unmarshal(text, &answer))
	assert.Equal(t, "-5016", answer.Code)
}
