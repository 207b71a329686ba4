package main

// The platform of the benchmarks: the fake of package livetest for tokens and tickets, and replies of fixed bytes for
// results, in a process of its own, so that its work is not counted as the clients'.

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

const (
	rolePlatform = "platform"

	appID  = "TIDAtest"
	secret = "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7Tzxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUh"
)

// newClient returns a client of the platform at base, which fails rather than measure a retry.
func newClient(base string, opts ...webanklive.Option) (*webanklive.Client, error) {
	return webanklive.NewClient(appID, secret, append(opts, webanklive.WithBaseURLs(base, base), webanklive.WithMaxRetries(0))...)
}

// platform is the parent's end of the other process.
type platform struct {
	Plain, TLS string             // base URLs of the API
	Cert       []byte             // what TLS shows
	Wire       map[string]float64 // the length of the reply about each order

	process *exec.Cmd
	input   io.WriteCloser
	output  *json.Decoder
}

// startPlatform starts the other process, which ends when its standard input does.
func startPlatform() (*platform, error) {
	cmd := self(rolePlatform)
	input, inErr := cmd.StdinPipe()
	output, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return nil, err
	}
	p := &platform{process: cmd, input: input, output: json.NewDecoder(output)}
	if err := p.output.Decode(p); err != nil {
		p.stop()
		return nil, fmt.Errorf("the platform did not start: %w", err)
	}
	cert, err := x509.ParseCertificate(p.Cert)
	if err != nil {
		p.stop()
		return nil, err
	}
	trusted.AddCert(cert)
	trust()
	return p, nil
}

// The library's own transport cannot be handed a certificate, and is what has to be measured. Because of the godebug
// line in go.mod these roots stand in for the system's.
var (
	trusted = x509.NewCertPool()
	trust   = sync.OnceFunc(func() { x509.SetFallbackRoots(trusted) })
)

func (p *platform) stop() {
	_ = p.input.Close()
	_ = p.process.Wait()
}

// A tally is what the platform counted since the tally before.
type tally struct {
	Dials int64 // connections accepted
	Calls int64 // API calls of any kind
	Mints int64 // access tokens handed out
}

// tally asks for the counts.
func (p *platform) tally() (t tally, err error) {
	if _, err := fmt.Fprintln(p.input); err != nil {
		return t, err
	}
	return t, p.output.Decode(&t)
}

// servePlatform is the other process. It answers each line of its standard input with a tally.
func servePlatform() error {
	fake := livetest.NewFor(appID, secret)
	var dials, calls atomic.Int64
	canned := replies()
	mux := http.NewServeMux()
	mux.HandleFunc("/idasc/api/server/getLiveResult", func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, ok := canned[r.URL.Query().Get("order_no")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		fake.ServeHTTP(w, r)
	})
	newServer := func() *httptest.Server {
		srv := httptest.NewUnstartedServer(mux)
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				dials.Add(1)
			}
		}
		return srv
	}

	cert, err := certificate()
	if err != nil {
		return err
	}
	plain, secure := newServer(), newServer()
	// HTTP/1.1 only, as it is without EnableHTTP2: with HTTP/2 there is one connection, and nothing to count.
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	plain.Start()
	secure.StartTLS()
	hello := platform{
		Plain: plain.URL + "/idasc", TLS: secure.URL + "/idasc", Cert: cert.Certificate[0], Wire: map[string]float64{},
	}
	for order, body := range canned {
		hello.Wire[order] = float64(len(body))
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(hello); err != nil {
		return err
	}
	var minted int64
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); { // until the parent ends, however it ends
		before := minted
		minted = int64(fake.Calls(livetest.AccessToken))
		if err := out.Encode(tally{Dials: dials.Swap(0), Calls: calls.Swap(0), Mints: minted - before}); err != nil {
			return err
		}
	}
	return nil
}

// certificate is one for the loopback address. That of httptest has an RSA key, which makes dialling dearer.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
