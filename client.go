package webanklive

// Client: what it is made of, and how it is made.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/webanklive/webanklive/internal/clockhook"
)

// Client talks to the platform for one app ID. It is immutable, safe for concurrent use by any number of goroutines,
// and needs no Close: when nobody calls, nothing of it runs but its idle connections, which close by themselves after 90
// seconds. Make one with [NewClient] and share it: a second client for the same app ID in one process needs the same
// [CredentialStore], or the two break each other.
//
// Formatted with any verb it shows its app ID and hosts, never the secret.
type Client struct {
	appID  string
	secret *string // behind a pointer, so that printing a struct around a Client does not print it

	api, h5    *url.URL
	httpClient *http.Client

	ownTransport *http.Transport   // that of httpClient, unless it is the caller's
	instrumented http.RoundTripper // what WithInstrumentation put around queryTransport, else nil

	retries  int
	maxBytes int64
	log      *slog.Logger
	observer Observer // nil: none
	redact   *redactor
	newNonce func() string

	clock      *clock
	credential *credentialCache
}

// NewClient returns a client for the app ID (WBappid) and secret that the vendor assigned. Both must be printable ASCII
// without blanks and without quotes around them; what editors, shells and configuration files add by accident (a byte order
// mark, a zero-width blank, quotes) is named. It uses neither the network nor the environment. Every broken rule is
// reported in one error that matches [ErrInvalidRequest].
//
// 接入前须知: https://cloud.tencent.com/document/product/655/31892
func NewClient(appID, secret string, opts ...Option) (*Client, error) {
	o := defaultOptions()
	var broken problems
	for _, given := range []struct{ field, value string }{{"app ID", appID}, {"secret", secret}} {
		if rule := brokenRule(given.value); rule != "" {
			broken.require(false, given.field, rule)
		}
	}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(&o); err != nil {
			broken = append(broken, flatten(err)...)
		}
	}
	broken.require(o.store == nil || o.source == nil, "credential store and source", "must not both be set")
	if err := broken.err("new client"); err != nil {
		return nil, err
	}

	var own *http.Transport
	if o.httpClient == nil {
		own = newTransport()
		o.httpClient = &http.Client{Transport: own}
	}
	if hook, ok := o.httpClient.Transport.(clockhook.Transport); ok {
		o.now = hook.Now
	}
	c := &Client{
		appID: appID, secret: &secret,
		api: o.api, h5: o.h5, httpClient: o.httpClient, ownTransport: own,
		retries: o.retries, maxBytes: o.maxBytes, log: o.logger, newNonce: o.nonce,
		observer: o.observer, redact: newRedactor(secret),
		clock: &clock{local: o.now, log: o.logger},
	}
	c.credential = &credentialCache{clock: c.clock, limit: &mintLimit{clock: c.clock}, log: o.logger, redact: c.redact}
	if o.instrument != nil {
		if c.instrumented = o.instrument(queryTransport{c}); c.instrumented == nil {
			return nil, (problems{errors.New("instrumentation must return a transport")}).err("new client")
		}
	}
	if !isVendors(o.api) || !isVendors(o.h5) {
		c.log.Warn("webanklive: this client is for another platform than the vendor's", "api", o.api.Host, "h5", o.h5.Host)
	}
	if o.source != nil {
		c.credential.origin = &sourceOrigin{source: o.source, clock: c.clock, limit: c.credential.limit, observe: c.observe}
	} else {
		if o.store == nil {
			o.store = NewMemoryStore()
		}
		c.credential.origin = &storeOrigin{
			store: o.store, key: storeKey(appID, o.api), mint: c.mint,
			clock: c.clock, limit: c.credential.limit, log: o.logger, observe: c.observe,
		}
	}
	return c, nil
}

// storeKey names the credential in a store. The host is part of it, so that a sandbox and production can share one Redis. The
// way in which the host is spelt is not, so that all clients for the same host share the credential.
func storeKey(appID string, api *url.URL) string {
	host, port := strings.TrimSuffix(strings.ToLower(api.Hostname()), "."), api.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // an IPv6 address
	}
	if port != "" && !(api.Scheme == "https" && port == "443") && !(api.Scheme == "http" && port == "80") {
		host += ":" + port
	}
	return url.QueryEscape(appID) + "@" + host + api.EscapedPath()
}

// Credential returns the access token and SIGN ticket that this client works with, minting or refreshing them as its own
// calls would, so that this process can be the central token service (中控) of others. Hand it over an authenticated and
// encrypted channel only. Call Credential again for each request of another process: the credential may be replaced at any
// time and then lives one more minute. Its errors are those of getting a credential: [ErrCredential], [ErrThrottled],
// [ErrUnavailable], [ErrAccount]; ctx's own.
func (c *Client) Credential(ctx context.Context) (_ Credential, err error) {
	defer c.observeCall(&ctx, &err, opCredential)()
	if ctx.Err() != nil {
		return Credential{}, contextEnded(ctx, opCredential)
	}
	rec, err := c.credential.get(ctx)
	if err != nil {
		return Credential{}, err
	}
	return rec.shared(c.clock.now()), nil
}

// Invalidate reports that the platform refused the credential refused, which a process got from [Client.Credential]. If
// this client still uses that credential, it drops it, and the next call gets another. Otherwise nothing happens. Nothing
// happens either within a minute of a mint that a refusal made necessary: a process that reports every credential must not
// make this client mint all day. With Credential and Invalidate a Client is a [CredentialSource] for others.
func (c *Client) Invalidate(ctx context.Context, refused Credential) {
	c.credential.invalidate(ctx, &record{Credential: refused})
}

// Format shows the app ID and the hosts for every verb.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		fmt.Fprint(f, "webanklive.Client(nil)")
		return
	}
	fmt.Fprintf(f, "webanklive.Client{AppID: %q, API: %q, H5: %q}", c.appID, c.api, c.h5)
}

// LogValue does for slog what Format does for fmt.
func (c *Client) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

func hasBlank(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// flatten takes a joined error apart, because its own text would span lines.
func flatten(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}
