package webanklive

// The platform's clock, as far as this process can tell.

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// clockTolerance is how far the clocks may differ before that is corrected.
	clockTolerance = 30 * time.Second

	// clockRest is how long after a correction none in the other direction follows: machines of the platform that
	// disagree on the time would otherwise make a credential expire and live again with each reply.
	clockRest = 5 * time.Minute
)

// A clock judges the age of a credential on the platform's time, which every machine of a fleet can read from the
// Date of a reply: a machine whose own clock is minutes off would refresh early for everybody, or too late. Until a
// reply came it is the local clock. It is safe for concurrent use.
type clock struct {
	local func() time.Time
	log   *slog.Logger
	skew  atomic.Int64 // the platform's time minus local time, in nanoseconds

	mu        sync.Mutex
	corrected time.Time     // when skew was last changed; monotonic
	by        time.Duration // by how much
}

// now returns the platform's time.
func (k *clock) now() time.Time { return k.at(k.local()) }

// at converts a local time to the platform's.
func (k *clock) at(local time.Time) time.Time { return local.Add(time.Duration(k.skew.Load())) }

// hear corrects the clock by as little as the Date of a reply demands: the platform stamped it, in whole seconds, some
// time between sent and received. Only replies that the platform itself wrote may be heard.
func (k *clock) hear(date string, sent, received time.Time) {
	stamped, err := http.ParseTime(date)
	if err != nil {
		return
	}
	lowest, highest := stamped.Sub(received), stamped.Add(time.Second).Sub(sent)
	k.mu.Lock()
	before := time.Duration(k.skew.Load())
	after := min(max(before, lowest), highest)
	by := after - before
	opposite := (k.by < 0) != (by < 0) && !k.corrected.IsZero() && time.Since(k.corrected) < clockRest
	steps := by.Abs() >= clockTolerance && !opposite
	if steps {
		k.corrected, k.by = time.Now(), by
		k.skew.Store(int64(after))
	}
	k.mu.Unlock()
	if steps {
		k.log.Warn("webanklive: this machine's clock differs from the platform's, which is corrected for",
			"ahead_by", (-after).Round(time.Second).String(), "corrected_by", by.Round(time.Second).String())
	}
}
