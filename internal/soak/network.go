//go:build go1.25

package main

// The network between the clients and the platform: it makes requests fail, and remembers which call each fault struck.

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// network is safe for concurrent use. It chooses the fault of each request itself, and so knows which faults struck a call, and
// how the call must end. A fault that Platform.Fail plans strikes the next request, whichever call that belongs to.
type network struct {
	platform http.RoundTripper
	dice     dice

	mu        sync.Mutex
	struck    map[string]int // by the fault's name
	wasted    int            // access tokens that faults may have cost
	mintFault time.Time      // when a request for an access token or SIGN ticket was struck last
	unknown   []string       // SIGN tickets that no client has: another machine's, or the reply was lost
}

func newNetwork(p *livetest.Platform, seed uint64) *network {
	return &network{
		platform: p.Transport(), struck: map[string]int{},
		dice: dice{rng: rand.New(rand.NewPCG(seed, 0))},
	}
}

// A request is one request to the platform.
type request struct {
	*http.Request
	endpoint livetest.Endpoint
	call     *call
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
		return n.platform.RoundTrip(req)
	}
	return f.strike(n, r)
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

// noClientHas notes a SIGN ticket that no client got.
func (n *network) noClientHas(signTicket string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unknown = append(n.unknown, signTicket)
}

// signedByUnknown reports whether a callback was signed with a SIGN ticket that no client has: the platform signs with it until
// the next one is made.
func (n *network) signedByUnknown(appID string, callback url.Values) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.unknown, func(ticket string) bool {
		return callback.Get("newSignature") == webanklive.Sign(appID, callback.Get("orderNo"), ticket, callback.Get("code"))
	})
}

// mintTroubled reports whether a fault struck a request of a mint in the last two minutes.
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

// forNonceOrResult reports whether a request belongs to one call; the requests of a mint are for all calls.
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
}

func newCall(limit time.Duration) (context.Context, *call) {
	c := &call{began: time.Now(), limit: limit}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return context.WithValue(c.ctx, callKey{}, c), c
}

// left reports whether the caller cancelled it.
func (c *call) left() bool { return c.ctx.Err() != nil }

// end returns what struck the last request, and whether the call sent as many requests as it should have after that.
func (c *call) end() (last *fault, enough bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.over && (c.last == nil || c.last.class == nil || c.last.once || c.sent >= 3)
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
