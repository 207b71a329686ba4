// Package fleettest is shared by the tests of the stores. It runs clients of the SDK in several operating system processes on
// one store. A test binary starts itself again as such a process, so its TestMain calls Main first.
package fleettest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// The environment of a process of the fleet.
const (
	envStore   = "FLEETTEST_STORE" // the argument of newStore
	envAppID   = "FLEETTEST_APP_ID"
	envSecret  = "FLEETTEST_SECRET"
	envAPI     = "FLEETTEST_API"
	envH5      = "FLEETTEST_H5"
	envClients = "FLEETTEST_CLIENTS"
	envNumber  = "FLEETTEST_NUMBER"
)

// launchTimeout bounds a launch, and the wait for the first request of a mint.
const launchTimeout = 30 * time.Second

// Main does nothing in a test binary that the go command started. In a process that Start started it runs the clients, and
// exits. Each client has a store of its own, which newStore makes of Start's argument.
func Main(newStore func(argument string) (webanklive.CredentialStore, error)) {
	if os.Getenv(envStore) == "" {
		return
	}
	clients, _ := strconv.Atoi(os.Getenv(envClients))
	work := make([]func() error, clients)
	for i := range work {
		store, err := newStore(os.Getenv(envStore))
		var c *webanklive.Client
		if err == nil {
			c, err = webanklive.NewClient(os.Getenv(envAppID), os.Getenv(envSecret),
				webanklive.WithBaseURLs(os.Getenv(envAPI), os.Getenv(envH5)), webanklive.WithCredentialStore(store))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		launches := 0
		work[i] = func() error {
			launches++
			name := fmt.Sprintf("p%sc%dn%d", os.Getenv(envNumber), i, launches)
			ctx, cancel := context.WithTimeout(context.Background(), launchTimeout)
			defer cancel()
			_, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
				OrderNo: name, UserID: name, CallbackURL: "https://shop.example/done",
			})
			return err
		}
	}
	fmt.Println("ready")
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		fmt.Println(together(work))
	}
	os.Exit(0)
}

// together makes every client launch at once and returns "ok" or the errors, on one line.
func together(work []func() error) string {
	errs := make([]string, len(work))
	var all sync.WaitGroup
	for i, launch := range work {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := launch(); err != nil {
				errs[i] = err.Error() + "; "
			}
		}()
	}
	all.Wait()
	if text := strings.Join(errs, ""); text != "" {
		return strings.ReplaceAll(text, "\n", " ")
	}
	return "ok"
}

// Process is one process of the fleet. Its methods belong on the test's goroutine.
type Process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

// Start starts process number, with so many clients on the platform srv, and waits until it is ready.
func Start(t *testing.T, srv *livetest.Server, store string, number, clients int) *Process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test binary
	cmd.Env = append(os.Environ(), envStore+"="+store, envAppID+"="+srv.AppID(), envSecret+"="+srv.Secret(),
		envAPI+"="+srv.APIURL, envH5+"="+srv.H5URL, envClients+"="+strconv.Itoa(clients), envNumber+"="+strconv.Itoa(number))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &Process{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	require.Equal(t, "ready", p.Wait())
	return p
}

// Launch makes every client of the process launch once. Wait brings the outcome.
func (p *Process) Launch() {
	p.t.Helper()
	_, err := io.WriteString(p.in, "launch\n")
	require.NoError(p.t, err)
}

// Wait returns "ok", or the errors of the clients.
func (p *Process) Wait() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(p.t, err, "the process ended")
	return strings.TrimSpace(line)
}

// Kill kills the process as kill -9 does.
func (p *Process) Kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
}

// Clients checks that so many clients in so many processes, started at once on an empty store, make one access token
// and one SIGN ticket.
func Clients(t *testing.T, store string, processes, clients int) {
	t.Helper()
	srv := livetest.NewServer(t)
	fleet := make([]*Process, processes)
	for i := range fleet {
		fleet[i] = Start(t, srv, store, i, clients)
	}
	for _, p := range fleet {
		p.Launch()
	}
	for i, p := range fleet {
		assert.Equal(t, "ok", p.Wait(), "process %d", i)
	}
	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
	assert.Equal(t, 1, srv.Calls(livetest.SignTicket))
	assert.Equal(t, processes*clients, srv.Calls(livetest.NonceTicket))
}

// KilledMint checks that when a process is killed in the middle of a mint, another process mints within the time given, and
// that no call of another process fails.
func KilledMint(t *testing.T, store string, within time.Duration) {
	t.Helper()
	srv := livetest.NewServer(t)
	srv.Fail(livetest.SignTicket, livetest.Fault{Hang: true}, 1)
	victim := Start(t, srv, store, 0, 1)
	var others []*Process
	for i := range 3 {
		others = append(others, Start(t, srv, store, 1+i, 3))
	}
	victim.Launch()
	require.Eventually(t, func() bool { return srv.Calls(livetest.SignTicket) > 0 }, launchTimeout, time.Millisecond, "the mint does not begin")
	for _, p := range others {
		p.Launch()
	}
	killed := time.Now()
	victim.Kill()
	for i, p := range others {
		assert.Equal(t, "ok", p.Wait(), "process %d", i+1)
	}
	assert.LessOrEqual(t, time.Since(killed), within)
	assert.Equal(t, 2, srv.Calls(livetest.AccessToken), "the victim's and one more")
}
