package miniprogram

// How a server wires the handlers, what it reads from a phone, and what it answers to errors.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

// New returns the handlers of a server and the work behind them, which is to run in every process until it ends:
//
//	live, run, err := miniprogram.New(client, sqlchecks.New(db, sqlchecks.PostgreSQL), "https://shop.example", signedIn, record, log)
//	go run(ctx)
//	mux.Handle("/liveness/", live)
//
// signedIn returns the user that a token of your own sign-in (wx.login) belongs to, "" for nobody. record does what you do
// about a verdict; it is called at least once for each check.
func New(c checks.Client, s checks.Store, siteURL string, signedIn func(token string) string,
	record func(context.Context, checks.Check) error, log *slog.Logger,
) (live *Liveness, run func(context.Context) error, err error) {
	service, err := checks.New(c, s, checks.Config{
		CallbackURL: func(orderNo string) string { return siteURL + "/liveness/" + orderNo + "/done" }, // of links; a launch has none
		OnConcluded: record, Logger: log,
	})
	if err != nil {
		return nil, nil, err
	}
	return &Liveness{Checks: service, Session: sessionOf(signedIn), Log: log}, service.Run, nil
}

// sessionOf ties a check to the token that the page sends with each request, and to its user. A mini-program has no
// cookies.
func sessionOf(signedIn func(token string) string) func(*http.Request) (user, session string) {
	return func(r *http.Request) (user, session string) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if user = signedIn(token); !found || user == "" {
			return "", ""
		}
		sum := sha256.Sum256([]byte(token + "\n" + user))
		return user, hex.EncodeToString(sum[:])
	}
}

// extraData reads what the phone sent as the query of a callback.
func extraData(body io.Reader) (url.Values, error) {
	var came map[string]json.RawMessage
	if err := json.NewDecoder(body).Decode(&came); err != nil {
		return nil, fmt.Errorf("%w: %w", webanklive.ErrMalformedCallback, err)
	}
	query := url.Values{}
	for name, raw := range came {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw) // a number; what is neither decides nothing
		}
		query.Set(name, text)
	}
	return query, nil
}

// explain returns the status and the body of an error. What it does not know is temporary: later, the page sends the
// same request again in three seconds.
func explain(err error) (status int, body any) {
	say := func(status int, text string) (int, any) { return status, map[string]string{"error": text} }
	switch {
	case errors.Is(err, checks.ErrNotFound):
		return say(http.StatusNotFound, "not_found")
	case errors.Is(err, webanklive.ErrBadCallback):
		return say(http.StatusBadRequest, "refused")
	case errors.Is(err, checks.ErrUnderWay):
		return say(http.StatusConflict, "under_way")
	case errors.Is(err, checks.ErrTooMany):
		return say(http.StatusTooManyRequests, "too_many")
	case errors.Is(err, webanklive.ErrInvalidRequest):
		return say(http.StatusForbidden, "sign_in") // no user; or an ID that the platform does not take
	}
	return say(http.StatusServiceUnavailable, "later")
}

// NewServer returns a server that no slow or silent phone can hold. A launch may wait for the platform for a minute.
func NewServer(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 75 * time.Second, IdleTimeout: 2 * time.Minute,
	}
}
