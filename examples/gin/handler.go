// Package ginlive is a gin handler to copy: redirect now, decide later. Route POST /liveness/start to Start behind your
// protection against forged requests, GET /liveness/done to Done and GET /liveness/result to Result.
package ginlive

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

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
	Load    func(*gin.Context) Session
	Save    func(*gin.Context, Session)
	Log     *slog.Logger
}

// Start begins a check: it sends the browser to the platform.
func (l *Liveness) Start(c *gin.Context) {
	s := Session{UserID: l.Load(c).UserID, OrderNo: "L" + rand.Text()} // an order number is used once
	link, err := l.Client.BuildLiveLoginURL(c.Request.Context(), webanklive.LiveLoginRequest{
		OrderNo: s.OrderNo, UserID: s.UserID, CallbackURL: l.SiteURL + "/liveness/done", SkipResultPage: true})
	if err != nil {
		l.say(c, s, http.StatusServiceUnavailable, "请稍后再试 Please try again later", err)
		return
	}
	l.Save(c, s)
	c.Header("Cache-Control", "no-store") // the link is a key: it is in this redirect and nowhere else
	c.Header("Referrer-Policy", "no-referrer")
	c.Redirect(http.StatusSeeOther, link)
}

// Done is where the platform sends the browser back.
func (l *Liveness) Done(c *gin.Context) {
	s := l.Load(c)
	_, err := l.Client.VerifyCallback(c.Request.Context(), c.Request.URL.Query(), s.OrderNo) // not the query's order
	switch {
	case err == nil: // it decides nothing, but now the platform can be asked
		s.Returned, s.At = s.OrderNo, time.Now()
		l.Save(c, s)
		c.Redirect(http.StatusSeeOther, "/liveness/result")
	case errors.Is(err, webanklive.ErrUnsignedCallback): // 3001: this browser cannot record
		c.Redirect(http.StatusSeeOther, "/identify/otherwise")
	default:
		l.say(c, s, http.StatusBadRequest, "无法核对，请重新开始 The answer cannot be confirmed. Please start again", err)
	}
}

// Result decides, and waits while the platform has no answer yet.
func (l *Liveness) Result(c *gin.Context) {
	s, text := l.Load(c), "没有结果，请完成验证 No result. Finish the check, or start again"
	// Nobody is asked before the callback came: an empty order number is refused at once.
	res, err := l.Client.GetLiveResult(c.Request.Context(), webanklive.LiveResultRequest{OrderNo: s.Returned})
	switch {
	case err == nil: // this, and only this, is a pass
		s.Passed, text = true, "验证通过 Passed"
		l.Save(c, s)
	case errors.Is(err, webanklive.ErrNotPassed):
		info, _ := webanklive.LookupCode(res.Code)
		text = "验证未通过 Not passed: " + info.Message
	case (errors.Is(err, webanklive.ErrNotReady) || webanklive.Retryable(err)) && time.Since(s.At) < time.Minute:
		text = "正在确认，请稍候 One moment please"
		c.Header("Refresh", "2") // the page asks again by itself
	}
	l.say(c, s, http.StatusOK, text, err)
}

// say answers and logs. The client's errors hold no secret, no link and no query.
func (l *Liveness) say(c *gin.Context, s Session, status int, text string, err error) {
	l.Log.Info("liveness", "order", s.OrderNo, "status", status, "text", text, "err", err)
	c.Header("Cache-Control", "no-store")
	c.String(status, "%s", text)
}
