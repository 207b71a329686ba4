//go:build go1.25

// Soak runs a million launches through the fake platform, with faults, rotations (a process outside the fleet mints) and
// callers that cancel, and checks that each launch ends as designed:
//
//	go run ./internal/soak                                # a million launches, in minutes
//	go run ./internal/soak -launches 50000 -seed 7
//
// Time is simulated by testing/synctest, which works only in a test. So the program runs a test, the same that go test runs
// with fewer launches.
package main

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

func main() {
	testing.Init()
	var o options
	flag.IntVar(&o.launches, "launches", 1_000_000, "how many launches")
	flag.IntVar(&o.workers, "workers", 64, "how many at a time")
	flag.Uint64Var(&o.seed, "seed", 1, "of the random numbers")
	flag.Parse()
	if o.launches < 1 || o.workers < 1 {
		fmt.Fprintln(os.Stderr, "soak: -launches and -workers must be positive")
		os.Exit(2)
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{
		{Name: "Soak", F: func(t *testing.T) { soak(t, o, func(table string) { fmt.Print(table) }) }},
	}, nil, nil)
}
