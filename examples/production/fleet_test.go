//go:build unix

package main

// The promise of this example, on real infrastructure: three replicas as processes behind a proxy without sticky sessions,
// real PostgreSQL and Redis, a fake platform, and scripted browsers, on a bad day. Whoever passed is recorded as passed,
// nobody else is, each verdict is written once, and each evidence file is there once.

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
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

var long = flag.Bool("long", false, "200 checks, Redis away for two minutes, the platform's 502 for a minute")

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

// browser is one person's, with a cookie jar, and patience.
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

// audit writes down every change of a check's state.
const audit = `CREATE TABLE audit (order_no text, before text, after text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit VALUES (OLD.order_no, OLD.state, NEW.state); RETURN NEW; END $$;
CREATE TRIGGER audit AFTER UPDATE ON webanklive_checks FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
EXECUTE FUNCTION audit()`

// TestFleet_LosesNobodyOnABadDay is the whole of it.
func TestFleet_LosesNobodyOnABadDay(t *testing.T) { //nolint:paralleltest // it keeps both cores busy
	if testing.Short() && !*long {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	people, second := 24, 50*time.Millisecond // of the scenario
	if *long {
		people, second = 200, time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	f, postgres, redis := newFleet(t)
	for range 3 { // three at once on an empty database
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		f.proxy.addrs = append(f.proxy.addrs, l.Addr().String())
		require.NoError(t, l.Close())
	}
	// A second handle on the database, which writes down every change of a state.
	db, err := sql.Open("pgx", "postgres://postgres@"+postgres.Addr()+"/postgres?sslmode=disable")
	require.NoError(t, err)
	defer db.Close()
	var replicas []*replica
	for _, addr := range f.proxy.addrs {
		replicas = append(replicas, f.start(addr))
	}
	require.Eventually(t, func() bool { return f.get("/readyz") == http.StatusOK }, time.Minute, 50*time.Millisecond)
	_, err = db.ExecContext(ctx, audit)
	require.NoError(t, err)

	// The people come one after the other, over the length of the bad day.
	kinds := []struct {
		who  func() livetest.Person
		want string
	}{
		{livetest.Passing, "passed"},
		{func() livetest.Person { return livetest.Failing("-5016") }, "not_passed"},
		{livetest.Passing, "passed"},
		{livetest.WithoutRecorder, "other_way"},
		{livetest.Passing, "passed"},
		{livetest.Quitting, ""},
	}
	began := time.Now()
	day := 270 * second
	type outcome struct{ order, state, want string }
	outcomes := make([]outcome, people)
	var visits sync.WaitGroup
	for i := range people {
		visits.Add(1)
		go func() {
			defer visits.Done()
			time.Sleep(day * time.Duration(i) / time.Duration(people))
			kind := kinds[i%len(kinds)]
			order, state, err := f.browser().check(ctx, kind.who())
			assert.NoError(t, err, "person %d, order %s", i, order)
			outcomes[i] = outcome{order, state, kind.want}
		}()
	}

	// The bad day.
	at := func(seconds int, what string, do func()) {
		time.Sleep(time.Until(began.Add(time.Duration(seconds) * second)))
		t.Logf("%6.1f s: %s", time.Since(began).Seconds(), what)
		do()
	}
	at(20, "rolling SIGTERM", func() {
		for i, r := range replicas {
			replicas[i] = r.replace(syscall.SIGTERM)
		}
	})
	at(45, "Redis away", redis.Kill)
	at(100, "kill -9 of a replica", func() { replicas[0] = replicas[0].replace(syscall.SIGKILL) })
	at(165, "Redis back", func() { redis.Start() })
	at(180, "PostgreSQL restarted", func() {
		postgres.Kill()
		postgres.Start()
	})
	var before, during int64
	at(195, "502 from the platform", func() {
		before = f.queries.Load()
		f.bad.Store(true)
	})
	at(225, "kill -9 of another", func() { replicas[1] = replicas[1].replace(syscall.SIGKILL) })
	at(255, "the platform is back", func() {
		f.bad.Store(false)
		during = f.queries.Load() - before
	})
	visits.Wait()

	want, decided := map[string]int{}, 0
	for i, o := range outcomes {
		assert.Equal(t, o.want, o.state, "person %d, order %s", i, o.order)
		if o.want != "" {
			decided++
		}
		if o.want == "passed" {
			want[o.order] = 1
		}
	}
	require.Eventually(t, func() bool { return len(f.evidence()) >= 2*len(want) }, 2*time.Minute, 100*time.Millisecond, "evidence of everybody who passed")
	took := time.Since(began)
	var passed, returned, verdicts, changed int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE state = 'passed'), count(*) FILTER (WHERE state = 'returned') FROM webanklive_checks").Scan(&passed, &returned))
	assert.Equal(t, len(want), passed, "in the database")
	assert.Zero(t, returned, "checks without a verdict")
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE after <> 'returned'), count(*) FILTER (WHERE before NOT IN ('launched', 'returned')) FROM audit").Scan(&verdicts, &changed))
	assert.Equal(t, decided, verdicts, "each verdict was written once")
	assert.Zero(t, changed, "verdicts that were changed")

	for i, r := range replicas { // the logs are complete when the processes have ended
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		assert.NoError(t, <-r.done, "replica %d", i)
	}
	for name, count := range f.evidence() {
		order, _, _ := strings.Cut(name, "-")
		assert.Equal(t, 1, want[order], "evidence of %s", name)
		assert.Equal(t, 1, count, name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	assert.Empty(t, f.leaked)
	for _, o := range outcomes {
		states := f.concluded[o.order]
		if o.want == "" {
			assert.NotContains(t, states, "passed")
			continue
		}
		assert.Contains(t, states, o.want)
		for _, state := range states { // at least once, and never another
			assert.Equal(t, o.want, state, o.order)
		}
	}
	allowed := func(d time.Duration) int64 { return int64(3 * ratePerReplica * (d.Seconds() + 1 + 2)) } // a burst each, twice for a restart
	t.Logf("%d people in %v: %d passed, %d decided, %d evidence files, %d queries, %d of them while the platform answered 502; %d taps lost",
		people, took.Round(time.Second), passed, decided, len(f.evidence()), f.queries.Load(), during, f.again.Load())
	assert.Less(t, f.queries.Load(), allowed(took))
	assert.Less(t, during, allowed(60*second))
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
