// Alltests runs everything that has to be green before a change lands, on every module of the repository:
//
//	go run ./internal/alltests            # all of it
//	go run ./internal/alltests lint vuln  # these steps
//
// It needs Go, git and a way to the module proxy. What a test needs beyond that it installs with apt-get where it may.
// What could not run is named at the end; with CI=true that is a failure.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// A step runs one kind of check and returns what it could not run, if anything.
type step struct {
	name string
	run  func(ctx context.Context) (notRun string, err error)
}

// steps are in the order of what they cost, so that a slip of the pen shows in seconds.
func steps() []step {
	return []step{
		{"tools", installTools},
		{"format", format},
		{"tidy", inEveryModule("go", "mod", "tidy", "-diff")},
		{"licences", inModule("internal/licences", "go", "run", ".", "../..")},
		{"vet", inEveryModule("go", "vet", "./...")},
		{"generated", generated},
		{"api", unchangedAPI},
		{"test", testEveryModule},
		{"coverage", coverage},
		{"quickstart", inModule(".", "go", "run", "./examples/quickstart")},
		{"webdemo", inModule(".", "go", "run", "./examples/webdemo", "-once")},
		{"oldest-go", testWithOldestGo},
		{"cross-compile", crossCompile},
		{"vuln", vulnerabilities},
		{"lint", lint},
		{"release-check", inModule(".", "go", "run", "./internal/releasecheck")},
		{"fuzz", fuzz},
		{"benchmarks", inModule("bench", "go", "run", ".", "-short")},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := choose(steps(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}

	began := time.Now()
	var failed, notRun, took []string
	for _, s := range chosen {
		fmt.Printf("\n=== %s\n", s.name)
		from := time.Now()
		missing, err := s.run(ctx)
		if missing != "" {
			notRun = append(notRun, s.name+": "+missing)
		}
		if err != nil {
			failed = append(failed, s.name)
			fmt.Printf("=== %s FAILED: %v\n", s.name, err)
		}
		took = append(took, fmt.Sprintf("%s %.1fs", s.name, time.Since(from).Seconds()))
	}

	fmt.Printf("\nAll steps took %v: %s.\n", time.Since(began).Round(time.Second), strings.Join(took, ", "))
	for _, what := range notRun {
		fmt.Println("COULD NOT RUN:", what)
	}
	for _, what := range failed {
		fmt.Println("FAILED:", what)
	}
	skipped := len(notRun)
	if os.Getenv("CI") == "true" {
		failed, skipped = append(failed, notRun...), 0
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", len(chosen)-len(failed)-skipped, len(failed), skipped)
	if len(failed) > 0 {
		os.Exit(1)
	}
}

// choose returns the steps of these names in their own order; all of them for no name.
func choose(all []step, names []string) ([]step, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known []string
	var chosen []step
	for _, s := range all {
		known = append(known, s.name)
		if slices.Contains(names, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no step %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
