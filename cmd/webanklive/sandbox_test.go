//go:build !windows

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runSandbox runs a sandbox until stop or the test's end, and returns the lines of standard output and error.
func runSandbox(t *testing.T, args ...string) (printed, told <-chan string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, outWriter := io.Pipe()
	errOut, errWriter := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		a := &app{env: func(string) string { return "" }, in: strings.NewReader(""), out: outWriter, errOut: errWriter}
		exit <- a.run(ctx, append([]string{"sandbox"}, args...))
		_, _ = outWriter.Close(), errWriter.Close()
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.Zero(t, <-exit)
	})
	t.Cleanup(stop)
	return linesOf(out), linesOf(errOut), stop
}

func linesOf(r io.Reader) <-chan string {
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// runningSandbox is one that was started with --json.
type runningSandbox struct {
	sandboxAnswer
	told <-chan string
	stop func()
}

func startSandbox(t *testing.T, args ...string) *runningSandbox {
	t.Helper()
	printed, told, stop := runSandbox(t, append(args, "--json")...)
	s := &runningSandbox{told: told, stop: stop}
	require.NoError(t, json.Unmarshal([]byte(<-printed), &s.sandboxAnswer))
	return s
}

func (s *runningSandbox) bench() bench {
	return bench{env: map[string]string{
		"WEBANK_APP_ID": s.AppID, "WEBANK_SECRET": s.Secret, "WEBANK_API_URL": s.APIURL, "WEBANK_H5_URL": s.H5URL, "WEBANK_STORE": s.Store,
	}}
}

// exported is a command line with the first n variables of what a shell would run.
func exported(t *testing.T, printed <-chan string, n int) (b bench) {
	t.Helper()
	for range n {
		line := <-printed
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		require.True(t, ok, line)
		b = b.with(name, value)
	}
	return b
}

func get(t *testing.T, transport http.RoundTripper, address string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

func TestSandbox_ConfiguresAndTellsRefusals(t *testing.T) {
	t.Parallel()
	printed, told, stop := runSandbox(t, "--addr", "127.0.0.1:0", "--lag", "1h")
	b := exported(t, printed, 5)
	assert.Contains(t, <-told, "Ctrl-C ends it")
	b.run(t, exitDone, "doctor")
	link := b.launched(t, "order1")
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		status, _ := get(t, http.DefaultTransport, link)
		assert.Equal(t, want, status, "a link works once")
	}
	assert.Contains(t, <-told, "refused: livelogin: ", "and nothing that doctor asked")
	store := strings.TrimPrefix(b.env["WEBANK_STORE"], "file:")
	assert.DirExists(t, store)
	stop()
	assert.NoDirExists(t, store)
}

func TestSandbox_IsTheSamePartnerAfterARestart(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "the-sandbox's-$ecret\n")
	for range 2 {
		s := startSandbox(t, "--addr", "127.0.0.1:0", "--app-id", "TIDA0001", "--secret-file", file)
		assert.Equal(t, "TIDA0001", s.AppID)
		assert.Equal(t, "the-sandbox's-$ecret", s.Secret)
		s.bench().with("WEBANK_SECRET", "").with("WEBANK_SECRET_FILE", file).run(t, exitDone, "doctor")
		s.stop()
	}
	first, second := startSandbox(t, "--addr", "127.0.0.1:0"), startSandbox(t, "--addr", "127.0.0.1:0")
	assert.NotEqual(t, first.Secret, second.Secret, "made up anew")

	for want, args := range map[string][]string{
		"no such file":            {"--secret-file", file + "x"},
		"is empty":                {"--secret-file", writeFile(t, "\n")},
		"app ID":                  {"--app-id", "a b"},
		"must be an absolute URL": {"--host", "sandbox test"},
	} {
		o := bench{}.run(t, exitUsage, append([]string{"sandbox", "--addr", "127.0.0.1:0"}, args...)...)
		assert.Contains(t, o.errOut, want)
		assert.Empty(t, o.out)
	}
}

func TestSandbox_WarnsBeyondThisMachine(t *testing.T) {
	t.Parallel()
	for addr, warned := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true, ":0": true} {
		s := startSandbox(t, "--addr", addr)
		s.stop()
		text := ""
		for line := range s.told {
			text += line + "\n"
		}
		assert.Equal(t, warned, strings.Contains(text, "Warning: it listens beyond this machine"), "%s: %s", addr, text)
		assert.Equal(t, warned, strings.Contains(text, "--host NAME serves https"), "%s: %s", addr, text)
	}
}

