//go:build unix

package main

// What the test of the fleet starts: replicas as processes, a proxy without sticky sessions in front, and browsers.

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
)

const ratePerReplica = 4.0

// asProgram is set where this test's binary is to be the program.
const asProgram = "PRODUCTION_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// fleet is everything that the test starts.
type fleet struct {
	t        *testing.T
	dir      string
	platform *livetest.Platform
	bad      atomic.Bool // the platform answers 502
	queries  atomic.Int64
	proxy    *proxy
	env      []string

	mu        sync.Mutex
	concluded map[string][]string // states by order, from the replicas' logs
	leaked    []string            // log lines with a secret in them
	again     atomic.Int64        // people whose tap was lost with a replica that was killed
}

// replica is one process, started again after it ended.
type replica struct {
	fleet *fleet
	addr  string
	cmd   *exec.Cmd
	done  chan error
}

func newFleet(t *testing.T) (*fleet, *servertest.Server, *servertest.Server) {
	f := &fleet{t: t, dir: t.TempDir(), platform: livetest.New(), concluded: map[string][]string{}}
	f.platform.SetMediaLag(time.Second)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	require.NoError(t, os.WriteFile(f.file("key"), []byte(hex.EncodeToString(key)+"\n"), 0o600))
	require.NoError(t, os.WriteFile(f.file("secret"), []byte(f.platform.Secret()+"\n"), 0o600))

	postgres, redis := servertest.PostgreSQL(t), servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	api := f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/getLiveResult") {
			f.queries.Add(1)
		}
		if f.bad.Load() && strings.HasPrefix(r.URL.Path, "/idasc/") {
			http.Error(w, "<html>502 Bad Gateway</html>", http.StatusBadGateway)
			return
		}
		f.platform.ServeHTTP(w, r)
	}))
	f.proxy = &proxy{}
	site := f.serve(f.proxy)
	f.env = append(os.Environ(),
		"DATABASE_URL=postgres://postgres@"+postgres.Addr()+"/postgres?sslmode=disable", "REDIS_URL=redis://"+redis.Addr(),
		"WEBANK_APP_ID="+f.platform.AppID(), "WEBANK_SECRET_FILE="+f.file("secret"), "SESSION_KEY_FILE="+f.file("key"),
		"WEBANK_API_URL="+api+"/idasc", "WEBANK_H5_URL="+api+"/ida", "SITE_URL="+site, "WEBANK_EVIDENCE_DIR="+f.file("evidence"),
		fmt.Sprintf("WEBANK_RATE=%v", ratePerReplica), "SHUTDOWN_DELAY=300ms")
	f.proxy.site = site
	return f, postgres, redis
}

func (f *fleet) file(name string) string { return filepath.Join(f.dir, name) }

