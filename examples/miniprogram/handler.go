// Package miniprogram is the server side of a check in a WeChat mini-program: the JSON that its page passes to
// wx.navigateToMiniProgram, and what it answers to the result that comes back. The page is in README.md.
package miniprogram

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/webanklive/webanklive"
)

// Session is what the login of the mini-program (wx.login and your own token) stands for on the server.
type Session struct{ UserID, OrderNo string }

// Liveness serves POST /liveness/start and POST /liveness/done to the mini-program's page.
type Liveness struct {
	Client *webanklive.Client
	Load   func(*http.Request) Session
	Save   func(http.ResponseWriter, Session)
	Log    *slog.Logger
}

// Start answers with appId, path and extraData, good for one launch within two minutes.
func (l *Liveness) Start(w http.ResponseWriter, r *http.Request) {
	s := Session{UserID: l.Load(r).UserID, OrderNo: "M" + rand.Text()}
	launch, err := l.Client.BuildMiniProgramLaunch(r.Context(), webanklive.MiniProgramRequest{
		OrderNo: s.OrderNo, UserID: s.UserID, SkipResultPage: true})
	if err != nil {
		l.answer(w, s, http.StatusServiceUnavailable, map[string]string{"state": "later"}, err)
		return
	}
	l.Save(w, s)
	l.answer(w, s, http.StatusOK, launch, nil)
}

// Done takes the extraData that the platform's mini-program came back with. The page sends it on unchanged; it is checked
// like a callback, and as little believed. The answer is passed, notPassed, later (ask again) or otherwise (this phone
// cannot do the check).
func (l *Liveness) Done(w http.ResponseWriter, r *http.Request) {
	s, state, status := l.Load(r), "later", http.StatusOK
	var came map[string]string
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&came); err != nil {
		l.answer(w, s, http.StatusBadRequest, map[string]string{"state": "refused"}, err)
		return
	}
	query := url.Values{}
	for name, value := range came {
		query.Set(name, value)
	}
	_, err := l.Client.VerifyCallback(r.Context(), query, s.OrderNo)
	if err == nil {
		_, err = l.Client.GetLiveResult(r.Context(), webanklive.LiveResultRequest{OrderNo: s.OrderNo})
	}
	switch {
	case err == nil:
		state = "passed"
	case errors.Is(err, webanklive.ErrNotPassed):
		state = "notPassed"
	case errors.Is(err, webanklive.ErrUnsignedCallback):
		state = "otherwise"
	case errors.Is(err, webanklive.ErrBadCallback), errors.Is(err, webanklive.ErrInvalidRequest):
		state, status = "refused", http.StatusBadRequest
	}
	l.answer(w, s, status, map[string]string{"state": state}, err)
}

func (l *Liveness) answer(w http.ResponseWriter, s Session, status int, body any, err error) {
	l.Log.Info("liveness", "order", s.OrderNo, "status", status, "err", err) // never the body: it holds a launch
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