func TestSandbox_ServesATeamWithACertificateThatOutlivesIt(t *testing.T) {
	t.Parallel()
	args := []string{"--addr", "0.0.0.0:0", "--host", "sandbox.test.svc", "--secret-file", writeFile(t, "the-sandbox-secret")}
	first := startSandbox(t, args...)
	assert.Regexp(t, `^https://sandbox\.test\.svc:\d+/idasc$`, first.APIURL)
	assert.Empty(t, first.Store, "which no other machine could reach")
	first.stop()

	second := startSandbox(t, args...)
	assert.NotEqual(t, first.CA, second.CA)
	u, err := url.Parse(second.APIURL)
	require.NoError(t, err)
	trusting := func(ca string) bench { // and finds the sandbox, whatever its name is
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(ca))
		b := second.bench()
		b.transport = &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+u.Port())
			},
		}
		return b
	}
	b := trusting(first.CA)
	assert.Equal(t, checkOK, b.doctor(t, exitDone, "--mint")[nameTLS].Status)
	_, served := get(t, b.transport, strings.TrimSuffix(second.APIURL, "/idasc")+"/ca.pem")
	assert.Equal(t, second.CA, served)
	other := startSandbox(t, "--addr", "127.0.0.1:0", "--host", "sandbox.test.svc")
	assert.Equal(t, checkFailed, trusting(other.CA).doctor(t, exitNo, "--mint")[nameHost].Status, "another secret, another authority")
}

func TestSandbox_HostIsInItsURLs(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"10.1.2.3:443": `^https://10\.1\.2\.3:443/ida$`, "[fd00::1]:8443": `^https://\[fd00::1\]:8443/ida$`, "fd00::1": `^https://\[fd00::1\]:\d+/ida$`,
	} {
		assert.Regexp(t, want, startSandbox(t, "--addr", "127.0.0.1:0", "--host", host).H5URL)
	}
}

// Everybody in the team knows the secret, and so can sign as the authority.
func TestAuthority_SpeaksForNoOtherName(t *testing.T) {
	t.Parallel()
	made, err := newAuthority("the-sandbox-secret", "sandbox.test.svc")
	require.NoError(t, err)
	block, _ := pem.Decode([]byte(made.pem))
	ca, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	key, err := keyOf("the-sandbox-secret")
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for name, good := range map[string]bool{
		"sandbox.test.svc": true, "localhost": true, "idasc.webank.com": false, "test.svc": false, "127.0.0.1": true, "10.0.0.1": false,
	} {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = []net.IP{ip}
		} else {
			leaf.DNSNames = []string{name}
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
		require.NoError(t, err)
		forged, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		_, err = forged.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
		assert.Equal(t, good, err == nil, "%s: %v", name, err)
	}
}

func TestSandbox_NeedsNoWritableDisk(t *testing.T) {
	t.Parallel()
	cmd := bench{}.with("TMPDIR", "/proc/none").command(t, "sandbox", "--addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	errOut, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	b := exported(t, linesOf(out), 4)
	assert.NotEmpty(t, b.env["WEBANK_H5_URL"])
	assert.Contains(t, <-linesOf(errOut), "there is no store to share")
	b.run(t, exitDone, "doctor")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

func TestSandbox_WhatItPrintsIsSafeToRun(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", `it's`, `$(echo run)`, "`echo run`", `a"b\c`, "a&b|c>d"} {
		out, err := exec.Command("sh", "-c", "export X="+quoted(text)+"; printf %s \"$X\"").Output()
		require.NoError(t, err, text)
		assert.Equal(t, text, string(out))
	}
	assert.Equal(t, "file:/tmp/x", quoted("file:/tmp/x"), "readable where it can be")
}

func TestSandbox_ForeignRequestLinesCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	s := startSandbox(t, "--addr", "127.0.0.1:0")
	for _, path := range []string{"/%1b%5b2J%0arefused:%20spoof%e2%80%ae", "/ida/api/web/livelogin?userId=%1b&orderNo=%9b", "/idasc/api/server/getLiveResult?%1b=1"} {
		get(t, http.DefaultTransport, strings.TrimSuffix(s.APIURL, "/idasc")+path)
		line := <-s.told
		assert.True(t, strings.HasPrefix(line, "refused: "), line)
		assertPlain(t, line, path)
	}
	s.stop()
	for line := range s.told {
		assert.NotContains(t, line, "spoof", "one line for each request")
	}
}
