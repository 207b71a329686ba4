package nethttp

// How a site wires the handlers. Much of it is in examples/gin, too, because each example is copied as a whole.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/webanklive/webanklive/checks"
)

// New returns the handlers of a site and the work behind them, which is to run in every process until it ends:
//
//	c, err := webanklive.NewClient(appID, secret, webanklive.WithCredentialStore(store))
//	live, run, err := nethttp.New(c, sqlchecks.New(db, sqlchecks.PostgreSQL), "https://shop.example", signedIn, record, log)
//	go run(ctx)
//	mux.Handle("/liveness/", live)
//
// signedIn returns the user that your own sign-in knows, "" for nobody. record does what you do about a verdict; it is
// called at least once for each check.
func New(c checks.Client, s checks.Store, siteURL string, signedIn func(*http.Request) string,
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

// sessionCookie is the name of the cookie that your sign-in sets.
const sessionCookie = "session"

// NewSessionCookie returns the cookie for a sign-in to set; value is random and new for each. Lax: it comes along when
// the platform sends the browser back, which Strict would not, and with no other site's form, which None would.
func NewSessionCookie(siteURL, value string) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(siteURL, "https:"),
	}
}

// sessionOf ties a check to this browser's session and to its user: another user in the same browser has another.
func sessionOf(signedIn func(*http.Request) string) func(*http.Request) (user, session string) {
	return func(r *http.Request) (user, session string) {
		cookie, err := r.Cookie(sessionCookie)
		if user = signedIn(r); err != nil || user == "" {
			return "", ""
		}
		sum := sha256.Sum256([]byte(cookie.Value + "\n" + user))
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
