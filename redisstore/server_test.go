//go:build unix

package redisstore_test

// Real Redis servers for the tests, each with a port and a directory of its own.

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A server is a redis-server process on a loopback port. Its methods belong on the test's goroutine.
type server struct {
	t    *testing.T
	path string
	args []string
	port int
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
}

// startServer runs redis-server with further arguments until the test ends. Without a redis-server on this machine it
// skips the test, or fails it where Redis is required.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startServerOn(t, 0, args...)
}

// startServerOn starts a server on a port, 0 for any.
func startServerOn(t *testing.T, port int, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("WEBANKLIVE_REQUIRE_REDIS") == "1" {
			t.Fatal("redis-server is not installed, and this environment requires it")
		}
		t.Skip("redis-server is not installed")
	}
	s := &server{t: t, path: path, args: append([]string{"--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...)}
	t.Cleanup(s.stop)
	for range 5 { // another process may take the free port first
		if s.port = port; port == 0 {
			s.port = freePort(t)
		}
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func (s *server) addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// start starts the stopped server on its port and reports whether it answers.
func (s *server) start() bool {
	s.t.Helper()
	cmd := exec.Command(s.path, s.args...)
	if s.args[len(s.args)-1] != "--sentinel" { // it has a file, with the port in it, which comes first
		cmd.Args = append(cmd.Args, "--port", strconv.Itoa(s.port))
	}
	require.NoError(s.t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	s.cmd, s.done = cmd, done
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		select {
		case <-done:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if s.answers() {
			select {
			case <-done: // it was another one that answered: the port was taken
				return false
			case <-time.After(100 * time.Millisecond):
				return true
			}
		}
	}
	return false
}

// answers reports whether the server on the port says anything to PING: -NOAUTH will do.
func (s *server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(conn, "PING\r\n")
	first := make([]byte, 1)
	_, err = conn.Read(first)
	return err == nil
}

// stop ends the server at once, and what it kept in memory with it.
func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.cmd = nil
	}
}

// restart starts the stopped server again.
func (s *server) restart() {
	s.t.Helper()
	require.True(s.t, s.start(), "redis-server does not start again")
}

// pause makes the server accept connections and answer nothing, until resume.
func (s *server) pause()  { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGSTOP)) }
func (s *server) resume() { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGCONT)) }

// client returns a client of the server, closed when the test ends.
func (s *server) client(change ...func(*redis.Options)) *redis.Client {
	opts := &redis.Options{Addr: s.addr()}
	for _, c := range change {
		c(opts)
	}
	rdb := redis.NewClient(opts)
	s.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// startCluster runs a cluster of one server that has all the slots: a script across slots fails on it as on any other.
func startCluster(t *testing.T) (*server, *redis.ClusterClient) {
	t.Helper()
	s := startServer(t, "--cluster-enabled", "yes")
	ctx := context.Background()
	node := s.client()
	slots := make([]int, 16384) // ADDSLOTSRANGE needs Redis 7
	for i := range slots {
		slots[i] = i
	}
	require.NoError(t, node.ClusterAddSlots(ctx, slots...).Err())
	require.Eventually(t, func() bool {
		info, err := node.ClusterInfo(ctx).Result()
		return err == nil && len(info) > 0 && containsLine(info, "cluster_state:ok")
	}, 20*time.Second, 10*time.Millisecond)
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr()}})
	t.Cleanup(func() { _ = rdb.Close() })
	return s, rdb
}

// ports are those that this process has handed out, so that no two tests get the same.
var ports sync.Map

func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if _, taken := ports.LoadOrStore(port, true); !taken {
			return port
		}
	}
}
