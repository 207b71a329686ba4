// Mutants breaks the SDK on purpose, in each of the ways that list.go names, and shows that a test notices every one:
//
//	go run ./internal/mutants               # all of them
//	go run ./internal/mutants -run nonce    # those whose name or file matches
//
// A mutant exists only in a go build overlay: nothing in the tree changes, so it may be interrupted at any time. It
// prints a Markdown table and exits with 1 when a mutant survived. Run it from the root of the repository.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// testTimeout bounds the tests of one mutant: some of them hang, which is a way to notice.
const testTimeout = 60 * time.Second

func main() {
	pattern := flag.String("run", "", "only mutants whose name or file matches this regular expression")
	jobs := flag.Int("j", 2, "how many to test at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survivors, err := run(ctx, *pattern, *jobs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || survivors > 0 {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, pattern string, jobs int) (survivors int, err error) {
	wanted, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return 0, err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if wanted.MatchString(m.name) || wanted.MatchString(m.file) {
			chosen = append(chosen, m)
		}
	}
	if err := green(ctx, chosen); err != nil {
		return 0, err
	}

	began := time.Now()
	outcomes := make([]outcome, len(chosen))
	var next sync.Mutex
	var all sync.WaitGroup
	turn := 0
	for range max(jobs, 1) {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				next.Lock()
				i := turn
				turn++
				next.Unlock()
				if i >= len(chosen) || ctx.Err() != nil {
					return
				}
				outcomes[i] = try(ctx, chosen[i])
				fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", i+1, len(chosen), chosen[i].name, outcomes[i].text())
			}
		}()
	}
	all.Wait()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}

	fmt.Println("| defect made on purpose | file | noticed by | seconds |")
	fmt.Println("|---|---|---|--:|")
	killed := 0
	for i, m := range chosen {
		o := outcomes[i]
		fmt.Printf("| %s | %s | %s | %.1f |\n", m.name, m.file, o.text(), o.took.Seconds())
		switch {
		case o.err != nil:
			err = errors.Join(err, fmt.Errorf("%s: %s: %w", m.file, m.name, o.err))
		case o.killer != "":
			killed++
		}
	}
	fmt.Printf("\n%d mutants, %d killed, in %v.\n", len(chosen), killed, time.Since(began).Round(time.Second))
	return len(chosen) - killed, err
}

// green runs the tests on the code as it is: a red test would seem to notice every mutant.
func green(ctx context.Context, chosen []mutant) error {
	seen := map[string]bool{}
	for _, m := range chosen {
		if seen[m.tests] {
			continue
		}
		seen[m.tests] = true
		for _, dir := range suites(m.tests) {
			if out, err := test(ctx, dir); err != nil {
				return fmt.Errorf("the tests in %s fail without any mutant: %w\n%s", dir, err, out)
			}
		}
	}
	return nil
}

// An outcome is what became of one mutant.
type outcome struct {
	killer string // the first test that failed; empty: the mutant survived
	took   time.Duration
	err    error // the mutant is no program
}

func (o outcome) text() string {
	switch {
	case o.err != nil:
		return "ERROR: " + o.err.Error()
	case o.killer == "":
		return "**NOBODY**"
	}
	return o.killer
}

// try tests one mutant.
func try(ctx context.Context, m mutant) outcome {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(".", dir)
	if err != nil {
		return outcome{err: err}
	}
	began := time.Now()
	var out string
	for _, dir := range suites(m.tests) {
		if out, err = test(ctx, dir, "-overlay="+overlay); err != nil {
			break
		}
	}
	o := outcome{took: time.Since(began)}
	switch {
	case err == nil:
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		o.err = errors.New("it does not compile")
		fmt.Fprintln(os.Stderr, out)
	default:
		o.killer = killer(out)
	}
	return o
}

// overlay writes the broken file and the description that the go command reads into dir, and returns the latter's name.
func (m mutant) overlay(root, dir string) (string, error) {
	broken, err := m.apply(root)
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(dir, filepath.Base(m.file))
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, errors.Join(os.WriteFile(replacement, broken, 0o600), os.WriteFile(name, text, 0o600))
}

// apply returns the file with the defect in it.
func (m mutant) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // a name from list.go
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return nil, fmt.Errorf("its old text occurs %d times, not once", n)
	}
	return []byte(strings.Replace(string(source), m.old, m.new, 1)), nil
}

// suites are the directories whose tests look at the package in dir, the fastest first. The root package has two.
func suites(dir string) []string {
	if dir == "." {
		return []string{dir, "internal/conformance"}
	}
	return []string{dir}
}

func test(ctx context.Context, dir string, flags ...string) (string, error) {
	args := append([]string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=" + testTimeout.String()}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...) //nolint:gosec // the go command
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CI=true")     // a test that cannot run here is red, and notices nothing
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var (
	failedTest = regexp.MustCompile(`--- FAIL: (\S+)`)
	hungTest   = regexp.MustCompile(`panic: test timed out after \S+\s+running tests:\s+(\S+)`)
)

// killer names the test that noticed, in the output of go test.
func killer(out string) string {
	if m := hungTest.FindStringSubmatch(out); m != nil {
		return m[1] + " (hangs)"
	}
	if m := failedTest.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return "a panic outside the tests' goroutines"
}
