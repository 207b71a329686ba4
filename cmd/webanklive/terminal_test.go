//go:build !windows

package main

// The built command, in a real terminal and in pipes.

import (
	"bytes"
	"context"
	"errors"
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
		if text, err := exec.Command("go", "build", "-o", built.path, ".").CombinedOutput(); err != nil {
			built.err = errors.New(string(text))
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
	done chan struct{} // nothing will come any more
}

// inTerminal starts cmd with all its files in a terminal of 100 columns.
func inTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 100})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	s := &screen{t: t, tty: tty, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_, _ = io.Copy(s, tty) // until the last one to hold the terminal has gone
	}()
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
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
	assert.Eventually(s.t, func() bool { return seen.MatchString(s.String()) }, time.Minute, 10*time.Millisecond)
	require.Regexp(s.t, pattern, s.String())
}

// ends waits until cmd has ended, as it must with exit, and everything that it wrote is there.
func (s *screen) ends(cmd *exec.Cmd, exit int) {
	s.t.Helper()
	if err := cmd.Wait(); err != nil {
		require.ErrorAs(s.t, err, new(*exec.ExitError))
	}
	assert.Equal(s.t, exit, cmd.ProcessState.ExitCode())
	<-s.done
}

// finish runs cmd, which must end with exit, with pipes that it does not have yet.
func finish(t *testing.T, cmd *exec.Cmd, exit int) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	if cmd.Stderr = &errOut; cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	o := outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	assert.Equal(t, exit, o.exit, "%q: %s%s", cmd.Args, o.out, o.errOut)
	return o
}

// withBigVideo adds the order big1, whose video is not there at once.
func (b bench) withBigVideo() bench {
	b.srv.AddResult("big1", livetest.Person{
		Code: "0", LiveRate: "99", Photo: livetest.SamplePhoto(), Video: append(livetest.SampleVideo(), make([]byte, 8<<20)...),
	})
	return b
}

var saveBig = []string{"result", "big1", "--photo", "photo.jpg", "--video", "video.mp4"}

func TestCtrlC_EndsACommandAtOnceAndLeavesNoFile(t *testing.T) {
	t.Parallel()
	const cleared = `\r +\r(\^C)?The platform is a fake, .+\.\r\nwebanklive: interrupted\r\n$`
	for name, try := range map[string]struct {
		args        []string
		shown, left string
		exit        int
	}{
		"download": {saveBig, `photo \d+\.\d KiB  video 4\.\d MiB  \d+\.\d [KM]iB/s  \ds`, cleared, exitInterrupted},
		"wait":     {[]string{"result", "missing1", "--photo", "photo.jpg", "--wait", "72h"}, `\rnot there yet, asking again  1s`, cleared, exitInterrupted},
		"sandbox":  {[]string{"sandbox", "--addr", "127.0.0.1:0"}, `Ctrl-C ends it\.`, "", exitDone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t).withBigVideo()
			if name == "download" {
				b.srv.Fail(livetest.LiveResult, livetest.Fault{Hang: true, Bytes: 6 << 20}, -1)
			}
			cmd := b.command(t, try.args...)
			s := inTerminal(t, cmd)
			s.waitFor(try.shown)
			assert.Equal(t, name != "sandbox", len(names(t, cmd.Dir)) > 0, "what is downloaded is on the disk")
			pressed := time.Now()
			_, err := s.tty.WriteString("\x03")
			require.NoError(t, err)
			s.ends(cmd, try.exit)
			assert.Less(t, time.Since(pressed), 2*time.Second)
			assert.Empty(t, names(t, cmd.Dir))
			assert.Regexp(t, try.left, s.String(), "the line is cleared")
		})
	}
}

func TestCtrlC_EndsTheReadOfAPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	b := newBench(t)
	for _, args := range [][]string{
		{"sign", "a=b", "ticket=@" + pipe}, {"result", "passed1", "--secret-file", pipe}, {"doctor", "--secret-file", pipe},
		{"sign", "a=b", "ticket=@-"}, {"callback", "--order", "passed1"},
	} {
		b.in = &lateFile{name: pipe}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan outcome, 1)
		go func() { ended <- b.runIn(ctx, args...) }()
		var writer *os.File // opens when the command reads, which never gets anything
		var err error
		require.Eventually(t, func() bool {
			writer, err = os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			return err == nil
		}, 10*time.Second, 10*time.Millisecond)
		cancel()
		select {
		case o := <-ended:
			assert.Equal(t, exitInterrupted, o.exit, args)
			assert.Equal(t, "webanklive: interrupted\n", o.errOut, args)
		case <-time.After(10 * time.Second):
			assert.Fail(t, "the read goes on", args)
		}
		require.NoError(t, writer.Close())
	}
}

// lateFile is a file that is opened when it is read.
type lateFile struct{ name string }

func (f *lateFile) Read(b []byte) (int, error) {
	file, err := os.Open(f.name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	return file.Read(b)
}

func TestSave_SpecialFilesAreNoTargets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Symlink("elsewhere", link))
	for _, target := range []string{pipe, link, "/dev/null", "/dev/stdout"} {
		for _, force := range []string{"--force", "--force=false"} {
			o := b.run(t, exitUsage, "result", "passed1", "--video", target, force)
			assert.Equal(t, "webanklive: --video "+target+": is there already and is no plain file\n", o.errOut)
		}
	}
	assert.Equal(t, []string{"link", "pipe"}, names(t, dir))
	assert.Zero(t, b.srv.Calls(livetest.LiveResult))
}

