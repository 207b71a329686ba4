//go:build go1.25

package main

// What is counted, the rules for the totals, and the table.

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// figures of a run. The counters are safe for concurrent use; the rest is set at the end.
type figures struct {
	ended atomic.Int64

	mu          sync.Mutex
	outcomes    map[string]int // call: how it ended
	refusals    map[string]int // by the platform's reason
	longestCall time.Duration
	rotations   int
	lastTurn    time.Time
	heap        [2]uint64 // highest in the first and in the last tenth, after a collection
	resident    [2]uint64

	simulated, wall time.Duration
	tokens          int
	struck          map[string]int
	wasted          int // access tokens that faults may have cost
	wrong           int // requests that were refused for a fault of the SDK: a wrong signature, a ticket used twice
}

func newFigures() figures {
	return figures{outcomes: map[string]int{}, refusals: map[string]int{}}
}

// count notes how a call ended; one that should not have ended so fails the test.
func (r *run) count(what, how string, designed bool, err error) {
	if !designed {
		r.t.Errorf("%s: %s: not as designed: %v", what, how, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[what+": "+how]++
}

// took notes how long a call took.
func (r *run) took(c *call) {
	took := time.Since(c.began)
	if took > c.limit {
		r.t.Errorf("a call took %v, want %v at most", took, c.limit)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.longestCall = max(r.longestCall, took)
}

func (r *run) rotated() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotations++
	r.lastTurn = time.Now()
}

func (r *run) rotatedWithin(d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.lastTurn.IsZero() && time.Since(r.lastTurn) < d
}

// readRefusals counts the refusals since its last call. The platform returns the newest refusals, whether they were read or
// not, so a request for an unknown path marks the place.
func (r *run) readRefusals() {
	const mark = "/idasc/read-until-here"
	all := r.platform.Refusals()
	from := 0
	for i, text := range all {
		if strings.Contains(text, mark) {
			from = i + 1
		}
	}
	if from == 0 && r.rotations > 1 {
		r.t.Error("refusals were forgotten before they were read")
	}
	r.mu.Lock()
	for _, text := range all[from:] {
		r.refusals[varying.ReplaceAllString(text, "…")]++
	}
	r.mu.Unlock()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://mark.invalid"+mark, nil)
	if err == nil {
		var res *http.Response
		if res, err = r.platform.Transport().RoundTrip(req); err == nil {
			err = res.Body.Close()
		}
	}
	if err != nil {
		r.t.Error(err)
	}
}

// varying matches the parts that differ between refusals of one kind.
var varying = regexp.MustCompile(`"[^"]*"|-?(\d+[hm])*\d+(\.\d+)?m?s\b`)

// end counts a launch. At some launches of the first and of the last tenth it measures the memory. The highest value of each
// tenth counts, because the platform's histories grow at first.
func (r *run) end(number int64) {
	r.ended.Add(1)
	tenth, every := int64(r.launches)/10, max(int64(r.launches)/300, 1)
	if r.launches < enoughForMemory || number%every != 0 || number > tenth && number <= 9*tenth {
		return
	}
	when := 0
	if number > 9*tenth {
		when = 1
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heap[when] = max(r.heap[when], m.HeapAlloc)
	r.resident[when] = max(r.resident[when], residentMemory())
}

// residentMemory returns the process's memory in bytes, 0 on systems that do not say.
func residentMemory() uint64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var size, resident uint64
	_, _ = fmt.Sscan(string(text), &size, &resident)
	return resident * uint64(os.Getpagesize())
}

// refusalsByDesign are the reasons for which an honest request may be refused, because something died or was too soon.
var refusalsByDesign = regexp.MustCompile(`^(` +
	`api_ticket (NONCE|SIGN): the access token is dead` +
	`|api_ticket NONCE: user … got a NONCE ticket less than` +
	`|livelogin: the NONCE ticket died with its access token` +
	`|getLiveResult: the SIGN ticket (is dead|died with its access token)` +
	`|getLiveResult: the person has not finished the check` +
	`)`)

// enoughForMemory is the number of launches from which on a tenth is long enough to fill the histories of the fake platform.
const enoughForMemory = 400_000

// check reports to t each rule for the totals that does not hold.
func (r *run) check(t *testing.T) {
	for reason, n := range r.refusals {
		if !refusalsByDesign.MatchString(reason) {
			r.wrong += n
			t.Errorf("the platform refused %d requests: %s", n, reason)
		}
	}
	if ended := r.ended.Load(); ended != int64(r.launches) {
		t.Errorf("%d launches of %d ended", ended, r.launches)
	}
	if most := r.mostTokens(); r.tokens > most {
		t.Errorf("%d access tokens were made, want %d at most", r.tokens, most)
	}
	if r.heap[0] > 0 {
		for what, m := range map[string][2]uint64{"live heap": r.heap, "resident memory": r.resident} {
			if grown := float64(m[1]) / float64(m[0]); grown > 1.1 {
				t.Errorf("%s: %d bytes in the first tenth, %d in the last", what, m[0], m[1])
			}
		}
	}
	for _, f := range faults {
		if want := r.launches / perKind; r.struck[f.name] < want {
			t.Errorf("%q struck %d times, want %d at least", f.name, r.struck[f.name], want)
		}
	}
}

// mostTokens is how many access tokens the clients may have asked for and got: one at the start, one for each refresh,
// which comes 18 minutes after the last mint at the earliest, one for each rotation that killed theirs, and one for each
// whose reply was lost or whose SIGN ticket was not to be had.
func (f *figures) mostTokens() int {
	return 1 + int(f.simulated/(18*time.Minute)) + f.rotations + f.wasted
}

// String is the table.
func (f *figures) String() string {
	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "| %s | %v |\n", name, value) }
	section := func(name string, counts map[string]int) {
		fmt.Fprintf(&b, "\n| %s | |\n|---|--:|\n", name)
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			row(strings.ReplaceAll(key, "|", " "), counts[key])
		}
	}
	mebibytes := func(m [2]uint64) string {
		return fmt.Sprintf("%.1f MiB, %.1f MiB", float64(m[0])/(1<<20), float64(m[1])/(1<<20))
	}
	fmt.Fprintf(&b, "| run | |\n|---|--:|\n")
	row("launches", f.ended.Load())
	row("simulated time", f.simulated.Round(time.Minute))
	row("wall time", f.wall.Round(time.Second))
	row("launches a second", int(float64(f.ended.Load())/f.wall.Seconds()))
	row("rotations by another machine", f.rotations)
	row("access tokens made by the clients; at most", fmt.Sprintf("%d; %d", f.tokens, f.mostTokens()))
	row("wrong signatures, NONCE tickets used twice", f.wrong)
	row("longest call, simulated", f.longestCall.Round(time.Second))
	if f.heap[0] > 0 {
		row("live heap, highest of the first and of the last tenth", mebibytes(f.heap))
		row("resident memory, the same", mebibytes(f.resident))
	}
	section("how calls ended", f.outcomes)
	section("faults, each one request in a hundred", f.struck)
	section("what the platform refused", f.refusals)
	return b.String()
}
