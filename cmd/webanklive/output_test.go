package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// steering is what a hostile server may send: clear the screen, name the window, go back to the line's begin, reorder
// the rest of the line, and the eight-bit forms of the same.
const steering = "\x1b[2J\x1b]0;owned\x07\rspoof\u202e\u009b2J\x7f\x9b31m"

// assertPlain is the rule: a terminal shows every character and obeys none.
func assertPlain(t *testing.T, text string, msg ...any) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			assert.Failf(t, "a terminal would obey it", "%q %v", text, msg)
			return
		}
	}
}

func TestOutput_ForeignTextCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	body := func(code string) string {
		text, err := json.Marshal(map[string]any{"code": code, "msg": steering, "bizSeqNo": "1" + steering, "liveRate": steering, "orderNo": "passed1"})
		require.NoError(t, err)
		return string(text)
	}
	good := newBench(t)
	good.run(t, exitDone, "result", "passed1") // the credential is there
	redis := good.with("WEBANK_STORE", "redis://"+steeringRedis(t))
	result := []string{"result", "passed1"}
	kind := "text/" + regexp.MustCompile("[^ -~]").ReplaceAllString(steering, "")
	for name, try := range map[string]struct {
		fault *livetest.Fault
		bench bench
		args  []string
	}{
		"a person who did not pass": {&livetest.Fault{Body: body("-5016")}, good, result},
		"an error of the platform":  {&livetest.Fault{Body: body("66660013")}, good, result},
		"a gateway's page":          {&livetest.Fault{Status: 502, Body: steering, ContentType: kind}, good, result},
		"a callback":                {nil, good, []string{"callback", "--order", "passed1", "code=3001&orderNo=passed1&liveRate=" + "%1b%5b2J%c2%9b"}},
		"Redis":                     {nil, redis, result},
		"Redis, examined":           {nil, redis, []string{"doctor"}},
		"a link":                    {nil, good, []string{"sign", "--url", "https://x/?nonce=%1b%5b2J&orderNo=a", "ticket=@" + writeFile(t, steering), "--reveal"}},
		"a code":                    {nil, good, []string{"codes", steering}},
	} {
		if try.fault != nil {
			good.srv.Fail(livetest.LiveResult, *try.fault, -1)
		}
		for _, more := range [][]string{{}, {"--json"}, {"-v"}} {
			o := try.bench.runIn(t.Context(), append(append(more, try.args...), "--timeout", "3s")...)
			assertPlain(t, o.out+o.errOut, name, more)
			assert.NotEmpty(t, o.out+o.errOut, name)
		}
		good.srv.Fail(livetest.LiveResult, livetest.Fault{}, 0)
	}
	assert.Contains(t, redis.run(t, exitLater, result...).errOut, "spoof", "what was sent is shown, harmless")
}

// steeringRedis answers every command with an error that is more than a text.
func steeringRedis(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for words := bufio.NewScanner(conn); words.Scan(); {
					if strings.HasPrefix(words.Text(), "*") { // one command
						if _, err := io.WriteString(conn, "-ERR "+strings.ReplaceAll(steering, "\r", "")+"\r\n"); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestOutput_CertificatesCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: strings.ToValidUTF8(steering, "")}, DNSNames: []string{"evil\x1b[2J.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate)

	b, _ := remoteBench()
	b = b.with("WEBANK_API_URL", server.URL).with("WEBANK_H5_URL", server.URL)
	for _, roots := range []*x509.CertPool{trusted, x509.NewCertPool()} {
		b.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"result", "passed1", "--mint", "--timeout", "2s"}} {
			o := b.runIn(t.Context(), args...)
			assertPlain(t, o.out+o.errOut, args)
			assert.Contains(t, o.out+o.errOut, "x509: ", args)
		}
	}
}

func TestOutput_LogsOfOthersCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	n, err := lines{&out}.Write([]byte("one " + steering + "\ntwo\n"))
	require.NoError(t, err)
	assert.Equal(t, len("one "+steering+"\ntwo\n"), n)
	assertPlain(t, out.String())
	assert.Equal(t, 2, strings.Count(out.String(), "\n"))
}

func TestOutput_JSONMeansTheSameWithoutSteering(t *testing.T) {
	t.Parallel()
	text := "a&b <c> 无 \U000E0041" + steering
	encoded := encodeJSON(codeJSON{Message: text})
	assertPlain(t, string(encoded))
	var back codeJSON
	require.NoError(t, json.Unmarshal(encoded, &back))
	assert.Equal(t, strings.ToValidUTF8(text, "\uFFFD"), back.Message)
	assert.Contains(t, string(encoded), "a&b <c> 无")
}

// A second way to print would be the one that forgets.
func TestOutput_OneFilePrints(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	calls := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "fmt" && (strings.HasPrefix(selector.Sel.Name, "Fprint") || strings.HasPrefix(selector.Sel.Name, "Print")) {
				calls++
				assert.Equal(t, "output.go", name, "fmt.%s", selector.Sel.Name)
			}
			return true
		})
	}
	assert.Equal(t, 1, calls)
}
