package ginlive

// How a site wires the handlers. Much of it is in examples/nethttp, too, because each example is copied as a whole.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/webanklive/webanklive/checks"
)

// New returns the handlers of a site and the work behind them, which is to run in every process until it ends:
//
//	live, run, err := ginlive.New(client, sqlchecks.New(db, sqlchecks.PostgreSQL), "https://shop.example", signedIn, record, log)
//	go run(ctx)
//	router := ginlive.NewRouter()
//	live.Routes(router)
//
// signedIn returns the user that your own sign-in knows, "" for nobody. record does what you do about a verdict; it is
// called at least once for each check.
func New(c checks.Client, s checks.Store, siteURL string, signedIn func(*gin.Context) string,
	record func(context.Context, checks.Check) error, log *slog.Logger,
) (live *Liveness, run func(context.Context) error, err error) {
	service, err := checks.New(c, s, checks.Config{
		CallbackURL: func(orderNo string) string { return siteURL + "/liveness/" + orderNo + "/done" },
		OnConcluded: record, Logger: log,
	})
	if err != nil {
		return nil, nil, err
	}
	return &Liveness{Checks: service, Session: sessionOf(signedIn), Log: log}, service.Run, nil
}

// NewRouter returns a router whose log has no queries, because a callback's holds its signature. That of gin.Default
// prints them with each request, and with each panic.
func NewRouter() *gin.Engine {
	r := gin.New()
	r.Use(gin.LoggerWithConfig(gin.LoggerConfig{SkipQueryString: true}))
	r.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, panicked any) {
		slog.Error("panic", "route", c.FullPath(), "panic", panicked, "stack", string(debug.Stack()))
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	return r
}

// sessionCookie is the name of the cookie that your sign-in sets.
const sessionCookie = "session"

// SetSessionCookie sets the cookie of a sign-in; value is random and new for each. Lax: it comes along when the platform
// sends the browser back, which Strict would not, and with no other site's form, which None would.
func SetSessionCookie(c *gin.Context, siteURL, value string) {
	c.SetSameSite(http.SameSiteLaxMode)
	c.SetCookie(sessionCookie, value, 0, "/", "", strings.HasPrefix(siteURL, "https:"), true)
}

// sessionOf ties a check to this browser's session and to its user: another user in the same browser has another.
func sessionOf(signedIn func(*gin.Context) string) func(*gin.Context) (user, session string) {
	return func(c *gin.Context) (user, session string) {
		cookie, err := c.Cookie(sessionCookie)
		if user = signedIn(c); err != nil || user == "" {
			return "", ""
		}
		sum := sha256.Sum256([]byte(cookie + "\n" + user))
		return user, hex.EncodeToString(sum[:])
	}
}

// NewServer returns a server that no slow or silent browser can hold. A launch may wait for the platform for a minute.
func NewServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 75 * time.Second, IdleTimeout: 2 * time.Minute,
	}
}
