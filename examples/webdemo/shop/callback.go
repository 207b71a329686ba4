package shop

// The way back: the callback, and the pages that a browser asks for afterwards.

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/webanklive/webanklive"
)

// callback is where the platform sends the browser. The order is the one whose launch had this path; it must be the
// browser's own, and the query must be the platform's answer for it. Whatever comes, the answer is a redirect without a
// query, so that a reload and the back button are harmless.
func (s *Shop) callback(w http.ResponseWriter, r *http.Request) {
	o, ok := s.find(r.PathValue("order"), s.visitor(r))
	if !ok {
		s.notYours(w)
		return
	}
	cb, err := s.Client.VerifyCallback(r.Context(), r.URL.Query(), o.number)
	switch {
	case errors.Is(err, webanklive.ErrUnsignedCallback):
		// It proves nothing, so it ends nothing: a signed callback may still come.
		s.change(o.number, func(o order) bool { return o.stage == launched }, func(o *order) { o.stage, o.code = unsigned, cb.Code })
		s.Log.InfoContext(r.Context(), "callback without signature", "order", o.number, "code", cb.Code)
	case errors.Is(err, webanklive.ErrBadCallback):
		s.Log.WarnContext(r.Context(), "callback refused", "order", o.number, "err", err)
		s.message(w, http.StatusBadRequest, "返回信息无效", "This is not the platform's answer. Nothing was changed.")
		return
	case err != nil:
		s.Log.ErrorContext(r.Context(), "callback not checked", "order", o.number, "err", err)
		s.message(w, http.StatusServiceUnavailable, "暂时无法核对，请刷新页面", "The answer cannot be checked just now. Reload this page.")
		return
	default:
		s.wake(o.number, cb.Code)
	}
	http.Redirect(w, r, "/liveness/"+o.number, http.StatusSeeOther)
}

// orderPage shows how far an order is. While it may still change by itself, the page asks state.
func (s *Shop) orderPage(w http.ResponseWriter, r *http.Request) {
	o, ok := s.find(r.PathValue("order"), s.visitor(r))
	if !ok {
		s.notYours(w)
		return
	}
	s.page(w, http.StatusOK, "order.html", newView(o))
}

// state tells a waiting page whether to load itself again. It asks nobody: the server is awake already.
func (s *Shop) state(w http.ResponseWriter, r *http.Request) {
	o, ok := s.find(r.PathValue("order"), s.visitor(r))
	if !ok {
		http.Error(w, "not yours", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]int{"version": o.version})
}

// media shows the evidence to the browser that owns the order, and to nobody else.
func (s *Shop) media(w http.ResponseWriter, r *http.Request) {
	o, ok := s.find(r.PathValue("order"), s.visitor(r))
	content, kind := o.result.Photo, o.result.PhotoType
	switch r.PathValue("media") {
	case "photo":
	case "video":
		content, kind = o.result.Video, o.result.VideoType
	default:
		ok = false
	}
	if !ok || o.stage != passed || len(content) == 0 || kind == "" {
		s.notYours(w)
		return
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content)) // with ranges, which phones need for video
}

func (s *Shop) notYours(w http.ResponseWriter) {
	s.message(w, http.StatusNotFound, "在这个浏览器中没有这笔验证", "This browser has no such check.")
}
