// Package miniprogram is the server side of a check in a WeChat mini-program: the JSON that its page passes to
// wx.navigateToMiniProgram, what it sends on of the result that comes back, and what package checks has decided. The page is
// in README.md, the wiring in site.go.
package miniprogram

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/webanklive/webanklive/checks"
)

// Liveness serves the checks of a mini-program below /liveness/, to people who are signed in.
type Liveness struct {
	Checks *checks.Service
	// Session returns who is signed in, and a secret that names this session and that user together.
	Session func(*http.Request) (user, session string)
	Log     *slog.Logger
}

// ServeHTTP lets no answer be kept.
func (l *Liveness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /liveness/start", l.start)
	mux.HandleFunc("POST /liveness/{order}/done", l.done)
	mux.HandleFunc("GET /liveness/{order}/state", l.state)
	mux.ServeHTTP(w, r)
}

// start answers with the order and a launch of appId, path and extraData, good once and for two minutes. Without a launch
// a check is under way, after a swipe back for instance: the page goes on asking for its state.
func (l *Liveness) start(w http.ResponseWriter, r *http.Request) {
	user, session := l.Session(r)
	launch, err := l.Checks.Start(r.Context(), checks.StartRequest{UserID: user, Session: session, MiniProgram: true, SkipResultPage: true})
	if errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != "" {
		err = nil
	}
	l.answer(w, r, map[string]any{"order": launch.OrderNo, "state": checks.Launched, "launch": launch.MiniProgram}, err)
}

// done takes the extraData that the platform's mini-program came back with; the page sends it on unchanged, numbers or
// strings as the phone has them. It is checked like a callback, and as little believed.
func (l *Liveness) done(w http.ResponseWriter, r *http.Request) {
	var check checks.Check
	query, err := extraData(http.MaxBytesReader(w, r.Body, 16<<10))
	if err == nil {
		_, session := l.Session(r)
		check, err = l.Checks.Return(r.Context(), r.PathValue("order"), session, query)
	}
	l.answer(w, r, map[string]any{"order": check.OrderNo, "state": check.State}, err)
}

// state reads the store and asks nobody else, however often the page asks.
func (l *Liveness) state(w http.ResponseWriter, r *http.Request) {
	_, session := l.Session(r)
	check, err := l.Checks.Check(r.Context(), r.PathValue("order"), session)
	l.answer(w, r, map[string]any{"order": check.OrderNo, "state": check.State}, err)
}

// answer tells what is refused from what only has to be repeated. Why something was refused is in the log alone.
func (l *Liveness) answer(w http.ResponseWriter, r *http.Request, body any, err error) {
	status := http.StatusOK
	if err != nil {
		status, body = explain(err)
		l.Log.Warn("liveness", "order", r.PathValue("order"), "status", status, "err", err) // never a body: it holds a launch
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "3")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
