package main

// The server around the handlers: what every answer carries, health, and a log without queries.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
)

// newHTTPServer bounds every connection in time.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 45 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// routes returns everything that a replica serves.
func (s *server) routes(h *handlers, metrics http.Handler, site *url.URL) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	r.GET("/readyz", s.readyz)
	r.GET("/metrics", gin.WrapH(metrics))
	// What follows is logged. Without a writer, because gin's own lines may hold the request with its query and cookies.
	r.Use(s.logRequests, gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, p any) {
		s.log.ErrorContext(c.Request.Context(), "a handler panicked", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		h.fail(c, errors.New("a handler panicked"))
		c.Abort()
	}))

	// A form of another site must not start a check.
	origin := http.NewCrossOriginProtection()
	_ = origin.AddTrustedOrigin(site.Scheme + "://" + site.Host)
	h.routes(r.Group("/", func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		c.Header("Referrer-Policy", "no-referrer")
		c.Header("X-Content-Type-Options", "nosniff")
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		if origin.Check(c.Request) != nil && !s.isOldBrowser(c, h.sessions) {
			h.pages.show(c, http.StatusForbidden, "forged", nil)
			c.Abort()
			return
		}
		ctx, cancel := context.WithTimeout(c.Request.Context(), 40*time.Second)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}))
	r.NoRoute(func(c *gin.Context) { h.pages.show(c, http.StatusNotFound, "unknown", nil) })
	return r
}

// isOldBrowser reports a form of this site's own, sent by a browser without Sec-Fetch-Site (iOS before 16.4): under
// no-referrer its Origin is null. The session cookie is Lax, so it did not come from another site.
func (s *server) isOldBrowser(c *gin.Context, sessions sessions) bool {
	return c.GetHeader("Sec-Fetch-Site") == "" && c.GetHeader("Origin") == "null" && sessions.known(c) != ""
}

// readyz says whether this replica is worth sending requests to. ?drain looks at the shutdown alone: the readiness probe
// asks that, so that an outage of the database does not take every replica away.
func (s *server) readyz(c *gin.Context) {
	_, drainOnly := c.GetQuery("drain")
	ctx, cancel := context.WithTimeout(c.Request.Context(), 2*time.Second)
	defer cancel()
	switch {
	case s.draining.Load():
		c.String(http.StatusServiceUnavailable, "draining\n")
	case drainOnly:
		c.String(http.StatusOK, "ok\n")
	case !s.ready.Load() || s.db.PingContext(ctx) != nil:
		c.String(http.StatusServiceUnavailable, "the database is away\n")
	default:
		c.String(http.StatusOK, "ok\n")
	}
}

// logRequests logs the route, not the path and not the query: the callback's is a signature, and what a scanner puts into a
// path is its own.
func (s *server) logRequests(c *gin.Context) {
	began := time.Now()
	c.Next()
	var problem string
	if err := c.Errors.Last(); err != nil {
		problem = err.Error()
	}
	s.log.InfoContext(c.Request.Context(), "request", "method", c.Request.Method, "route", c.FullPath(),
		"status", c.Writer.Status(), "took", time.Since(began).Round(time.Millisecond).String(), "error", problem)
}
