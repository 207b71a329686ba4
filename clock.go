package webanklive

// The platform's clock, as far as this process can tell.

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// A clock judges the age of a credential on the platform's time, which every machine of a fleet can read from the
// Date of any reply. A machine whose own clock is minutes off would otherwise refresh for everybody else, early.
// Without a Date it is the local clock. It is safe for concurrent use.
type clock struct {
	local  func() time.Time
	log    *slog.Logger
	offset atomic.Int64 // the platform's time minus local time, in nanoseconds
	leapt  atomic.Pointer[leap]
	heard  atomic.Bool // a reply came, so offset is as good as it gets
}

// A leap is a large correction, and the local time when it was made.
type leap struct {
	at time.Time
	by time.Duration
}

// now returns the platform's time.
func (k *clock) now() time.Time { return k.at(k.local()) }

// at converts a local time to the platform's.
func (k *clock) at(local time.Time) time.Time { return local.Add(time.Duration(k.offset.Load())) }

// lives reports whether r may still be used, and due whether it should be refreshed. Until a reply tells how far the
// local clock is off they leave the one to the platform and the other to the rest of the fleet.
func (k *clock) lives(r *record, now time.Time) bool { return !k.heard.Load() || r.valid(now) }
func (k *clock) due(r *record, now time.Time) bool   { return k.heard.Load() && r.due(now) }

// hear corrects the offset by as little as the Date of a reply demands: the platform stamped it, in whole seconds,
// some time between sent and received.
func (k *clock) hear(date string, sent, received time.Time) {
	defer k.heard.Store(true)
	stamped, err := http.ParseTime(date)
	if err != nil {
		return
	}
	lowest, highest := stamped.Sub(received), stamped.Add(time.Second).Sub(sent)
	before := time.Duration(k.offset.Load())
	after := min(max(before, lowest), highest)
	by := after - before
	if by == 0 {
		return
	}
	leaps := by.Abs() > 30*time.Second
	if last := k.leapt.Load(); leaps && last != nil && received.Sub(last.at) < readSoon && (last.by < 0) != (by < 0) {
		return // endpoints that disagree on the time must not cost a mint for each call
	}
	k.offset.Store(int64(after))
	if leaps {
		k.leapt.Store(&leap{at: received, by: by})
		k.log.Warn("webanklive: this machine's clock differs from the platform's", "by", (-after).Round(time.Second))
	}
}
