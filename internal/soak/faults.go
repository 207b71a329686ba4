//go:build go1.25

package main

// The faults: what can go wrong with one request, how often, and which error the call must end with.

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// A fault is one kind of trouble; each strikes one request in a hundred.
type fault struct {
	name   string
	strike func(n *network, r *request) (*http.Response, error)

	// The error of a call whose last request it struck; nil: none, the call goes on as if nothing had happened.
	class error
	once  bool // the SDK does not repeat the request
	loses bool // the platform did its work, but the reply was lost

	// Instead of class, for a request about a person: an unknown code is a verdict there.
	verdict error
}

const perKind = 100 // each fault strikes one request in this many

// another is a reply of code 0 that grants nothing and is about another order.
const another = `{"code":"0","msg":"ok","access_token":"","expire_in":"abc","tickets":[{"value":"","expire_in":-1}],"orderNo":"another"}`

var faults = []fault{
	{name: "connection refused", strike: broken(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}), class: webanklive.ErrUnavailable},
	{name: "no such host", strike: broken(&net.DNSError{Err: "no such host", Name: "idasc"}), class: webanklive.ErrUnavailable},
	{name: "bad certificate", strike: broken(errors.New("tls: failed to verify certificate")), class: webanklive.ErrUnavailable},
	{name: "reset before the header", strike: fake(livetest.Fault{Reset: true}), class: webanklive.ErrUnavailable},
	{name: "reset in the body", strike: fake(livetest.Fault{Code: "0", Reset: true, Bytes: 20}), class: webanklive.ErrUnavailable},
	{name: "body cut", strike: fake(livetest.Fault{Code: "0", Truncate: true, Bytes: 20}), class: webanklive.ErrUnavailable},
	{name: "hang before the header", strike: fake(livetest.Fault{Hang: true}), class: webanklive.ErrUnavailable},
	{name: "hang in the body", strike: fake(livetest.Fault{Code: "0", Hang: true, Bytes: 20}), class: webanklive.ErrUnavailable},
	{name: "one byte a second", strike: slow, class: webanklive.ErrUnavailable},
	{name: "three seconds late", strike: late},
	{name: "reply lost", strike: lost, class: webanklive.ErrUnavailable, loses: true},
	{name: "redirect", strike: fake(livetest.Fault{Redirect: "https://elsewhere.example/"}), class: webanklive.ErrUnavailable, once: true},
	{name: "404 with HTML", strike: fake(livetest.Fault{Status: 404}), class: webanklive.ErrUnavailable},
	{name: "429 with HTML", strike: fake(livetest.Fault{Status: 429}), class: webanklive.ErrUnavailable},
	{name: "500 with JSON", strike: fake(livetest.Fault{Status: 500, Code: "555"}), class: webanklive.ErrUnavailable},
	{name: "502 with HTML", strike: fake(livetest.Fault{Status: 502}), class: webanklive.ErrUnavailable},
	{name: "503 with nothing", strike: fake(livetest.Fault{Status: 503, ContentType: "text/plain"}), class: webanklive.ErrUnavailable},
	{name: "200 with HTML", strike: fake(livetest.Fault{Body: "<html>maintenance</html>"}), class: webanklive.ErrUnavailable},
	{name: "empty object", strike: fake(livetest.Fault{Body: "{}"}), class: webanklive.ErrUnavailable},
	{name: "null everywhere", strike: fake(livetest.Fault{Body: `{"code":null,"msg":null,"access_token":null,"tickets":null,"orderNo":null}`}), class: webanklive.ErrUnavailable},
	{name: "deep nesting", strike: fake(livetest.Fault{Body: `{"code":` + strings.Repeat("[", 5000)}), class: webanklive.ErrUnavailable},
	{name: "a gigabyte announced", strike: endless, class: webanklive.ErrUnavailable, once: true},
	{name: "another order, no ticket", strike: fake(livetest.Fault{Body: another}), class: webanklive.ErrUnavailable},
	{name: "throttled", strike: fake(livetest.Fault{Code: "400501"}), class: webanklive.ErrThrottled},
	{name: "contract expired", strike: fake(livetest.Fault{Code: "66660002"}), class: webanklive.ErrAccount, once: true},
	{name: "unknown code", strike: fake(livetest.Fault{Body: `{"code":"-99999","msg":"?","bizSeqNo":"1"}`}), class: webanklive.ErrAccount, once: true, verdict: webanklive.ErrNotPassed},
	{name: "the caller leaves", strike: leave, class: context.Canceled, once: true},
}

var ticketValue = regexp.MustCompile(`"value":"(\w+)"`)

func broken(err error) func(*network, *request) (*http.Response, error) {
	return func(*network, *request) (*http.Response, error) { return nil, err }
}

// fake answers from another platform, which has this fault only.
func fake(f livetest.Fault) func(*network, *request) (*http.Response, error) {
	return func(_ *network, r *request) (*http.Response, error) {
		p := livetest.New()
		p.Fail(r.endpoint, f, 1)
		return p.Transport().RoundTrip(r.Request)
	}
}

func late(n *network, r *request) (*http.Response, error) {
	if !wait(r.Context(), 3*time.Second) {
		return nil, r.Context().Err()
	}
	return n.platform.RoundTrip(r.Request)
}

// lost breaks the connection after the platform did its work.
func lost(n *network, r *request) (*http.Response, error) {
	res, err := n.platform.RoundTrip(r.Request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if m := ticketValue.FindSubmatch(body); err == nil && r.endpoint == livetest.SignTicket && m != nil {
		n.noClientHas(string(m[1]))
	}
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// leave ends the caller's context while the request is under way. The requests of a mint have no such context.
func leave(n *network, r *request) (*http.Response, error) {
	if r.call != nil {
		r.call.cancel()
	}
	if !wait(r.Context(), time.Second) {
		return nil, r.Context().Err()
	}
	return n.platform.RoundTrip(r.Request)
}

func endless(_ *network, r *request) (*http.Response, error) {
	return reply(r, 1<<30, http.NoBody), nil
}

func slow(_ *network, r *request) (*http.Response, error) {
	return reply(r, -1, &dripping{ctx: r.Context(), left: strings.Repeat(" ", 3600)}), nil
}

func reply(r *request, length int64, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, ContentLength: length, Body: body, Request: r.Request,
	}
}

// dripping brings one byte a second.
type dripping struct {
	ctx  context.Context
	left string
}

func (d *dripping) Read(p []byte) (int, error) {
	switch {
	case d.left == "":
		return 0, io.EOF
	case !wait(d.ctx, time.Second):
		return 0, d.ctx.Err()
	}
	n := copy(p[:min(len(p), 1)], d.left)
	d.left = d.left[n:]
	return n, nil
}

func (d *dripping) Close() error { return nil }

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dice are safe for concurrent use.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (d *dice) roll(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}
