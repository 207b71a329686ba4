package webanklive

// The loop around the attempts of a call: what is repeated, when, and how often.

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-querystring/query"
)

const (
	// A repeat waits a random time of at most firstBackoff, then twice that, up to maxBackoff.
	firstBackoff, maxBackoff = 200 * time.Millisecond, 2 * time.Second

	// throttledBackoff comes on top where the platform asks to be called less often.
	throttledBackoff = time.Second

	// maxRetryAfter is the longest Retry-After that is waited for; a call that has to wait longer fails at once.
	maxRetryAfter = 30 * time.Second

	// mintRetries bounds the repeats of a mint, which holds the lock of the whole fleet.
	mintRetries = 2
)

// send sends one call, repeats it as WithMaxRetries says, and returns nil exactly when the platform answered with a
// 2xx status and code 0. Every other return is an *Error.
func (c *Client) send(ctx context.Context, cl call) error {
	values, err := query.Values(cl.query)
	if err != nil {
		return &Error{Op: cl.op, Err: err}
	}
	target := below(c.api, cl.path)
	target.RawQuery = encode(values)
	cl.hide = append([]string{target.RawQuery}, cl.hide...)
	cl.private = []string{values.Get("order_no"), values.Get("user_id")}
	c.redact.add(values["access_token"]...)

	retries := c.retries
	if cl.mint {
		retries = min(retries, mintRetries)
	}
	for try := 0; ; try++ {
		failed := c.sendOnce(ctx, cl, target)
		if failed == nil {
			return nil
		}
		if !failed.again || try >= retries || failed.retryAfter > maxRetryAfter {
			return failed
		}
		delay := backoff(try, failed)
		if !pause(ctx, delay) {
			if ctx.Err() != nil {
				failed = c.ended(ctx, cl, failed.target)
			}
			return failed
		}
		c.log.LogAttrs(ctx, slog.LevelInfo, "webanklive: repeating a call",
			slog.Any("error", c.publicError(failed, cl.private)), slog.String("waited", delay.Round(time.Millisecond).String()))
	}
}

// backoff returns how long to wait before a repeat. Full jitter: a fleet that failed together must not come back together.
func backoff(try int, failed *Error) time.Duration {
	jitter := between(0, min(firstBackoff<<try, maxBackoff))
	least := failed.retryAfter
	if errors.Is(failed, ErrThrottled) || failed.HTTPStatus == http.StatusTooManyRequests {
		least = max(least, throttledBackoff)
	}
	return least + jitter
}

// retryAfter reads the header of that name, which is a number of seconds or a date; 0 when it is absent or unreadable.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0 // true of nearly every reply, and parsing nothing as a date costs seven allocations
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	// Both dates by the clock of the server, where it has one.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0)
}

// pause waits for d. It returns false if ctx ends first, and at once if its deadline says so.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between returns a random duration from lowest to highest.
func between(lowest, highest time.Duration) time.Duration {
	return lowest + rand.N(highest-lowest+1) //nolint:gosec // spreads load, keeps no secret
}
