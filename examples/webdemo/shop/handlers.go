package shop

// The handlers: the redirect to the platform, the way back, and what a page asks for afterwards.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

// doubleClick is how long after the first redirect the same form is taken for the same click.
const doubleClick = 3 * time.Second

// click is a launch that may be the answer to a second click, too.
type click struct {
	launch checks.Launch
	at     time.Time
}

func (s *Shop) startPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, http.StatusOK, "start.html", map[string]any{"Token": s.newFormToken(s.welcome(w, r))})
}

// entries are the platform's pages that a visitor may choose. A server cannot tell: iPads call themselves Macintosh.
var entries = map[string]webanklive.Entry{"": webanklive.EntryH5, "pc": webanklive.EntryPC, "wechat": webanklive.EntryWeChat}

// start sends the browser to the platform. The browser of a double click drops the answer to the first request and
// follows the second one, so both get the same link. Who comes back later, with the back button for instance, is shown
// the check under way: its link is used up.
func (s *Shop) start(w http.ResponseWriter, r *http.Request) {
	v := s.visitor(r)
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	token, entry := r.PostFormValue("token"), r.PostFormValue("entry")
	if _, known := entries[entry]; !known || !s.validFormToken(v, token) {
		s.message(w, http.StatusForbidden, "页面已过期，请重新开始", "This page is out of date. Start again.")
		return
	}
	result, err, _ := s.starting.Do(token, func() (any, error) {
		// Without the request's cancellation: the second click cancels the first request.
		return s.launch(context.WithoutCancel(r.Context()), v, token, entries[entry])
	})
	launch, _ := result.(checks.Launch)
	switch {
	case err == nil:
		http.Redirect(w, r, launch.URL, http.StatusSeeOther)
	case errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != "":
		http.Redirect(w, r, "/liveness/"+launch.OrderNo, http.StatusSeeOther)
	default:
		s.fail(w, r, err)
	}
}

func (s *Shop) launch(ctx context.Context, v visitor, token string, entry webanklive.Entry) (checks.Launch, error) {
	s.mu.Lock()
	earlier, found := s.clicks[token]
	s.mu.Unlock()
	if found && time.Since(earlier.at) < doubleClick {
		return earlier.launch, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	launch, err := s.checks.Start(ctx, checks.StartRequest{
		UserID: s.userID(v), Session: v.id, Entry: entry, SkipResultPage: !s.ShowResultPage,
	})
	if err != nil {
		return launch, err
	}
	s.Log.InfoContext(ctx, "launched", "order", launch.OrderNo)
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, c := range s.clicks {
		if time.Since(c.at) >= doubleClick {
			delete(s.clicks, token)
		}
	}
	s.clicks[token] = click{launch, time.Now()}
	return launch, nil
}

// callback is where the platform sends the browser. The answer is a redirect without a query, so that a reload and the
// back button are harmless.
func (s *Shop) callback(w http.ResponseWriter, r *http.Request) {
	check, err := s.checks.Return(r.Context(), r.PathValue("order"), s.visitor(r).id, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/liveness/"+check.OrderNo, http.StatusSeeOther)
}

// checkPage shows how far a check is. While it may still change by itself, the page asks state.
func (s *Shop) checkPage(w http.ResponseWriter, r *http.Request) {
	check, err := s.checks.Check(r.Context(), r.PathValue("order"), s.visitor(r).id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, http.StatusOK, "order.html", s.newView(check, r))
}

// state tells a waiting page whether to load itself again.
func (s *Shop) state(w http.ResponseWriter, r *http.Request) {
	check, err := s.checks.Check(r.Context(), r.PathValue("order"), s.visitor(r).id)
	if err != nil {
		status, _, _ := explain(err)
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"state": string(check.State), "evidence": s.newView(check, r).Evidence})
}

// media shows photo and video on the fake platform to the browser whose check passed, if it runs on this machine. A link
// can be relayed: with the real platform, or from elsewhere, the person in the picture may be another one.
func (s *Shop) media(w http.ResponseWriter, r *http.Request) {
	check, err := s.checks.Check(r.Context(), r.PathValue("order"), s.visitor(r).id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	name := r.PathValue("media")
	kept, ok := s.picturesOf(check, r)
	content, kind := kept.photo, kept.photoType
	if name == "video" {
		content, kind = kept.video, kept.videoType
	}
	if !ok || name != "photo" && name != "video" || len(content) == 0 || kind == "" {
		s.fail(w, r, checks.ErrNotFound)
		return
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content)) // with ranges, which phones need for video
}

// picturesOf returns what may be shown of a check to who sent r.
func (s *Shop) picturesOf(check checks.Check, r *http.Request) (pictures, bool) {
	if s.album == nil || check.State != checks.Passed || !fromThisMachine(r) {
		return pictures{}, false
	}
	return s.album.of(check.OrderNo)
}

// fromThisMachine reports whether a browser on this machine sent r, with no proxy or tunnel between them.
func fromThisMachine(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	addr, err2 := netip.ParseAddr(host)
	if err != nil || err2 != nil || !addr.IsLoopback() {
		return false
	}
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	return true
}

// fail answers an error of package checks. What is temporary comes back by itself; why something was refused is in the
// log alone.
func (s *Shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, zh, en := explain(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "3")
		if r.Method == http.MethodGet {
			w.Header().Set("Refresh", "3") // this very request, query and all
		}
	}
	s.Log.WarnContext(r.Context(), "refused", "order", r.PathValue("order"), "status", status, "err", err)
	s.message(w, status, zh, en)
}

func explain(err error) (status int, zh, en string) {
	switch {
	case errors.Is(err, checks.ErrNotFound):
		return http.StatusNotFound, "在这个浏览器中没有这笔验证", "This browser has no such check."
	case errors.Is(err, webanklive.ErrBadCallback):
		return http.StatusBadRequest, "无法确认，没有任何改变", "This cannot be confirmed. Nothing was changed."
	case errors.Is(err, checks.ErrUnderWay):
		return http.StatusConflict, "已有一次验证正在进行，请稍后再试", "A check is under way already. Try again later."
	case errors.Is(err, checks.ErrTooMany):
		return http.StatusTooManyRequests, "今天的次数已用完，请明天再试", "No attempts are left today. Try again tomorrow."
	}
	return http.StatusServiceUnavailable, "请稍候，暂时无法处理", "One moment please. This cannot be done just now."
}
