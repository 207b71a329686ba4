package conformance_test

// A bad network and a hostile one over real sockets: what the fault matrix, which runs in memory, cannot show. Refused
// connections, names that do not resolve, TLS, replies that are no HTTP, proxies; and that no connection is left behind.

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// hopeless is when a connection ends that a client should have closed long ago, so that a test that fails does not hang.
const hopeless = 15 * time.Second

// A saboteur is a platform on a loopback port that can take a connection over and write what it likes.
type saboteur struct {
	*livetest.Platform
	url       string
	open, met atomic.Int32 // connections, and requests that met the sabotage
	sabotage  atomic.Pointer[sabotage]
}

// sabotage lets reply answer the requests to one endpoint.
type sabotage struct {
	at    livetest.Endpoint
	reply func(conn net.Conn)
}

func newSaboteur(t *testing.T) *saboteur {
	t.Helper()
	s := &saboteur{Platform: newPlatform()}
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateClosed:
			s.open.Add(-1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *saboteur) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sabotage := s.sabotage.Load()
	if sabotage == nil || endpointOf(r.URL.Query()) != sabotage.at {
		s.Platform.ServeHTTP(w, r)
		return
	}
	s.met.Add(1)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer s.open.Add(-1)
	defer conn.Close()
	sabotage.reply(conn)
	_ = conn.SetReadDeadline(time.Now().Add(hopeless))
	_, _ = io.Copy(io.Discard, conn) // until the client closes it
}

func says(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// hangsUp ends the connection behind text, with a reset or in an orderly way.
func hangsUp(text string, reset bool) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		if reset {
			_ = conn.(*net.TCPConn).SetLinger(0) // no time to send what is left: the kernel answers with RST
		}
		_ = conn.Close()
	}
}

// floods writes start, and more until the client has had enough.
func floods(start, more string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, start)
		for chunk := strings.Repeat(more, 1+(32<<10)/len(more)); err == nil; {
			_, err = io.WriteString(conn, chunk)
		}
	}
}

