// Mutants breaks the SDK on purpose, in each of the ways that list.go and its neighbours name, and shows that a test notices
// every one:
//
//	go run ./internal/mutants               # all of them
//	go run ./internal/mutants -run nonce    # those whose name or file matches
//
// A mutant exists only in a go build overlay: nothing in the tree changes, so it may be interrupted at any time. The test
// that noticed each goes to stderr; then comes a Markdown table of files. It exits with 1 when a mutant survived. Run it
// from the root of the repository.
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
	"time"

	"golang.org/x/sync/errgroup"
)

// testTimeout bounds the tests of one mutant. A test that hangs has noticed the mutant.
const testTimeout = 60 * time.Second

func main() {
	pattern := flag.String("run", "", "only mutants whose name or file matches this regular expression")
	jobs := flag.Int("j", 2, "how many to test at a time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *pattern, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, pattern string, jobs int) error {
	wanted, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if wanted.MatchString(m.name) || wanted.MatchString(m.file) {
			chosen = append(chosen, m)
		}
	}
	if err := green(ctx, chosen); err != nil {
		return err
	}

	began := time.Now()
	outcomes := make([]outcome, len(chosen))
	var all errgroup.Group
	all.SetLimit(max(jobs, 1))
	for i, m := range chosen {
		all.Go(func() error {
			if ctx.Err() == nil {
				outcomes[i] = try(ctx, m)
				fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", i+1, len(chosen), m.name, outcomes[i].text())
			}
			return nil
		})
	}
	_ = all.Wait() // an outcome holds its error
	if ctx.Err() != nil {
		return ctx.Err()
	}

	fmt.Println("| defects in | made | noticed | by a test that hangs | seconds each, at most |")
	fmt.Println("|---|--:|--:|--:|--:|")
	for from, to := 0, 0; from < len(chosen); from = to {
		var noticed, hangs int
		var longest time.Duration
		for ; to < len(chosen) && chosen[to].file == chosen[from].file && chosen[to].tests == chosen[from].tests; to++ {
			m, o := chosen[to], outcomes[to]
			longest = max(longest, o.took)
			switch {
			case o.err != nil:
				err = errors.Join(err, fmt.Errorf("%s: %s: %w", m.file, m.name, o.err))
			case o.killer == "":
				err = errors.Join(err, fmt.Errorf("%s: %s: no test noticed", m.file, m.name))
			case strings.HasSuffix(o.killer, hanging):
				hangs++
				noticed++
			default:
				noticed++
			}
		}
		fmt.Printf("| %s | %d | %d | %d | %.0f |\n", chosen[from].file, to-from, noticed, hangs, longest.Seconds())
	}
	fmt.Printf("\n%d mutants in %v.\n", len(chosen), time.Since(began).Round(time.Second))
	return err
}

// green runs the tests on the code as it is: a test that fails without a mutant would seem to notice every mutant.
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
		return "**NO TEST**"
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

// overlay writes two files into dir: the broken source file, and overlay.json, which the go command reads. It returns the name
// of overlay.json.
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
	source, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // a name of the list
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
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CI=true")     // with it a test that cannot run here fails, see green
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var (
	failedTest = regexp.MustCompile(`--- FAIL: (\S+)`)
	hungTest   = regexp.MustCompile(`panic: test timed out after \S+\s+running tests:\s+(\S+)`)
)

const hanging = " (hangs)"

// killer returns the name of the test that noticed the mutant, from the output of go test.
func killer(out string) string {
	if m := hungTest.FindStringSubmatch(out); m != nil {
		return m[1] + hanging
	}
	if m := failedTest.FindStringSubmatch(out); m != nil {
		return m[1]
	}
	return "a panic outside the tests' goroutines"
}
