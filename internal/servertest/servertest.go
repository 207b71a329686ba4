//go:build unix

// Package servertest starts real servers for tests: Redis, PostgreSQL, MariaDB, each on a free loopback port, with a
// directory of its own, and stopped by pid when the test ends. Without the server's program the test is skipped, or fails
// where CI=true.
package servertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is one process. Its methods belong on the test's goroutine.
type Server struct {
	t       *testing.T
	command func(port int) *exec.Cmd
	answers func(conn net.Conn) bool
	quits   bool // Kill sends SIGQUIT, not SIGKILL
	port    int
	more    []string // arguments after those of command
	cmd     *exec.Cmd
	done    chan struct{} // closed when cmd has ended
}

// Redis runs redis-server with further arguments. It keeps nothing on disk.
func Redis(t *testing.T, args ...string) *Server {
	t.Helper()
	return RedisAt(t, 0, args...)
}

// RedisAt is Redis on a port, 0 for a free one.
func RedisAt(t *testing.T, port int, args ...string) *Server {
	t.Helper()
	program := find(t, "redis-server", "redis-server")
	dir := t.TempDir()
	return start(t, port, func(port int) *exec.Cmd {
		all := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--dir", dir}, args...)
		return exec.Command(program, all...)
	}, answersPing)
}

// Sentinel runs a Sentinel that watches master under that name, with further lines of configuration. quorum is how many
// Sentinels must agree that the master is down.
func Sentinel(t *testing.T, name string, master *Server, quorum int, lines ...string) *Server {
	t.Helper()
	program := find(t, "redis-server", "redis-server")
	file := filepath.Join(t.TempDir(), "sentinel.conf") // which it rewrites
	return start(t, 0, func(port int) *exec.Cmd {
		config := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel monitor %s 127.0.0.1 %d %d\n%s\n",
			port, filepath.Dir(file), name, master.Port(), quorum, strings.Join(lines, "\n"))
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(program, file, "--sentinel")
	}, answersPing)
}

func answersPing(conn net.Conn) bool {
	fmt.Fprint(conn, "PING\r\n")
	_, err := conn.Read(make([]byte, 1)) // -NOAUTH will do
	return err == nil
}

// PostgreSQL runs a cluster with a database postgres whose owner is postgres, without a password.
func PostgreSQL(t *testing.T) *Server {
	t.Helper()
	program := find(t, "PostgreSQL", "/usr/lib/postgresql/*/bin/postgres", "postgres")
	dir, as := dataDir(t, "postgres")
	run(t, as, filepath.Join(filepath.Dir(program), "initdb"), "-D", dir, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
	s := start(t, 0, func(port int) *exec.Cmd {
		cmd := exec.Command(program, "-D", dir, "-p", strconv.Itoa(port), "-k", dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
		cmd.SysProcAttr = as
		return cmd
	}, func(conn net.Conn) bool {
		// A startup message gets an answer, R, only when the server is ready; E says that it is starting up.
		const params = "user\x00postgres\x00database\x00postgres\x00\x00"
		fmt.Fprintf(conn, "\x00\x00\x00%c\x00\x03\x00\x00%s", 8+len(params), params)
		first := make([]byte, 1)
		_, err := conn.Read(first)
		return err == nil && first[0] == 'R'
	})
	s.quits = true
	return s
}

// MariaDB runs a server with a database test and a user root, without a password.
func MariaDB(t *testing.T) *Server {
	t.Helper()
	program := find(t, "MariaDB", "/usr/sbin/mariadbd", "mariadbd")
	install := find(t, "MariaDB", "mariadb-install-db", "/usr/bin/mariadb-install-db")
	dir, as := dataDir(t, "mysql")
	run(t, as, install, "--no-defaults", "--datadir="+dir, "--auth-root-authentication-method=normal", "--skip-name-resolve", "--tmpdir="+dir)
	init := filepath.Join(dir, "init.sql")
	if err := os.WriteFile(init, []byte("CREATE DATABASE IF NOT EXISTS test;\nCREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\nGRANT ALL ON *.* TO 'root'@'127.0.0.1';\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return start(t, 0, func(port int) *exec.Cmd {
		cmd := exec.Command(program, "--no-defaults", "--datadir="+dir, "--port="+strconv.Itoa(port), "--bind-address=127.0.0.1",
			"--tmpdir="+dir, // not shared: a server that starts removes every temporary table in it
			"--socket="+filepath.Join(dir, "socket"), "--skip-name-resolve", "--init-file="+init, "--innodb-flush-log-at-trx-commit=2")
		cmd.SysProcAttr = as
		return cmd
	}, func(conn net.Conn) bool {
		_, err := conn.Read(make([]byte, 1)) // the server speaks first
		return err == nil
	})
}

// Addr is where the server listens, host and port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Port is the port alone.
func (s *Server) Port() int { return s.port }

// Running reports whether the server was started and not killed.
func (s *Server) Running() bool { return s.cmd != nil }

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	if s.cmd != nil {
		if s.quits { // with its child processes, which would run on for a moment after kill -9
			_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		} else {
			_ = s.cmd.Process.Kill()
		}
		<-s.done
		s.cmd = nil
	}
}

// Start starts a killed server again, on its port, with more arguments than before.
func (s *Server) Start(more ...string) {
	s.t.Helper()
	s.more = append(s.more, more...)
	if !s.run() {
		s.t.Fatal("the server does not start again")
	}
}

// Pause makes the server accept connections and answer nothing, until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func start(t *testing.T, port int, command func(port int) *exec.Cmd, answers func(net.Conn) bool) *Server {
	t.Helper()
	s := &Server{t: t, command: command, answers: answers}
	t.Cleanup(s.Kill)
	for range 5 { // another process may take the free port first
		if s.port = port; port == 0 {
			s.port = FreePort(t)
		}
		if s.run() {
			return s
		}
	}
	t.Fatal("the server does not start")
	return nil
}

// ports are those that this process has handed out, so that no two tests get the same.
var ports sync.Map

// FreePort returns a loopback port that nothing listens on.
func FreePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if _, taken := ports.LoadOrStore(port, true); !taken {
			return port
		}
	}
}

// run starts the process and reports whether it answers.
func (s *Server) run() bool {
	cmd, done := s.command(s.port), make(chan struct{})
	cmd.Args = append(cmd.Args, s.more...)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	s.cmd, s.done = cmd, done
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		select {
		case <-done:
			s.cmd = nil
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if s.ping() {
			return true
		}
	}
	s.Kill()
	return false
}

func (s *Server) ping() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	return s.answers(conn)
}

// find returns the first program of these names or places.
func find(t *testing.T, what string, places ...string) string {
	t.Helper()
	for _, place := range places {
		if found, _ := filepath.Glob(place); filepath.IsAbs(place) && len(found) > 0 {
			return found[len(found)-1]
		}
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI requires it", what)
	}
	t.Skipf("%s is not installed", what)
	return ""
}

// dataDir returns an empty directory and the process attributes for a server. Servers that refuse to run as root run as the
// user of their package, who owns the directory.
func dataDir(t *testing.T, name string) (string, *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "servertest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Geteuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // IDs are not negative
}

func run(t *testing.T, as *syscall.SysProcAttr, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = as
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
}