// packed is text behind gzip.
func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestConnections_BrokenOnesAreErrorsAndNoneIsLeftBehind(t *testing.T) {
	t.Parallel()
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	manyBlanks := packed(`{"code":"0"` + strings.Repeat(" ", 8<<20))
	for name, tc := range map[string]struct {
		reply func(net.Conn)
		text  string
		cause error
	}{
		"closed before the header":         {hangsUp("", false), "EOF", io.EOF},
		"reset before the header":          {hangsUp("", true), "reset by peer", syscall.ECONNRESET},
		"closed in the header":             {hangsUp(ok+"Content-Le", false), "", nil},
		"reset in the header":              {hangsUp(ok+"Content-Le", true), "", nil}, // the kernel may throw away what came before a reset
		"reset in the body":                {hangsUp(ok+"Content-Length: 999\r\n\r\n{\"code\":", true), "", nil},
		"closed in the body":               {hangsUp(ok+"Content-Length: 999\r\n\r\n{\"code\":\"0\"}", false), "unexpected EOF", io.ErrUnexpectedEOF},
		"closed in a chunk":                {hangsUp(chunked+"99\r\n{\"code\":\"0\"}", false), "unexpected EOF", io.ErrUnexpectedEOF},
		"closed before the last chunk":     {hangsUp(chunked+"c\r\n{\"code\":\"0\"}\r\n", false), "unexpected EOF", io.ErrUnexpectedEOF},
		"malformed chunk":                  {says(chunked + "zz\r\n"), "invalid byte in chunk length", nil},
		"not HTTP":                         {says("SSH-2.0-OpenSSH_9.9\r\n\r\n"), "malformed HTTP", nil},
		"control characters in the status": {says("HTTP/1.1 \x1b[31m\u202e\x00 OK\r\n\r\n"), "malformed HTTP status code", nil},
		"malformed header":                 {says(ok + "no colon\r\n\r\n"), "malformed MIME header", nil},
		"two lengths":                      {says(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), "Content-Length", nil},
		"negative length":                  {says(ok + "Content-Length: -1\r\n\r\n"), "bad Content-Length", nil},
		"header without end":               {floods(ok, "X-Spam: spam\r\n"), "server response headers exceeded", nil},
		"interim replies without end":      {floods("", "HTTP/1.1 103 Early Hints\r\n\r\n"), "", nil},
		"body without end":                 {floods(ok+"\r\n", " "), "longer than the limit", nil},
		"8 MB of blanks in 8 KB":           {hangsUp(ok+"Content-Encoding: gzip\r\n\r\n"+manyBlanks, false), "longer than the limit", nil},
		"corrupt compression": {says(ok + "Connection: close\r\n" +
			"Content-Encoding: gzip\r\nContent-Length: 17\r\n\r\nno gzip, not even"), "gzip: invalid header", nil},
		"switched protocols":               {says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n{\"code\":\"0\"}"), "", nil},
		"a good reply to another question": {says(ok + "Connection: close\r\nContent-Length: 32\r\n\r\n{\"code\":\"0\",\"orderNo\":\"order43\"}"), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSaboteur(t)
			hc := &http.Client{Transport: &http.Transport{}}
			c := newWarm(t, s.Platform, webanklive.WithBaseURLs(s.url+"/idasc", s.url+"/ida"),
				webanklive.WithHTTPClient(hc), webanklive.WithMaxRetries(0), webanklive.WithMaxResponseBytes(1<<20))
			for at, use := range map[livetest.Endpoint]func() error{
				livetest.LiveResult:  func() error { return askResult(t.Context(), c) },
				livetest.NonceTicket: func() error { return launch(t.Context(), c, 43) },
			} {
				hc.CloseIdleConnections() // net/http repeats a GET by itself when a connection that it reuses breaks
				s.sabotage.Store(&sabotage{at, tc.reply})
				s.met.Store(0)
				began := time.Now()
				err := use()
				assert.Less(t, time.Since(began), hopeless/2)
				clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
				require.ErrorContains(t, err, tc.text)
				if tc.cause != nil {
					require.ErrorIs(t, err, tc.cause)
				}
				assertPrintable(t, err.Error())
				assert.Equal(t, int32(1), s.met.Load(), "%s: %v", at, err)
				s.sabotage.Store(nil)
				require.NoError(t, use(), "the next call")
			}
			hc.CloseIdleConnections()
			require.Eventually(t, func() bool { return s.open.Load() == 0 }, 10*time.Second, time.Millisecond, "a connection is left")
		})
	}
}

// newCounter returns a server that counts requests, once it is started.
func newCounter(t *testing.T, heard *atomic.Int32) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10}
	t.Cleanup(srv.Close)
	return srv
}

