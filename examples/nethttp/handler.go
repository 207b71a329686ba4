// Package nethttp holds the handlers to copy: redirect now, and show what package checks has decided. site.go wires them,
// texts.go holds what people read.
package nethttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/webanklive/webanklive/checks"
)

// Liveness serves the checks of a site below /liveness/, to people who are signed in. It keeps nothing in the session.
type Liveness struct {
	Checks *checks.Service
	// Session returns who is signed in, and a secret that names this browser's session and that user together.
	Session func(*http.Request) (user, session string)
	Log     *slog.Logger
}

// ServeHTTP lets no answer be kept, and tells no other site where the browser was.
func (l *Liveness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /liveness/start", l.start)
	mux.HandleFunc("GET /liveness/{order}/done", l.done)
	mux.HandleFunc("GET /liveness/{order}/state", l.show("{\"state\":%[1]q}\n", "application/json"))
	mux.HandleFunc("GET /liveness/{order}", l.show("%[2]s\n", "text/plain; charset=utf-8"))
	mux.ServeHTTP(w, r)
}

// start sends the browser to the platform. The link is a key: it is in this redirect and nowhere else.
func (l *Liveness) start(w http.ResponseWriter, r *http.Request) {
	user, session := l.Session(r)
	launch, err := l.Checks.Start(r.Context(), checks.StartRequest{UserID: user, Session: session, SkipResultPage: true})
	switch {
	case err == nil:
		http.Redirect(w, r, launch.URL, http.StatusSeeOther)
	case errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != "": // a swipe back, a second tab, a double click
		http.Redirect(w, r, "/liveness/"+launch.OrderNo, http.StatusSeeOther)
	default:
		l.fail(w, r, err)
	}
}

// done is where the platform sends the browser back. It decides nothing. The order is that of the path.
func (l *Liveness) done(w http.ResponseWriter, r *http.Request) {
	_, session := l.Session(r)
	check, err := l.Checks.Return(r.Context(), r.PathValue("order"), session, r.URL.Query())
	if err != nil {
		l.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/liveness/"+check.OrderNo, http.StatusSeeOther) // without the query
}

// show answers with the state or its text. It reads the store and asks nobody else, however often it is loaded.
func (l *Liveness) show(format, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, session := l.Session(r)
		check, err := l.Checks.Check(r.Context(), r.PathValue("order"), session)
		if err != nil {
			l.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		if !check.State.Final() {
			w.Header().Set("Refresh", "2") // the page comes back by itself
		}
		fmt.Fprintf(w, format, check.State, texts[check.State])
	}
}

// fail tells what is refused from what only has to be repeated. Why something was refused is in the log alone.
func (l *Liveness) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := explain(err)
	l.Log.Warn("liveness", "order", r.PathValue("order"), "status", status, "err", err)
	if status == http.StatusServiceUnavailable {
		repeat(w, r, text)
		return
	}
	http.Error(w, text, status)
}
