package webanklive

// The platform's clock, as far as this process can tell.

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	clockTolerance = 30 * time.Second // by how much the clocks may differ before that is corrected

	// clockRest is how long after a correction no other in the opposite direction is made. Two machines of the platform may
	// disagree on the time: without a rest, a credential would expire and be valid again with each reply.
	clockRest = 5 * time.Minute
)

// A clock tells the platform's time, by which the age of a credential is judged: every machine of a fleet can read that time
// from the Date header of a reply. Until the first reply it is the local clock. It is safe for concurrent use.
type clock struct {
	local func() time.Time
	log   *slog.Logger
	skew  atomic.Int64 // the platform's time minus local time, in nanoseconds

	mu        sync.Mutex
	corrected time.Time     // when skew was last changed; zero: never
	by        time.Duration // by how much
}

// now returns the platform's time.
func (k *clock) now() time.Time { return k.at(k.local()) }

// at converts a local time to the platform's.
func (k *clock) at(local time.Time) time.Time { return local.Add(time.Duration(k.skew.Load())) }

// hear corrects the clock by the Date header of a reply, as little as that demands: the platform wrote it, in whole seconds,
// at some time between sent and received. It must be called for the platform's own replies only, not for those of a proxy.
func (k *clock) hear(ctx context.Context, date string, sent, received time.Time) {
	stamped, err := http.ParseTime(date)
	if err != nil || stamped.Sub(received).Abs() > 100*365*24*time.Hour {
		return // unreadable, or so wrong that the difference may not fit into a time.Duration
	}
	k.mu.Lock()
	before := time.Duration(k.skew.Load())
	after := min(max(before, stamped.Sub(received)), stamped.Add(time.Second).Sub(sent))
	by := after - before
	contradicts := !k.corrected.IsZero() && time.Since(k.corrected) < clockRest && (k.by < 0) != (by < 0)
	step := by.Abs() >= clockTolerance && !contradicts
	if step {
		k.corrected, k.by = time.Now(), by
		k.skew.Store(int64(after))
	}
	k.mu.Unlock()
	if step {
		k.log.WarnContext(ctx, "webanklive: this machine's clock differs from the platform's, which is corrected for",
			"ahead_by", (-after).Round(time.Second).String(), "corrected_by", by.Round(time.Second).String())
	}
}
