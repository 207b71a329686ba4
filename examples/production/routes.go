package main

// The server around the handlers: what every answer carries, health, and a log without queries.

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
)

// newHTTPServer bounds every connection in time.
func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 45 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// routes returns everything that a replica serves.
func (s *server) routes(h *handlers, metrics http.Handler, site *url.URL) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(s.logRequests, gin.CustomRecovery(func(c *gin.Context, _ any) { h.pages.show(c, http.StatusInternalServerError, "later", nil) }))
	r.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	r.GET("/readyz", s.readyz)
	r.GET("/metrics", gin.WrapH(metrics))

	// A form of another site must not start a check.
	origin := http.NewCrossOriginProtection()
	_ = origin.AddTrustedOrigin(site.Scheme + "://" + site.Host)
	h.routes(r.Group("/", func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		c.Header("Referrer-Policy", "no-referrer")
		c.Header("X-Content-Type-Options", "nosniff")
		c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		if origin.Check(c.Request) != nil {
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

// logRequests logs the route, not the path and not the query: an order number is personal data, and the callback's query is
// a signature.
func (s *server) logRequests(c *gin.Context) {
	began := time.Now()
	c.Next()
	s.log.InfoContext(c.Request.Context(), "request", "method", c.Request.Method, "route", c.FullPath(),
		"status", c.Writer.Status(), "took", time.Since(began).Round(time.Millisecond).String(), "error", c.Errors.String())
}
