package webanklive

// What can be set when a Client is made, and nothing later.

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Option changes one setting of [NewClient]. Options may be given in any order; the last of a kind wins.
type Option func(*options) error

type options struct {
	api, h5    *url.URL
	httpClient *http.Client
	store      CredentialStore
	source     CredentialSource
	retries    int
	maxBytes   int64
	logger     *slog.Logger
	observer   Observer
	instrument func(http.RoundTripper) http.RoundTripper
	now        func() time.Time
	nonce      func() string
}

func defaultOptions() options {
	return options{
		api:      &url.URL{Scheme: "https", Host: "idasc.webank.com"},
		h5:       &url.URL{Scheme: "https", Host: "ida.webank.com"},
		retries:  2,
		maxBytes: 64 << 20,
		logger:   slog.New(slog.DiscardHandler),
		now:      time.Now,
		nonce:    newNonce,
	}
}

// WithBaseURLs sends API calls below api instead of https://idasc.webank.com, and browsers below h5 instead of
// https://ida.webank.com. A path in either is kept as a prefix. Both must be https, or http for a loopback host (as
// the fake platform of package livetest has), without user info, query or fragment.
func WithBaseURLs(api, h5 string) Option {
	return func(o *options) error {
		a, errA := parseBaseURL("api base URL", api)
		h, errH := parseBaseURL("h5 base URL", h5)
		o.api, o.h5 = a, h
		return errors.Join(errA, errH)
	}
}

// WithHTTPClient sends through hc: its Transport applies, and its Timeout to each attempt, the reading of the reply included.
// It is held, not copied and never modified, so a mock transport may be put into it later; cookies and redirects are off
// whatever hc says, because the query of a call carries secrets. Do not put tracing into hc: see
// [WithInstrumentation].
//
// The default is a transport of this client's own: 100 idle connections for up to 90 seconds, the proxy of the environment,
// TLS 1.2 or newer, time for a host's second address, and pings that find a dead HTTP/2 connection within 8 seconds.
func WithHTTPClient(hc *http.Client) Option {
	return func(o *options) error {
		if hc == nil {
			return errors.New("HTTP client must not be nil")
		}
		o.httpClient = hc
		return nil
	}
}

// WithInstrumentation lets wrap see every HTTP request of this client: method, scheme, host, path, headers (no secret is in
// one), status and times, and never a query, which carries the secret, tokens and tickets, nor a body. It is called once, by
// [NewClient]; what it returns must be safe for concurrent use. For OpenTelemetry:
//
//	webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) })
//
// next is the innermost step: it adds the query, and sends through the transport of [WithHTTPClient], which may still be
// replaced later. The reply that next returns has the request without the query, no Location, and an empty body. Changes of
// method, URL or reply do not reach the call; only a reply that was made without calling next counts as the platform's. Each
// attempt of a call that is repeated is a request of its own. The httptrace hooks of the caller's context work, except those
// that see header fields, because over HTTP/2 one of these is the path with the query.
//
// Instrumentation that is put into the [http.Client] of WithHTTPClient instead records the secret.
func WithInstrumentation(wrap func(next http.RoundTripper) http.RoundTripper) Option {
	return func(o *options) error {
		if wrap == nil {
			return errors.New("instrumentation must not be nil")
		}
		o.instrument = wrap
		return nil
	}
}

// WithCredentialStore shares the credential through s with every process that uses the same app ID. The default
// keeps it in this client's memory, which is right for a single process only: each refresh ends the credential of every other
// process a minute later.
func WithCredentialStore(s CredentialStore) Option {
	return func(o *options) error {
		if s == nil {
			return errors.New("credential store must not be nil")
		}
		o.store = s
		return nil
	}
}

// WithCredentialSource takes the credential from s, a company's central token service (中控): this client then
// mints no token and needs no [CredentialStore]. The secret is still required by [NewClient] but never sent.
func WithCredentialSource(s CredentialSource) Option {
	return func(o *options) error {
		if s == nil {
			return errors.New("credential source must not be nil")
		}
		o.source = s
		return nil
	}
}

// WithMaxRetries sets how often a call that failed with a transport error, HTTP 5xx or a retryable code is sent
// again, 0 to 10, 2 unless set. Two kinds of repeats are not counted: after a refused credential, and after code 400504, which
// says that the user's last ticket is less than two seconds old.
func WithMaxRetries(n int) Option {
	return func(o *options) error {
		if n < 0 || n > 10 {
			return errors.New("max retries must be 0 to 10")
		}
		o.retries = n
		return nil
	}
}

// WithMaxResponseBytes sets the longest reply that is read, 64 MiB unless set; Base64 makes media a third longer
// than they are. A reply of exactly n bytes passes.
func WithMaxResponseBytes(n int64) Option {
	return func(o *options) error {
		if n <= 0 {
			return errors.New("max response bytes must be positive")
		}
		o.maxBytes = n
		return nil
	}
}

// WithLogger logs what the client does by itself: retries, refreshes, a store that fails, a clock that is off. No
// line holds a secret, an order number or a user ID. The default is silent.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error {
		if l == nil {
			return errors.New("logger must not be nil")
		}
		o.logger = slog.New(safeHandler{l.Handler()})
		return nil
	}
}

// WithObserver tells o of every call, HTTP request, mint and store operation, when it begins and when it ends.
func WithObserver(o Observer) Option {
	return func(opts *options) error {
		if o == nil {
			return errors.New("observer must not be nil")
		}
		opts.observer = o
		return nil
	}
}

// parseBaseURL does not quote raw in its errors: one of the mistakes that it reports is a URL with a password in it.
func parseBaseURL(name, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%s must be an absolute URL", name)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("%s must be https, or http for a loopback host", name)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%s must have no user info, query or fragment", name)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// isVendors reports whether u is below one of the vendor's domains.
func isVendors(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	for _, domain := range []string{"webank.com", "qcloud.com", "tencentcloudapi.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
