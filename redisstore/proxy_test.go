//go:build unix

package redisstore_test

// What lies between a client and Redis: distance, silence, another server behind the same address, other wordings.

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A proxy forwards TCP connections. Those that exist stay with the server that they were made to.
type proxy struct {
	t        *testing.T
	listener net.Listener

	mu      sync.Mutex
	target  string
	delay   time.Duration // each way
	reword  func(reply []byte) []byte
	silent  bool
	changed chan struct{} // closed when silent changes
	opened  int
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{t: t, listener: l, target: target, changed: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close(); p.set(func() { p.silent = false }) })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// set changes what the proxy does.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.opened++
	p.mu.Unlock()
	p.passable()
	server, err := net.Dial("tcp", target)
	if err != nil {
		_ = client.Close()
		return
	}
	go p.forward(server, client, false)
	p.forward(client, server, true)
}

// passable waits until the proxy is not silent, and returns the delay.
func (p *proxy) passable() (time.Duration, func([]byte) []byte) {
	for {
		p.mu.Lock()
		silent, changed, delay, reword := p.silent, p.changed, p.delay, p.reword
		p.mu.Unlock()
		if !silent {
			return delay, reword
		}
		<-changed
	}
}

func (p *proxy) forward(to, from net.Conn, replies bool) {
	type piece struct {
		due   time.Time
		bytes []byte
	}
	pieces := make(chan piece, 1000)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				delay, reword := p.passable()
				content := buf[:n]
				if replies && reword != nil {
					content = reword(content)
				}
				pieces <- piece{time.Now().Add(delay), content}
			}
			if err != nil {
				return
			}
		}
	}()
	for piece := range pieces {
		time.Sleep(time.Until(piece.due))
		p.passable()
		if _, err := to.Write(piece.bytes); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// client returns a client of the proxy's address, closed when the test ends.
func (p *proxy) client(change ...func(*redis.Options)) *redis.Client {
	return newClient(p.t, p.addr(), change...)
}

func (p *proxy) connect() redis.UniversalClient { return p.client() }
