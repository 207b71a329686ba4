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
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runningSandbox is a sandbox that serves until the test ends.
type runningSandbox struct {
	sandboxAnswer
	told chan string // lines of standard error
	stop func()
}

func startSandbox(t *testing.T, args ...string) *runningSandbox {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, outWriter := io.Pipe()
	errOut, errWriter := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		a := &app{env: func(string) string { return "" }, in: strings.NewReader(""), out: outWriter, errOut: errWriter}
		exit <- a.run(ctx, append([]string{"sandbox", "--json"}, args...))
		_ = outWriter.Close()
		_ = errWriter.Close()
	}()
	s := &runningSandbox{told: make(chan string, 1000)}
	go func() {
		defer close(s.told)
		for lines := bufio.NewScanner(errOut); lines.Scan(); {
			s.told <- lines.Text()
		}
	}()
	s.stop = func() {
		cancel()
		assert.Zero(t, <-exit)
		exit <- 0
	}
	t.Cleanup(s.stop)
	require.NoError(t, json.NewDecoder(out).Decode(&s.sandboxAnswer))
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return s
}

// bench is a command line that reaches the sandbox at address, whatever its name is, and trusts who ca names.
func (s *runningSandbox) bench(ca, address string) bench {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	return bench{
		transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		},
		env: map[string]string{
			"WEBANK_APP_ID": s.AppID, "WEBANK_SECRET": s.Secret, "WEBANK_API_URL": s.APIURL, "WEBANK_H5_URL": s.H5URL, "WEBANK_STORE": s.Store,
		},
	}
}

func TestSandbox_IsTheSamePartnerAfterARestart(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "the-sandbox's-$ecret\n")
	for range 2 {
		s := startSandbox(t, "--addr", "127.0.0.1:0", "--app-id", "TIDA0001", "--secret-file", file)
		assert.Equal(t, "TIDA0001", s.AppID)
		assert.Equal(t, "the-sandbox's-$ecret", s.Secret)
		o := bench{env: map[string]string{
			"WEBANK_APP_ID": "TIDA0001", "WEBANK_SECRET_FILE": file, "WEBANK_API_URL": s.APIURL, "WEBANK_H5_URL": s.H5URL,
		}}.run(t, "doctor")
		assert.Zero(t, o.exit, o.out)
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
		o := bench{}.run(t, append([]string{"sandbox", "--addr", "127.0.0.1:0"}, args...)...)
		assert.Equal(t, exitUsage, o.exit, args)
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
		assert.Equal(t, warned, containsAll(text, "Warning: it listens beyond this machine", "--host NAME serves https"), "%s: %s", addr, text)
	}
}

func TestSandbox_ServesATeamWithACertificateThatOutlivesIt(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "the-sandbox-secret")
	first := startSandbox(t, "--addr", "0.0.0.0:0", "--host", "sandbox.test.svc", "--secret-file", file)
	assert.Regexp(t, `^https://sandbox\.test\.svc:\d+/idasc$`, first.APIURL)
	assert.Empty(t, first.Store, "which no other machine could reach")
	first.stop()

	second := startSandbox(t, "--addr", "0.0.0.0:0", "--host", "sandbox.test.svc", "--secret-file", file)
	assert.NotEqual(t, first.CA, second.CA)
	u, err := url.Parse(second.APIURL)
	require.NoError(t, err)
	b := second.bench(first.CA, "127.0.0.1:"+u.Port())
	o := b.run(t, "doctor", "--mint", "--json")
	assert.Zero(t, o.exit, o.out)
	assert.Equal(t, checkOK, checks(t, o)[nameTLS].Status)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(second.APIURL, "/idasc")+"/ca.pem", nil)
	require.NoError(t, err)
	res, err := b.transport.RoundTrip(req)
	require.NoError(t, err)
	served, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, second.CA, string(served))

	other := startSandbox(t, "--addr", "127.0.0.1:0", "--host", "sandbox.test.svc")
	got := checks(t, second.bench(other.CA, "127.0.0.1:"+u.Port()).run(t, "doctor", "--json", "--mint"))
	assert.Equal(t, checkFailed, got[nameHost].Status, "another secret, another authority")

	ported := startSandbox(t, "--addr", "127.0.0.1:0", "--host", "10.1.2.3:443")
	assert.Equal(t, "https://10.1.2.3:443/idasc", ported.APIURL)
	assert.Equal(t, "https://[fd00::1]:8443/ida", startSandbox(t, "--addr", "127.0.0.1:0", "--host", "[fd00::1]:8443").H5URL)
	assert.Regexp(t, `^https://\[fd00::1\]:\d+/ida$`, startSandbox(t, "--addr", "127.0.0.1:0", "--host", "fd00::1").H5URL)
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
	printed := bufio.NewScanner(out)
	b := bench{env: map[string]string{}}
	for range 4 {
		require.True(t, printed.Scan())
		name, value, _ := strings.Cut(strings.TrimPrefix(printed.Text(), "export "), "=")
		b.env[name] = value
	}
	assert.NotEmpty(t, b.env["WEBANK_H5_URL"])
	told := bufio.NewScanner(errOut)
	require.True(t, told.Scan())
	assert.Contains(t, told.Text(), "there is no store to share")
	assert.Zero(t, b.run(t, "doctor").exit)
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
	base := strings.TrimSuffix(s.APIURL, "/idasc")
	for _, path := range []string{"/%1b%5b2J%0arefused:%20spoof%e2%80%ae", "/ida/api/web/livelogin?userId=%1b&orderNo=%9b", "/idasc/api/server/getLiveResult?%1b=1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		line := <-s.told
		assert.True(t, strings.HasPrefix(line, "refused: "), line)
		assertPlain(t, line, path)
	}
	s.stop()
	for line := range s.told {
		assert.NotContains(t, line, "spoof", "one line for each request")
	}
}
