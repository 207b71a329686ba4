package main

// The handlers of a check: a tap, the way back, a page, and its state for single-page apps. They are thin over package
// checks, and no verdict lives in the browser.

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

type handlers struct {
	checks   *checks.Service
	sessions sessions
	pages    pages
}

func (h *handlers) routes(r gin.IRoutes) {
	r.GET("/", func(c *gin.Context) {
		h.sessions.of(c)
		h.pages.show(c, http.StatusOK, "start", nil)
	})
	r.POST("/liveness/start", h.start)
	r.GET("/liveness/start", func(c *gin.Context) { c.Redirect(http.StatusSeeOther, "/") }) // a page that was reloaded
	r.GET("/liveness/:order/done", h.done)
	r.GET("/liveness/:order", h.page)
	r.GET("/liveness/:order/state", h.state)
}

// start sends the browser to the platform. The link is a key: it is in this redirect and nowhere else.
func (h *handlers) start(c *gin.Context) {
	session, user := h.sessions.of(c)
	launch, err := h.checks.Start(c.Request.Context(), checks.StartRequest{UserID: user, Session: session, SkipResultPage: true})
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, launch.URL)
	case errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != "": // a swipe back, or a second tab
		c.Redirect(http.StatusSeeOther, "/liveness/"+launch.OrderNo)
	default:
		h.fail(c, err)
	}
}

// done is where the platform sends the browser back. The order is that of the path.
func (h *handlers) done(c *gin.Context) {
	session, _ := h.sessions.of(c)
	check, err := h.checks.Return(c.Request.Context(), c.Param("order"), session, c.Request.URL.Query())
	if err != nil {
		h.fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/liveness/"+check.OrderNo)
}

// page shows the check. It reads the database only, however often it is loaded.
func (h *handlers) page(c *gin.Context) {
	session, _ := h.sessions.of(c)
	check, err := h.checks.Check(c.Request.Context(), c.Param("order"), session)
	if err != nil {
		h.fail(c, err)
		return
	}
	if !check.State.Final() {
		c.Header("Refresh", "2") // the page comes back by itself
	}
	h.pages.show(c, http.StatusOK, string(check.State), &check)
}

func (h *handlers) state(c *gin.Context) {
	session, _ := h.sessions.of(c)
	check, err := h.checks.Check(c.Request.Context(), c.Param("order"), session)
	if err != nil {
		h.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"state": check.State, "order": check.OrderNo, "version": check.Version})
}

// fail answers an error of package checks.
func (h *handlers) fail(c *gin.Context, err error) {
	status, page := explain(err)
	if status == http.StatusServiceUnavailable {
		_ = c.Error(err) // for the log
		c.Header("Retry-After", "3")
		if c.Request.Method == http.MethodGet {
			c.Header("Refresh", "3") // repeats this very request, query and all
		} else {
			page = "repeat" // by the button, which posts the same form
		}
	}
	h.pages.show(c, status, page, nil)
}

// explain tells what is final from what is temporary.
func explain(err error) (status int, page string) {
	switch {
	case errors.Is(err, checks.ErrNotFound):
		return http.StatusNotFound, "unknown"
	case errors.Is(err, webanklive.ErrBadCallback):
		return http.StatusBadRequest, "bad"
	case errors.Is(err, checks.ErrUnderWay):
		return http.StatusConflict, "busy"
	case errors.Is(err, checks.ErrTooMany):
		return http.StatusTooManyRequests, "toomany"
	}
	return http.StatusServiceUnavailable, "later"
}
