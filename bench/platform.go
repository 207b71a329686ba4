package main

// The platform of the benchmarks: the fake of package livetest for tokens and tickets, and replies of fixed bytes for
// results, in a process of its own, so that its work is not counted as the clients'.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive/livetest"
)

const rolePlatform = "platform"

// platform is the parent's end of the other process.
type platform struct {
	Plain, TLS    string // base URLs of the API
	Admin         string
	AppID, Secret string
	Roots         string // file with the certificate of TLS

	process *exec.Cmd
	input   io.Closer
}

// tally is what the server counted since it started.
type tally struct {
	Dials int64 // connections accepted on Plain and TLS
	Calls int64 // API calls of any kind
	Mints int64 // access tokens handed out
}

// startPlatform starts the other process, which ends when its standard input does.
func startPlatform(ctx context.Context) (*platform, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), roleVariable+"="+rolePlatform)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &platform{process: cmd, input: input}
	if err := json.NewDecoder(output).Decode(p); err != nil {
		p.stop()
		return nil, fmt.Errorf("the platform did not start: %w", err)
	}
	// The library's own transport cannot be handed a certificate, and is what has to be measured. Go reads this
	// variable once, at the first handshake.
	if err := os.Setenv("SSL_CERT_FILE", p.Roots); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *platform) stop() {
	_ = p.input.Close()
	_ = p.process.Wait()
}

// tally asks for the counts.
func (p *platform) tally(ctx context.Context) (t tally, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Admin, nil)
	if err != nil {
		return t, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, err
	}
	defer func() { _ = resp.Body.Close() }()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// servePlatform is the other process.
func servePlatform() error {
	dir, err := os.MkdirTemp("", "webanklive-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cert, roots, err := certificate(dir)
	if err != nil {
		return err
	}

	fake := livetest.New()
	canned := replies()
	var dials, calls atomic.Int64
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
	api := &http.Server{
		Handler: mux,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				dials.Add(1)
			}
		},
		// HTTP/1.1 only: with HTTP/2 there is one connection, and nothing to count.
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	admin := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(tally{
				Dials: dials.Load(), Calls: calls.Load(), Mints: int64(fake.Calls(livetest.AccessToken)),
			})
		}),
	}

	addresses := make([]string, 3)
	for i, serve := range []func(net.Listener) error{
		api.Serve, func(l net.Listener) error { return api.ServeTLS(l, "", "") }, admin.Serve,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addresses[i] = listener.Addr().String()
		go func() { _ = serve(listener) }()
	}
	hello := platform{
		Plain: "http://" + addresses[0] + "/idasc", TLS: "https://" + addresses[1] + "/idasc", Admin: "http://" + addresses[2],
		AppID: fake.AppID(), Secret: fake.Secret(), Roots: roots,
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until the parent ends, however it ends
	return err
}

// certificate makes a certificate for the loopback address and writes it into dir for clients to trust.
func certificate(dir string) (tls.Certificate, string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "webanklive benchmark"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, "", err
	}
	file := filepath.Join(dir, "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file, os.WriteFile(file, text, 0o600)
}
