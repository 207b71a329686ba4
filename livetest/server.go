// The platform behind a socket, for one test.

package livetest

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// TB is the part of testing.TB that NewServer needs; it keeps the testing package out of programs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a platform on a loopback port. Like the Platform in it, it may be used from any goroutine.
type Server struct {
	*Platform
	APIURL string // base URL of the API host
	H5URL  string // base URL of the browser host; the paths of each host are 404 on the other
}

// NewServer starts a platform on a loopback port and stops it when the test ends; replies that hang are released first.
func NewServer(t TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("livetest: %v", err)
	}
	p := New()
	server := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // broken connections are part of the game
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // always ErrServerClosed
	}()
	t.Cleanup(func() {
		p.stop()
		_ = server.Close()
		<-served
	})
	base := "http://" + listener.Addr().String()
	return &Server{Platform: p, APIURL: base + "/idasc", H5URL: base + "/ida"}
}
