// Package nethttp is a handler to copy: redirect now, decide later. Route POST /liveness/start to Start behind your
// protection against forged requests, GET /liveness/done to Done and GET /liveness/result to Result.
package nethttp

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/webanklive/webanklive"
)

// Session is what your signed cookie (HttpOnly, SameSite=Lax) stands for. Nothing in it comes from a query. Returned is
// OrderNo once the browser came back with the platform's answer for it, at the time At; until then it is empty.
type Session struct {
	UserID, OrderNo, Returned string
	At                        time.Time
	Passed                    bool
}

// Liveness serves the checks of a site, one after another for each session.
type Liveness struct {
	Client  *webanklive.Client
	SiteURL string // "https://shop.example"
	Load    func(*http.Request) Session
	Save    func(http.ResponseWriter, Session)
	Log     *slog.Logger
}

// Start begins a check: it sends the browser to the platform.
func (l *Liveness) Start(w http.ResponseWriter, r *http.Request) {
	s := Session{UserID: l.Load(r).UserID, OrderNo: "L" + rand.Text()} // an order number is used once
	link, err := l.Client.BuildLiveLoginURL(r.Context(), webanklive.LiveLoginRequest{
		OrderNo: s.OrderNo, UserID: s.UserID, CallbackURL: l.SiteURL + "/liveness/done", SkipResultPage: true})
	if err != nil {
		l.say(w, s, http.StatusServiceUnavailable, "请稍后再试 Please try again later", err)
		return
	}
	l.Save(w, s)
	w.Header().Set("Cache-Control", "no-store") // the link is a key: it is in this redirect and nowhere else
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, link, http.StatusSeeOther)
}

// Done is where the platform sends the browser back.
func (l *Liveness) Done(w http.ResponseWriter, r *http.Request) {
	s := l.Load(r)
	_, err := l.Client.VerifyCallback(r.Context(), r.URL.Query(), s.OrderNo) // the session's order, not the query's
	switch {
	case err == nil: // it decides nothing, but now the platform can be asked
		s.Returned, s.At = s.OrderNo, time.Now()
		l.Save(w, s)
		http.Redirect(w, r, "/liveness/result", http.StatusSeeOther)
	case errors.Is(err, webanklive.ErrUnsignedCallback): // 3001: this browser cannot record
		http.Redirect(w, r, "/identify/otherwise", http.StatusSeeOther)
	default:
		l.say(w, s, http.StatusBadRequest, "无法核对，请重新开始 The answer cannot be confirmed. Please start again", err)
	}
}

// Result decides, and waits while the platform has no answer yet.
func (l *Liveness) Result(w http.ResponseWriter, r *http.Request) {
	s, text := l.Load(r), "没有结果，请完成验证 No result. Finish the check, or start again"
	// Nobody is asked before the callback came: an empty order number is refused at once.
	res, err := l.Client.GetLiveResult(r.Context(), webanklive.LiveResultRequest{OrderNo: s.Returned})
	switch {
	case err == nil: // this, and only this, is a pass
		s.Passed, text = true, "验证通过 Passed"
		l.Save(w, s)
	case errors.Is(err, webanklive.ErrNotPassed):
		info, _ := webanklive.LookupCode(res.Code)
		text = "验证未通过 Not passed: " + info.Message
	case (errors.Is(err, webanklive.ErrNotReady) || webanklive.Retryable(err)) && time.Since(s.At) < time.Minute:
		text = "正在确认，请稍候 One moment please"
		w.Header().Set("Refresh", "2") // the page asks again by itself
	}
	l.say(w, s, http.StatusOK, text, err)
}

// say answers and logs. The client's errors hold no secret, no link and no query.
func (l *Liveness) say(w http.ResponseWriter, s Session, status int, text string, err error) {
	l.Log.Info("liveness", "order", s.OrderNo, "status", status, "text", text, "err", err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}