// serve serves h on a loopback port until the test ends, and returns its address.
func (f *fleet) serve(h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(f.t, err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	f.t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// start starts a replica.
func (f *fleet) start(addr string) *replica {
	r := &replica{fleet: f, addr: addr, cmd: exec.Command(os.Args[0]), done: make(chan error, 1)}
	r.cmd.Env = append(f.env, "LISTEN="+addr, asProgram+"=1")
	out, err := r.cmd.StdoutPipe()
	require.NoError(f.t, err)
	r.cmd.Stderr = os.Stderr
	require.NoError(f.t, r.cmd.Start())
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			f.read(lines.Text())
		}
		r.done <- r.cmd.Wait()
	}()
	f.t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

// read takes in one line of a replica's log.
func (f *fleet) read(line string) {
	var entry struct {
		Msg, State string
		OrderNo    string `json:"order_no"`
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "concluded" {
		f.concluded[entry.OrderNo] = append(f.concluded[entry.OrderNo], entry.State)
	}
	for _, secret := range []string{f.platform.Secret(), "newSignature", "sign=", "access_token="} {
		if strings.Contains(line, secret) {
			f.leaked = append(f.leaked, line)
		}
	}
}

// stop ends a replica by SIGTERM or kill -9, and starts another in its place.
func (r *replica) replace(sig syscall.Signal) *replica {
	_ = r.cmd.Process.Signal(sig)
	if err := <-r.done; sig == syscall.SIGTERM {
		assert.NoError(r.fleet.t, err, "a replica that is told to stop ends with exit code 0")
	}
	return r.fleet.start(r.addr)
}

// proxy sends each request to the next replica; a GET whose replica is not there goes to another, and when none is there,
// the browser gets a page that comes back by itself.
type proxy struct {
	site  string
	next  atomic.Int64
	addrs []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for range p.addrs {
		addr := p.addrs[int(p.next.Add(1))%len(p.addrs)]
		lost := false
		one := httputil.ReverseProxy{
			Rewrite: func(pr *httputil.ProxyRequest) {
				pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = "http", addr, pr.In.Host
			},
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
				var refused *net.OpError
				lost = r.Method == http.MethodGet || errors.As(err, &refused) && refused.Op == "dial"
				if !lost {
					w.WriteHeader(http.StatusBadGateway)
				}
			},
			ErrorLog: nil,
		}
		if one.ServeHTTP(w, r); !lost {
			return
		}
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusBadGateway)
}

// A browser is that of one person: it keeps cookies, and repeats a request while the answer is temporary.
type browser struct {
	fleet *fleet
	hc    http.Client
}

func (f *fleet) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(f.t, err)
	return &browser{fleet: f, hc: http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// do repeats a request as its page does, while the answer is temporary.
func (b *browser) do(ctx context.Context, method, link string) (status int, location, body string, err error) {
	for {
		req, err := http.NewRequestWithContext(ctx, method, link, nil)
		if err != nil {
			return 0, "", "", err
		}
		res, err := b.hc.Do(req)
		if err == nil {
			content, readErr := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if readErr == nil && res.StatusCode < 500 {
				return res.StatusCode, res.Header.Get("Location"), string(content), nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, "", "", ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// check takes one check and returns its order and the state that the page ends with; "" when the browser never came back.
func (b *browser) check(ctx context.Context, who livetest.Person) (order, state string, err error) {
	status, link, _, err := b.do(ctx, http.MethodPost, b.fleet.proxy.site+"/liveness/start")
	if err == nil && strings.HasPrefix(link, "/liveness/") { // the link was lost on its way; the check stays under way
		b.fleet.again.Add(1)
		return b.fleet.browser().check(ctx, who)
	}
	if err != nil || status != http.StatusSeeOther || !strings.Contains(link, "livelogin") {
		return "", "", fmt.Errorf("start: HTTP %d, to the platform: %t, %w", status, strings.Contains(link, "livelogin"), err)
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", "", err
	}
	order = u.Query().Get("orderNo")
	back, err := b.fleet.platform.Visit(ctx, link, who)
	if err != nil || back == "" {
		return order, "", err
	}
	status, page, _, err := b.do(ctx, http.MethodGet, back)
	if err != nil || status != http.StatusSeeOther {
		return order, "", fmt.Errorf("callback: HTTP %d, %w", status, err)
	}
	for {
		status, _, body, err := b.do(ctx, http.MethodGet, b.fleet.proxy.site+page+"/state")
		if err != nil || status != http.StatusOK {
			return order, "", fmt.Errorf("state: HTTP %d, %w", status, err)
		}
		var answer struct{ State string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			return order, "", err
		}
		if answer.State != "launched" && answer.State != "returned" {
			return order, answer.State, nil
		}
		select {
		case <-ctx.Done():
			return order, answer.State, ctx.Err()
		case <-time.After(400 * time.Millisecond):
		}
	}
}

// evidence counts the files by their names without the extension.
func (f *fleet) evidence() map[string]int {
	files := map[string]int{}
	entries, _ := os.ReadDir(f.file("evidence"))
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), ".")
		if name != "" { // a hidden file is on its way
			files[name]++
		}
	}
	return files
}

// get returns the status of a page of the site.
func (f *fleet) get(path string) int {
	res, err := http.Get(f.proxy.site + path) //nolint:gosec,noctx // a loopback address of this test
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
