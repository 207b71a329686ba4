//go:build go1.25

// Fleet simulates a day of many replicas with one app ID, and prints what their users saw:
//
//	go run ./examples/fleet
//
// Each refresh of the access token kills the one before it a minute later, so replicas that refresh for themselves break
// each other. The table shows that, and what a shared CredentialStore makes of it, also on a bad day: a process killed in
// the middle of a mint, the store down for 90 seconds and flushed, the token endpoint down for ten minutes, two clocks
// five minutes off, a foreign process that mints once an hour, and a rolling restart.
//
// It runs in a bubble of testing/synctest, whose clock jumps whenever everybody waits: a day takes seconds, with the real
// timers, goroutines and locks of the SDK.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/webanklive/webanklive/internal/fleetsim"
)

func main() {
	testing.Init()
	replicas := flag.Int("replicas", 100, "processes in the fleet")
	hours := flag.Int("hours", 24, "simulated time")
	every := flag.Duration("every", 10*time.Minute, "mean time between two calls of one replica")
	flag.Parse()

	cfg := fleetsim.Config{Replicas: *replicas, Hours: *hours, Every: *every}
	withFaults, alone := cfg, cfg
	withFaults.Faults = true
	alone.Alone = true
	// testing.Main is how a program gets the *testing.T that a bubble needs.
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "fleet", F: func(t *testing.T) {
		rows := []row{{"one shared store", cfg, nil}, {"one shared store, a bad day", withFaults, nil}, {"every replica for itself", alone, nil}}
		for i, r := range rows {
			synctest.Test(t, func(t *testing.T) { rows[i].Outcome = fleetsim.Simulate(t.Context(), r.Config) })
		}
		fmt.Printf("%d replicas, %d hours, a call every %v each:\n\n", *replicas, *hours, *every)
		printTable(os.Stdout, rows)
		os.Exit(0) // before testing prints PASS
	}}}, nil, nil)
}

// row is one line of the table.
type row struct {
	name string
	fleetsim.Config
	*fleetsim.Outcome
}

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fleet\tcalls\trefused\tbad callbacks\tunknowable\tstore down\tkilled\tmints\ttoo soon\tlongest call")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\n", r.name, r.Calls, r.Refused, r.Callbacks, r.Unknown, r.Outage, r.Killed,
			len(r.Mints), r.TooSoon(), r.Longest.Round(10*time.Millisecond))
	}
	t.Flush()
	fmt.Fprint(w, `
refused         calls that the platform refused and the user saw fail
bad callbacks   returns of a browser whose signature nobody in the fleet could verify
unknowable      likewise, signed with a ticket that the replica cannot know: a process outside the fleet minted it, or the
                store lost it before the replica read it
store down      calls that failed while the store was down: a replica had not heard of the newest ticket before
killed          calls that ended with the process that was killed
too soon        mints within 17 minutes of the one before without need: no credential was refused, no process killed in
                the middle of a mint, and the store had not lost it
`)
}
