// Alltests runs the tests of every module of the repository, each once, with the servers and the browser that they start:
//
//	go run ./internal/alltests            # what a contributor runs, in minutes
//	go run ./internal/alltests -all       # what CI runs: also the slow suites, and what is no test of behaviour
//	go run ./internal/alltests lint vuln  # these steps
//
// It needs Go, git and access to the module proxy. Programs that tests need beyond that it installs with apt-get where it may,
// and says so first. Steps that could not run are named at the end; with CI=true they count as failed.
package main

import (
	"context"
	"flag"
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
	when int
	run  func(ctx context.Context) (notRun string, err error)
}

const (
	always = iota
	quick  // without -all
	slow   // with -all
)

// steps returns the steps in the order of the time that they take, so that small mistakes show in seconds.
func steps() []step {
	return []step{
		{"tools", always, installTools},
		{"format", slow, format},
		{"tidy", slow, inEveryModule("go", "mod", "tidy", "-diff")},
		{"licences", slow, inModule("internal/licences", "go", "run", ".", "../..")},
		{"api", slow, unchangedAPI},
		{"test", quick, testEveryModule},
		{"race", slow, testForRaces}, // every test, with -race and coverage: the slow suites run, too
		{"oldest-go", slow, testWithOldestGo},
		{"examples", always, runExamples},
		{"golden", slow, goldenFiles},
		{"cross-compile", slow, crossCompile},
		{"vuln", slow, vulnerabilities},
		{"lint", slow, lint},
		{"release-check", slow, inModule(".", "go", "run", "./internal/releasecheck")},
		{"fuzz", slow, fuzz},
		{"benchmarks", slow, inModule("bench", "go", "run", ".", "-short")},
	}
}

func main() {
	all := flag.Bool("all", false, "also the slow suites, linters, vulnerabilities, cross-compilation, fuzzing, the release check, benchmarks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := choose(steps(), *all, flag.Args())
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

// choose returns the steps with these names, in the order of steps; without names, those of a run with or without -all.
func choose(steps []step, all bool, names []string) ([]step, error) {
	var known []string
	var chosen []step
	for _, s := range steps {
		known = append(known, s.name)
		switch {
		case len(names) > 0 && slices.Contains(names, s.name),
			len(names) == 0 && (s.when == always || (s.when == slow) == all):
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