func TestConnections_NoRequestLeavesBeforeTheOtherSideIsKnown(t *testing.T) {
	t.Parallel()
	var heard atomic.Int32
	good, old, plain, gone := newCounter(t, &heard), newCounter(t, &heard), newCounter(t, &heard), newCounter(t, &heard)
	good.StartTLS()
	old.TLS.MaxVersion = tls.VersionTLS11
	old.StartTLS()
	plain.Start()
	gone.Start()
	gone.Close()
	roots := x509.NewCertPool()
	roots.AddCert(good.Certificate()) // httptest has one for all its servers
	t.Cleanup(func() { assert.Zero(t, heard.Load(), "somebody unknown got a request, and with it the secret") })
	https := func(srv *httptest.Server) string { return "https://" + srv.Listener.Addr().String() }

	for name, tc := range map[string]struct {
		base      string
		transport *http.Transport // nil: the one that a Client brings itself
		text      string
		cause     any
	}{
		"refused":           {https(gone), nil, "refused", nil},
		"unknown authority": {https(good), nil, "unknown authority", new(x509.UnknownAuthorityError)},
		"certificate of another host": {strings.Replace(https(good), "127.0.0.1", "localhost", 1),
			&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, "not localhost", new(x509.HostnameError)},
		"certificate has expired": {https(good), &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Time: func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) },
		}}, "expired", new(x509.CertificateInvalidError)},
		"TLS 1.1":      {https(old), &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, "protocol version", nil},
		"no TLS there": {https(plain), nil, "HTTP response to HTTPS client", nil},
		"no such name": {"https://idasc.livetest.invalid", &http.Transport{DialContext: (&net.Dialer{Resolver: &net.Resolver{
			PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name server") },
		}}).DialContext}, "no name server", new(*net.DNSError)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []webanklive.Option{webanklive.WithBaseURLs(tc.base, tc.base), webanklive.WithMaxRetries(0)}
			if tc.transport != nil {
				opts = append(opts, webanklive.WithHTTPClient(&http.Client{Transport: tc.transport}))
			}
			c, err := webanklive.NewClient("app", "hunter2", opts...)
			require.NoError(t, err)
			_, err = c.Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, tc.text)
			assert.NotContains(t, err.Error(), "hunter2")
			if tc.cause != nil {
				require.ErrorAs(t, err, tc.cause)
			}
		})
	}
}

// A proxy sees the name of the host and nothing else: what it says instead of a tunnel is an error.
func TestProxy_AHostileOneLearnsNothing(t *testing.T) {
	t.Parallel()
	var decrypted atomic.Int32
	impostor := newCounter(t, &decrypted)
	impostor.StartTLS()
	t.Cleanup(func() { assert.Zero(t, decrypted.Load(), "a request went through somebody else's TLS") })

	for name, tc := range map[string]struct {
		serve func(conn net.Conn)
		text  string
	}{
		"wants a password":     {says("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"), "Proxy Authentication Required"},
		"refuses":              {says("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>"), "Bad Gateway"},
		"redirects":            {says("HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n"), "Found"},
		"is a page":            {says("HTTP/1.1 200 OK\r\n\r\n<html>log in to our Wi-Fi</html>"), ""},
		"answers the question": {says("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"code\":\"0\"}"), ""},
		"is no proxy":          {says("220 smtp.example ESMTP\r\n"), "malformed HTTP"},
		"hangs up":             {says(""), "EOF"},
		"colours the log":      {says("HTTP/1.1 500 \x1b[31mred\u202e\u2028\x07\r\n\r\n"), "red"},
		"puts itself in between": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			to, err := net.Dial("tcp", impostor.Listener.Addr().String())
			if assert.NoError(t, err) {
				defer to.Close()
				go func() { _, _ = io.Copy(conn, to) }()
				_, _ = io.Copy(to, conn)
			}
		}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			asked := make(chan *http.Request, 1)
			served := make(chan struct{})
			go func() {
				defer close(served)
				defer close(asked)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if assert.NoError(t, err) {
					asked <- req
					tc.serve(conn)
				}
			}()
			proxy := &url.URL{Scheme: "http", User: url.UserPassword("user", "hunter3"), Host: listener.Addr().String()}
			hc := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
			c, err := webanklive.NewClient("app", "hunter2", webanklive.WithHTTPClient(hc), webanklive.WithMaxRetries(0))
			require.NoError(t, err)
			_, err = c.Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, tc.text)
			assertPrintable(t, err.Error())
			assert.NotContains(t, fmt.Sprintf("%+v", err), "hunter")

			req := <-asked
			require.NotNil(t, req)
			assert.Equal(t, []string{"CONNECT", "idasc.webank.com:443"}, []string{req.Method, req.RequestURI})
			assert.NotContains(t, fmt.Sprint(req.Header), "hunter2")
			hc.CloseIdleConnections()
			_ = listener.Close()
			<-served
		})
	}
}
