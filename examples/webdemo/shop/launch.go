package shop

// The start page, and the redirect to the platform.

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/webanklive/webanklive"
)

// launch is what one form token started. The fields below done are final once done is closed.
type launch struct {
	order *order
	began time.Time
	done  chan struct{}
	link  string // confidential, and good for one request
	ready time.Time
	err   error
}

// doubleClick is how long after the first redirect the same form is taken for the same click.
const doubleClick = 3 * time.Second

func (s *Shop) startPage(w http.ResponseWriter, r *http.Request) {
	v := s.welcome(w, r)
	s.page(w, http.StatusOK, "start.html", map[string]any{"Token": s.newFormToken(v), "Recent": s.recent(v)})
}

// start sends the browser to the platform. The browser of a double click drops the answer to the first request and
// follows the second one, so both get the same link. Whoever sends the form again later, with the back button for
// instance, is shown what became of the order: its link is used up.
func (s *Shop) start(w http.ResponseWriter, r *http.Request) {
	v := s.visitor(r)
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	token := r.PostFormValue("token")
	if !s.validFormToken(v, token) {
		s.message(w, http.StatusForbidden, "页面已过期，请重新开始", "This page is out of date. Start again.")
		return
	}
	l, first := s.launchOf(v, token)
	if first {
		// Without the request's cancellation: the second click cancels the first request.
		s.build(context.WithoutCancel(r.Context()), l, token, v, entryFor(r.UserAgent()))
	}
	select {
	case <-l.done:
	case <-r.Context().Done():
		return
	}
	switch {
	case l.err != nil:
		s.message(w, http.StatusServiceUnavailable, "暂时无法发起验证，请稍后再试", "The check cannot be started just now. Try again later.")
	case time.Since(l.ready) > doubleClick:
		http.Redirect(w, r, "/liveness/"+l.order.number, http.StatusSeeOther)
	default:
		http.Redirect(w, r, l.link, http.StatusSeeOther)
	}
}

// launchOf returns the launch of a token, and whether the caller is the one who has to build it.
func (s *Shop) launchOf(v visitor, token string) (l *launch, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.launches[token]; l != nil {
		return l, false
	}
	l = &launch{order: s.newOrder(v), began: time.Now(), done: make(chan struct{})}
	s.launches[token] = l
	return l, true
}

func (s *Shop) build(ctx context.Context, l *launch, token string, v visitor, entry webanklive.Entry) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	number := l.order.number
	l.link, l.err = s.Client.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: number, UserID: s.userID(v), CallbackURL: s.PublicURL + "/liveness/" + number + "/done",
		Entry: entry, SkipResultPage: !s.ShowResultPage,
	})
	l.ready = time.Now()
	if l.err != nil {
		s.Log.ErrorContext(ctx, "launch failed", "order", number, "err", l.err)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.orders, number)
		delete(s.launches, token) // the next click of the same form tries again
		return
	}
	s.Log.InfoContext(ctx, "launched", "order", number)
}

// entryFor tells WeChat and desktop browsers from a phone's.
func entryFor(userAgent string) webanklive.Entry {
	has := func(s string) bool { return strings.Contains(userAgent, s) }
	switch {
	case has("MicroMessenger"):
		return webanklive.EntryWeChat
	case has("Windows NT") || has("Macintosh") || has("X11; Linux") || has("CrOS"):
		return webanklive.EntryPC
	}
	return webanklive.EntryH5
}