// What a shell allows a file to grow to fills up as a disk does.
func TestSave_DiskThatIsFullNamesTheFileAndLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t).withBigVideo()
	run := func(args ...string) outcome {
		cmd := b.command(t, args...)
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 200 && exec "$@"`, "sh", cmd.Path}, args...)
		cmd.Path = "/bin/sh"
		o := finish(t, cmd, exitUsage)
		assert.Empty(t, names(t, cmd.Dir))
		return o
	}
	assert.Equal(t, b.fakeLine()+"webanklive: --video video.mp4: file too large\n", run(saveBig...).errOut)
	o := run(append(saveBig[:len(saveBig):len(saveBig)], "--json")...)
	assert.Equal(t, "file", o.errorClass(t))
	assert.Empty(t, o.object(t)["error"].(map[string]any)["code"], "the platform did nothing wrong")
}

func TestProgress_IsDrawnInATerminalAndClearedAtTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t).withBigVideo()
	b.srv.Fail(livetest.LiveResult, livetest.Fault{Delay: 400 * time.Millisecond}, 1)
	cmd := b.command(t, saveBig...)
	s := inTerminal(t, cmd)
	s.waitFor(`\rasking the platform  0s`)
	s.ends(cmd, exitDone)
	assert.Regexp(t, `\r +\r\x1b\[32mpassed\x1b\[0m\r\n`, s.String())
	assert.Contains(t, s.String(), "video    video.mp4, 8.0 MiB video/mp4")
	assert.Equal(t, []string{"photo.jpg", "video.mp4"}, names(t, cmd.Dir))

	o := finish(t, b.command(t, "result", "big1", "--photo", "photo.jpg"), exitDone)
	assert.Contains(t, o.out, "passed\n", "no colour in a pipe")
	assert.Empty(t, o.errOut, "no progress in a pipe")
}

func TestColour_IsForTerminalsThatWantIt(t *testing.T) {
	t.Parallel()
	b := newBench(t).with("WEBANK_API_URL", "http://127.0.0.1:1")
	for name, try := range map[string]struct {
		bench bench
		args  []string
		want  bool
	}{
		"terminal":   {b, []string{"doctor"}, true},
		"NO_COLOR":   {b.with("NO_COLOR", "1"), []string{"doctor"}, false},
		"--no-color": {b, []string{"doctor", "--no-color"}, false},
		"TERM=dumb":  {b.with("TERM", "dumb"), []string{"doctor"}, false},
	} {
		cmd := try.bench.command(t, try.args...)
		s := inTerminal(t, cmd)
		s.ends(cmd, exitNo)
		assert.Contains(t, s.String(), "NONCE ticket")
		assert.Equal(t, try.want, strings.Contains(s.String(), "\x1b[3"), name)
	}
}

func TestLaunch_QRCodeIsDrawnBelowTheLinkOrBesideThePipe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	launch := func(user string) *exec.Cmd {
		return b.command(t, "launch", "--qr", "--order", "o"+user, "--user", user, "--callback", "https://shop.example/done")
	}
	cmd := launch("u1")
	s := inTerminal(t, cmd)
	s.ends(cmd, exitDone)
	lines := strings.Split(s.String(), "\r\n")
	assert.True(t, strings.HasPrefix(lines[0], b.srv.H5URL), lines[0])
	assert.True(t, strings.HasPrefix(lines[1], "\x1b[97;40m███"), "white on black in any colours")
	assert.Contains(t, s.String(), "██ ▄▄▄▄▄ █")
	assert.NotContains(t, s.String(), "Make it wider")

	o := finish(t, launch("u2"), exitDone)
	assert.Regexp(t, `^http\S+\n$`, o.out, "a pipe gets the link alone")
	assert.Contains(t, o.errOut, "██ ▄▄▄▄▄ █")

	tty, err := pty.StartWithSize(launch("u3"), &pty.Winsize{Rows: 50, Cols: 40})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tty.Close() })
	narrow, _ := io.ReadAll(tty) // ends with an error when the command does
	assert.Regexp(t, `The QR code needs \d\d columns; the terminal has 40`, string(narrow))
}

func TestOutput_APipeThatClosesEarlyDoesNoHarmAndAFullDiskDoes(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	cmd := bench{}.command(t, "codes")
	cmd.Stdout = w
	assert.Empty(t, finish(t, cmd, exitDone).errOut)
	require.NoError(t, w.Close())

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return // only Linux has it
	}
	for line, want := range map[string]struct {
		exit int
		text string
	}{
		"version":        {exitUsage, "no space left"},
		"version --json": {exitUsage, "no space left"},
		// An error that JSON cannot tell is told.
		"codes --json nonsense": {exitNo, `^webanklive: nothing in the catalogue says that; write /dev/stdout: no space left`},
	} {
		cmd := bench{}.command(t, strings.Fields(line)...)
		cmd.Stdout = full
		assert.Regexp(t, want.text, finish(t, cmd, want.exit).errOut)
	}
	require.NoError(t, full.Close())
}
