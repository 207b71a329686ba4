// Package ginlive holds the gin handlers to copy: redirect now, and show what package checks has decided. site.go wires
// them, texts.go holds what people read.
package ginlive

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/webanklive/webanklive/checks"
)

// Liveness serves the checks of a site, to people who are signed in. It keeps nothing in the session.
type Liveness struct {
	Checks *checks.Service
	// Session returns who is signed in, and a secret that names this browser's session and that user together.
	Session func(*gin.Context) (user, session string)
	Log     *slog.Logger
}

// Routes adds the handlers. No answer may be kept, and no other site learns where the browser was.
func (l *Liveness) Routes(r gin.IRouter) {
	g := r.Group("/liveness", func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		c.Header("Referrer-Policy", "no-referrer")
	})
	g.POST("/start", l.start)
	g.GET("/:order/done", l.done)
	g.GET("/:order/state", l.show(func(c *gin.Context, state checks.State) { c.JSON(http.StatusOK, gin.H{"state": state}) }))
	g.GET("/:order", l.show(func(c *gin.Context, state checks.State) { c.String(http.StatusOK, "%s", texts[state]) }))
}

// start sends the browser to the platform. The link is a key: it is in this redirect and nowhere else.
func (l *Liveness) start(c *gin.Context) {
	user, session := l.Session(c)
	launch, err := l.Checks.Start(c.Request.Context(), checks.StartRequest{UserID: user, Session: session, SkipResultPage: true})
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, launch.URL)
	case errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != "": // a swipe back, a second tab, a double click
		c.Redirect(http.StatusSeeOther, "/liveness/"+launch.OrderNo)
	default:
		l.fail(c, err)
	}
}

// done is where the platform sends the browser back. It decides nothing. The order is that of the path.
func (l *Liveness) done(c *gin.Context) {
	_, session := l.Session(c)
	check, err := l.Checks.Return(c.Request.Context(), c.Param("order"), session, c.Request.URL.Query())
	if err != nil {
		l.fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/liveness/"+check.OrderNo) // without the query
}

// show answers with the state or its text. It reads the store and asks nobody else, however often it is loaded.
func (l *Liveness) show(answer func(*gin.Context, checks.State)) gin.HandlerFunc {
	return func(c *gin.Context) {
		_, session := l.Session(c)
		check, err := l.Checks.Check(c.Request.Context(), c.Param("order"), session)
		if err != nil {
			l.fail(c, err)
			return
		}
		if !check.State.Final() {
			c.Header("Refresh", "2") // the page comes back by itself
		}
		answer(c, check.State)
	}
}

// fail tells what is refused from what only has to be repeated. Why something was refused is in the log alone.
func (l *Liveness) fail(c *gin.Context, err error) {
	status, text := explain(err)
	l.Log.Warn("liveness", "order", c.Param("order"), "status", status, "err", err)
	if status == http.StatusServiceUnavailable {
		repeat(c, text)
		return
	}
	c.String(status, "%s", text)
}
