// Sabotage on demand: replies that are late, wrong, cut or missing.

package livetest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Fault is what goes wrong with one reply. Fields combine: first the Delay, then a reply (Redirect, Code, Status and Body,
// else the true one), then what happens to it on the way (Replace, OneByte, and at Bytes: Hang, Reset or Truncate).
//
// A fault that brings its own reply, and Hang or Reset before any byte, comes instead of the platform's work: no ticket is
// made or consumed. The others come after it.
type Fault struct {
	Delay time.Duration // wait, in time.Now's time, or until the client leaves

	Hang     bool // stop until the client leaves or the server stops, after Bytes bytes of the body; 0: before the header
	Reset    bool // break the connection, after Bytes bytes of the body; 0: before the header
	Truncate bool // close the connection after the header and Bytes bytes of the body
	Bytes    int  // a body that is not longer than this is left alone

	Redirect    string // to this URL, with Status or 302
	Code        string // the vendor's error envelope with this code, with Status or 200
	Status      int    // this status with Body, or with a gateway's HTML page
	Body        string // this body with Status or 200
	ContentType string // of Body; empty: text/html

	Replace func(body []byte) []byte // what the client gets instead of body; called without locks
	OneByte bool                     // every byte of the body in a packet of its own
}

type plannedFault struct {
	Fault
	times int // negative: for ever
}

// Fail plans f for the next times requests to e, after the faults that are planned already; a negative times means for
// ever, zero clears the plan. Net/http repeats a GET by itself when a connection that it reuses is reset before the header:
// Calls then counts both.
func (p *Platform) Fail(e Endpoint, f Fault, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if times == 0 {
		delete(p.faults, e)
		return
	}
	p.faults[e] = append(p.faults[e], plannedFault{f, times})
}

func (p *Platform) nextFault(e Endpoint) Fault {
	plan := p.faults[e]
	if len(plan) == 0 {
		return Fault{}
	}
	f := plan[0].Fault
	if plan[0].times--; plan[0].times == 0 {
		p.faults[e] = plan[1:]
	}
	return f
}

// serve answers with f's reply or with next's.
func (f Fault) serve(p *Platform, w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter)) {
	if f.Delay > 0 {
		p.pause(r.Context(), f.Delay)
	}
	p.date(w)
	breakOff := f.breakOff(p, w, r.Context())
	if breakOff != nil && f.Bytes == 0 && !f.Truncate {
		breakOff()
	}
	if breakOff != nil || f.OneByte {
		w = &mangler{ResponseWriter: w, left: f.Bytes, breakOff: breakOff, oneByte: f.OneByte}
	}
	if f.Replace != nil {
		whole := &recorder{ResponseWriter: w}
		f.reply(p, whole, next)
		body := f.Replace(whole.body.Bytes())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(cmp.Or(whole.status, http.StatusOK))
		_, _ = w.Write(body)
		return
	}
	f.reply(p, w, next)
}

func (f Fault) reply(p *Platform, w http.ResponseWriter, next func(http.ResponseWriter)) {
	switch {
	case f.Redirect != "":
		w.Header().Set("Location", f.Redirect)
		status := cmp.Or(f.Status, http.StatusFound)
		page(w, status, statusTitle(status), "")
	case f.Code != "":
		p.mu.Lock()
		style := p.style
		p.mu.Unlock()
		answer(w, cmp.Or(f.Status, http.StatusOK), style, p.envelope(style, f.Code))
	case f.Body != "" || f.ContentType != "":
		w.Header().Set("Content-Type", cmp.Or(f.ContentType, "text/html; charset=utf-8"))
		w.Header().Set("Content-Length", strconv.Itoa(len(f.Body)))
		w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
		_, _ = io.WriteString(w, f.Body)
	case f.Status != 0:
		page(w, f.Status, statusTitle(f.Status), "")
	default:
		next(w)
	}
}

func statusTitle(status int) string { return strconv.Itoa(status) + " " + http.StatusText(status) }

// breakOff returns how the reply ends early, or nil. It ends the handler by a panic, as net/http wants it.
func (f Fault) breakOff(p *Platform, w http.ResponseWriter, ctx context.Context) func() {
	switch {
	case f.Hang:
		return func() {
			p.pause(ctx, 0)
			panic(http.ErrAbortHandler)
		}
	case f.Reset:
		return func() { reset(w) }
	case f.Truncate:
		return func() { panic(http.ErrAbortHandler) }
	}
	return nil
}

// pause waits for d, or without end if d is 0. It does not return if the client leaves or the server stops first.
func (p *Platform) pause(ctx context.Context, d time.Duration) {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	case <-p.stopped:
		panic(http.ErrAbortHandler)
	}
}

// reset breaks the connection so that the peer sees a reset, not an orderly end.
func reset(w http.ResponseWriter) {
	if m, ok := w.(*memoryWriter); ok {
		m.breakWith(errReset)
	} else if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // no time to send what is left: the kernel answers with RST
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// mangler lets left bytes of the body through before it breaks off.
type mangler struct {
	http.ResponseWriter
	left     int
	breakOff func() // nil: never
	oneByte  bool
}

func (m *mangler) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		n := len(b) - written
		if m.oneByte {
			n = 1
		}
		if m.breakOff != nil {
			n = min(n, m.left)
			m.left -= n
		}
		if n == 0 {
			m.flush()
			m.breakOff()
		}
		sent, err := m.ResponseWriter.Write(b[written : written+n])
		written += sent
		if err != nil {
			return written, err
		}
		if m.oneByte {
			m.flush()
		}
	}
	return written, nil
}

// Unwrap lets http.ResponseController flush.
func (m *mangler) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *mangler) flush() { _ = http.NewResponseController(m.ResponseWriter).Flush() }

// recorder keeps a reply back so that it can be replaced whole.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
