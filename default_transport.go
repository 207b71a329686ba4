package webanklive

// The transport of a Client that is given no other: one that recovers from dead connections and dead addresses.

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	// dialTimeout is shared by the addresses of a host, three seconds each when there are two. It leaves time for the request.
	dialTimeout = 6 * time.Second

	// After pingAfter without a frame, a ping asks whether an HTTP/2 connection still works. Without an answer within
	// pingTimeout it is closed. Otherwise every call would use the same dead connection until the kernel closes it, perhaps
	// after half an hour.
	pingAfter, pingTimeout = 5 * time.Second, 3 * time.Second
)

// newTransport keeps a connection for each of a busy server's callers: the two idle ones per host of
// http.DefaultTransport cost a TLS handshake for most calls.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 proxyFromEnvironment,
		DialContext:           newDialer().DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   idleTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

func newDialer() *net.Dialer { return &net.Dialer{Timeout: dialTimeout} }

var errProxy = errors.New("the proxy in HTTPS_PROXY or HTTP_PROXY is not a URL")

// proxyFromEnvironment returns the proxy of the environment. Its error does not quote a malformed value, which may hold a
// password. Package http ignores some malformed values, so that a call hangs at a firewall; it takes others for a proxy without
// a host, or for one whose host is "http".
func proxyFromEnvironment(req *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(req)
	switch {
	case err != nil, proxy == nil && req.URL.Scheme == "https" && ignoredProxy():
		return nil, errProxy
	case proxy != nil && (proxy.Hostname() == "" || strings.HasPrefix(proxy.Path, "//")):
		return nil, errProxy
	}
	return proxy, nil
}

// ignoredProxy reports whether package http ignores the proxy of the environment because it cannot read it. It reports false
// where NO_PROXY is set, because then a host may be meant to be reached without a proxy.
func ignoredProxy() bool {
	value := cmp.Or(os.Getenv("HTTPS_PROXY"), os.Getenv("https_proxy"))
	if value == "" || os.Getenv("NO_PROXY")+os.Getenv("no_proxy") != "" {
		return false
	}
	_, err := url.Parse(value)
	_, withScheme := url.Parse("http://" + value)
	return err != nil && withScheme != nil
}

const modulePath = "github.com/webanklive/webanklive"

// userAgent names the library and the versions: some firewalls refuse the one that Go sends by itself.
var userAgent = sync.OnceValue(func() string {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath {
				version = module.Version
			}
		}
	}
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	return fmt.Sprintf("webanklive-go/%s (Go %s)", version, strings.TrimPrefix(runtime.Version(), "go"))
})
