//go:build go1.25

package webanklive

// The transport that a Client has unless it is given another, on networks that lose packets. The tests are in this package to
// reach it. They run on synctest's clock, over connections in memory.

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A pipeListener accepts connections in memory.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// A swallowing connection takes what is written to it, and does not pass it on once it is dead: a firewall has forgotten it.
type swallowing struct {
	net.Conn
	number   int32
	lastDead *atomic.Int32
}

func (c swallowing) Write(p []byte) (int, error) {
	if c.number <= c.lastDead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// newPiped returns a client with the default transport over pipes, how often it dialled, and what kills all connections
// that there are.
func newPiped(t *testing.T, http2 bool, opts ...Option) (c *Client, dials *atomic.Int32, kill func()) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "access_token"):
			_, _ = io.WriteString(w, `{"code":"0","access_token":"TTTTTTTT","expire_in":7200}`)
		case strings.Contains(r.URL.Path, "api_ticket"):
			_, _ = io.WriteString(w, `{"code":"0","tickets":[{"value":"SSSSSSSS","expire_in":3600}]}`)
		default:
			_, _ = io.WriteString(w, `{"code":"0","orderNo":"a1"}`)
		}
	}))
	_ = srv.Listener.Close()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv.Listener, srv.EnableHTTP2 = l, http2
	srv.StartTLS()

	c, err := NewClient("app", "secret", append([]Option{WithBaseURLs("https://127.0.0.1", "https://127.0.0.1")}, opts...)...)
	require.NoError(t, err)
	dials = new(atomic.Int32)
	lastDead := new(atomic.Int32)
	c.ownTransport.TLSClientConfig.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c.ownTransport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		number := dials.Add(1)
		ours, theirs := net.Pipe()
		l.conns <- swallowing{theirs, number, lastDead}
		return swallowing{ours, number, lastDead}, nil
	}
	kill = func() { lastDead.Store(dials.Load()) }
	t.Cleanup(func() {
		c.ownTransport.CloseIdleConnections()
		srv.CloseClientConnections()
		_ = srv.Config.Close()
	})
	return c, dials, kill
}

func ask(ctx context.Context, c *Client) error {
	_, err := c.GetLiveResult(ctx, LiveResultRequest{OrderNo: "a1"})
	return err
}

func TestDefaultTransport_RecoversFromADeadConnectionWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/2": true, "HTTP/1.1": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, dials, kill := newPiped(t, http2)
				require.NoError(t, ask(t.Context(), c))
				kill()
				before := dials.Load()
				began := time.Now()
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() { assert.NoError(t, ask(context.Background(), c)) })
				}
				wg.Wait()
				assert.LessOrEqual(t, time.Since(began), idleTimeout+2*firstBackoff)
				if http2 {
					assert.Less(t, time.Since(began), idleTimeout)
				}
				assert.Greater(t, dials.Load(), before)
			})
		})
	}
}

// With one idle connection for each of a burst of calls, all of them dead, three tries on three of them are no recovery.
func TestDefaultTransport_DropsIdleConnectionsWhenOneIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, dials, kill := newPiped(t, false)
		require.NoError(t, ask(t.Context(), c))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { assert.NoError(t, ask(context.Background(), c)) })
		}
		wg.Wait()
		require.Greater(t, dials.Load(), int32(1))
		kill()
		began := time.Now()
		require.NoError(t, ask(t.Context(), c))
		assert.LessOrEqual(t, time.Since(began), idleTimeout+firstBackoff)
	})
}

// twoAddresses is a resolver that says 127.0.0.2 and 127.0.0.1, without a network.
func twoAddresses() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				var length uint16
				if binary.Read(theirs, binary.BigEndian, &length) != nil {
					return
				}
				question := make([]byte, length)
				if _, err := io.ReadFull(theirs, question); err != nil {
					return
				}
				end := 12 + bytes.IndexByte(question[12:], 0) + 5
				reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end]...)
				if question[end-3] == 1 { // A
					reply[7] = 2
					for _, last := range []byte{2, 1} {
						reply = append(reply, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, last)
					}
				}
				_ = binary.Write(theirs, binary.BigEndian, uint16(len(reply))) //nolint:gosec // a few dozen bytes
				_, _ = theirs.Write(reply)
			}
		}()
		return ours, nil
	}}
}

func TestDefaultTransport_LeavesTimeForTheSecondAddress(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, newDialer().Timeout, idleTimeout*2/3, "the rest is for TLS and the reply")
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // of this machine
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	// Package net makes channels when it first resolves a name. They must not be the bubble's.
	_, err = twoAddresses().LookupHost(t.Context(), "two.example")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		dialer := newDialer()
		dialer.Resolver = twoAddresses()
		var tried []string
		dialer.ControlContext = func(ctx context.Context, _, address string, _ syscall.RawConn) error {
			tried = append(tried, address)
			if strings.HasPrefix(address, "127.0.0.2:") { // swallows packets
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		conn, err := dialer.DialContext(t.Context(), "tcp", "two.example:"+port)
		require.NoError(t, err, "%v", tried)
		_ = conn.Close()
		assert.Equal(t, []string{"127.0.0.2:" + port, "127.0.0.1:" + port}, tried)
	})
}

func TestDefaultTransport_SpeaksTLS12AtLeast(t *testing.T) {
	t.Parallel()
	tr := newTransport()
	assert.Equal(t, uint16(tls.VersionTLS12), tr.TLSClientConfig.MinVersion)
	assert.Less(t, tr.HTTP2.SendPingTimeout+tr.HTTP2.PingTimeout, idleTimeout)
	assert.Positive(t, tr.HTTP2.SendPingTimeout)
	assert.Positive(t, tr.HTTP2.PingTimeout)
}

// The environment's proxy is read once in the life of a process, so each case runs in one of its own.
func TestDefaultTransport_AMalformedProxyIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	proxies := []string{
		"http://user:pass50%off@proxy.example:3128", // no URL at all
		"http://user:pass word@proxy.example:3128",  // which package http takes for the host http
		"user:pass word@proxy.example:3128",         // and this for no host
	}
	if !slices.Contains(proxies, os.Getenv("HTTPS_PROXY")) {
		for _, proxy := range proxies {
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this very test
			again.Env = append(os.Environ(), "HTTPS_PROXY="+proxy, "https_proxy=", "NO_PROXY=", "no_proxy=")
			out, err := again.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: "+t.Name(), "it ran")
		}
		return
	}
	c, err := NewClient("app", "secret", WithMaxRetries(0))
	require.NoError(t, err)
	err = ask(t.Context(), c)
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "the proxy in HTTPS_PROXY or HTTP_PROXY is not a URL")
	assert.NotContains(t, err.Error(), "pass")
	assert.NotContains(t, err.Error(), "user")
}
