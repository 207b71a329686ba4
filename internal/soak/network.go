//go:build go1.25

package main

// The network between the clients and the platform: it lets faults strike, and remembers which call each struck.

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// network is safe for concurrent use. It chooses faults for requests itself, because those that Platform.Fail plans
// strike whoever comes next, and then nobody can say whether a call ended as its own faults demand.
type network struct {
	platform http.RoundTripper
	dice     dice

	mu        sync.Mutex
	struck    map[string]int // by the fault's name
	wasted    int            // access tokens that faults may have cost
	mintFault time.Time      // when a request for an access token or SIGN ticket was struck last
	mints     []mint         // the oldest first
}

// A mint is an access token with its SIGN ticket.
type mint struct {
	at            time.Time
	token, ticket string
	unknown       bool // to the clients: another machine made it, or the reply was lost
}

// pays reports whether a request for a NONCE ticket or a result was made with m.
func (m mint) pays(query url.Values) bool {
	return query.Get("access_token") == m.token ||
		query.Get("sign") == webanklive.Sign(query.Get("app_id"), query.Get("order_no"), query.Get("version"), m.ticket, query.Get("nonce"))
}

func newNetwork(p *livetest.Platform, seed uint64) *network {
	return &network{
		platform: p.Transport(), struck: map[string]int{},
		dice: dice{rng: rand.New(rand.NewPCG(seed, 0))},
	}
}

// A request on its way.
type request struct {
	*http.Request
	endpoint livetest.Endpoint
	call     *call
	lost     bool // its reply does not arrive
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	r := &request{Request: req, endpoint: endpointOf(req)}
	r.call, _ = req.Context().Value(callKey{}).(*call)
	var f *fault
	if i := n.dice.roll(perKind); i < len(faults) {
		f = &faults[i]
	}
	n.note(r, f)
	if f == nil {
		return n.honest(r)
	}
	return f.strike(n, r)
}

// honest lets the platform answer.
func (n *network) honest(r *request) (*http.Response, error) {
	if r.own() {
		r.call.reached(r.URL.Query())
	}
	res, err := n.platform.RoundTrip(r.Request)
	if err != nil || r.endpoint != livetest.SignTicket {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	if m := ticketValue.FindSubmatch(body); m != nil {
		n.minted(mint{token: r.URL.Query().Get("access_token"), ticket: string(m[1]), unknown: r.lost})
	}
	return res, err
}

func (n *network) note(r *request, f *fault) {
	if r.own() {
		r.call.note(f)
	}
	if f == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.struck[f.name]++
	if r.forNonceOrResult() {
		return
	}
	n.mintFault = time.Now()
	if r.endpoint == livetest.SignTicket || f.loses {
		n.wasted++ // a token without its SIGN ticket is of use to one machine only
	}
}

func (n *network) minted(m mint) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m.at = time.Now()
	n.mints = append(n.mints, m)
}

// signedByUnknown reports whether a callback was signed with a SIGN ticket that no client has: the platform takes it
// until the next one is made.
func (n *network) signedByUnknown(appID string, callback url.Values) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.mints, func(m mint) bool {
		return m.unknown && callback.Get("newSignature") ==
			webanklive.Sign(appID, callback.Get("orderNo"), m.ticket, callback.Get("code"))
	})
}

// repeatedWithNewest reports whether a call that was refused was repeated, and with the newest credential that the
// clients had when it was refused first, or a newer one. When that one is refused, too, it was not the SDK's fault.
func (n *network) repeatedWithNewest(c *call) bool {
	first, last := c.ends()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range slices.Backward(n.mints) {
		switch {
		case last == nil || m.unknown:
		case m.pays(last):
			return true
		case !m.at.After(first):
			return false
		}
	}
	return false
}

// mintTroubled reports whether a request of a mint was struck lately.
func (n *network) mintTroubled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.mintFault.IsZero() && time.Since(n.mintFault) < 2*time.Minute
}

func endpointOf(req *http.Request) livetest.Endpoint {
	switch query := req.URL.RawQuery; {
	case strings.HasSuffix(req.URL.Path, "/access_token"):
		return livetest.AccessToken
	case strings.HasSuffix(req.URL.Path, "/getLiveResult"):
		return livetest.LiveResult
	case strings.Contains(query, "type=NONCE"):
		return livetest.NonceTicket
	}
	return livetest.SignTicket
}

var ticketValue = regexp.MustCompile(`"value":"(\w+)"`)

// forNonceOrResult reports whether a request belongs to one call; those of a mint are everybody's.
func (r *request) forNonceOrResult() bool {
	return r.endpoint == livetest.NonceTicket || r.endpoint == livetest.LiveResult
}

func (r *request) own() bool { return r.call != nil && r.forNonceOrResult() }

type callKey struct{}

// A call is one call of the SDK, and what happened to its own requests.
type call struct {
	began  time.Time
	limit  time.Duration // how long it may take
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	last *fault // what struck the last request; nil: nothing
	sent int    // requests since the last that nothing struck
	over bool   // there was a request after a fault that ends the call

	firstAt   time.Time  // when the platform got the first of its requests
	lastQuery url.Values // of the last that the platform got; nil while there was only one
}

func newCall(limit time.Duration) (context.Context, *call) {
	c := &call{began: time.Now(), limit: limit}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return context.WithValue(c.ctx, callKey{}, c), c
}

// left reports whether its caller left.
func (c *call) left() bool { return c.ctx.Err() != nil }

// end returns what struck the last request, and whether the call sent as many requests as it should have after that.
func (c *call) end() (last *fault, enough bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.over && (c.last == nil || c.last.class == nil || c.last.once || c.sent >= 3)
}

// reached notes a request that the platform gets.
func (c *call) reached(query url.Values) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.firstAt.IsZero() {
		c.firstAt = time.Now()
	} else {
		c.lastQuery = query
	}
}

// ends returns when the platform got the first request, and what it got last after that.
func (c *call) ends() (first time.Time, last url.Values) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.firstAt, c.lastQuery
}

func (c *call) note(f *fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = c.over || c.last != nil && c.last.once
	c.last = f
	c.sent++
	if f == nil {
		c.sent = 0
	}
}
