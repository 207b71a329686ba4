// Alltests runs everything that has to be green before a change lands, on every module of the repository:
//
//	go run ./internal/alltests
//
// It needs Go, git and a way to the module proxy. What a test needs beyond that it installs with apt-get where it may.
// What could not run is named at the end; with CI=true that is a failure.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	oldestGo    = "go1.24.10" // the newest patch of the oldest release that go.mod names
	minCoverage = 90.0        // percent of the statements of the root package
	fuzzTime    = "20s"
)

// A step runs one kind of check and returns what it could not run, if anything.
type step struct {
	name string
	run  func(ctx context.Context) (notRun string, err error)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	began := time.Now()
	var failed, notRun []string
	for _, s := range steps() {
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
		fmt.Printf("=== %s took %v\n", s.name, time.Since(from).Round(time.Second/10))
	}

	fmt.Printf("\nAll steps took %v.\n", time.Since(began).Round(time.Second))
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
	fmt.Printf("%d passed, %d failed, %d skipped\n", len(steps())-len(failed)-skipped, len(failed), skipped)
	if len(failed) > 0 {
		os.Exit(1)
	}
}

func steps() []step {
	return []step{
		{"tools", installTools},
		{"format", format},
		{"tidy", inEveryModule("go", "mod", "tidy", "-diff")},
		{"vet", inEveryModule("go", "vet", "./...")},
		{"test", testEveryModule},
		{"coverage", coverage},
		{"oldest Go", testWithOldestGo},
		{"cross-compile", crossCompile},
		{"fuzz", fuzz},
		{"quickstart", inModule(".", "go", "run", "./examples/quickstart")},
		{"webdemo", inModule(".", "go", "run", "./examples/webdemo", "-once")},
		{"benchmarks", inModule("bench", "go", "run", ".", "-short")},
	}
}

// tools are what tests start, and the Debian package of each.
var tools = map[string]string{"chromium": "chromium", "gcc": "gcc", "redis-server": "redis-server"}

func installTools(ctx context.Context) (string, error) {
	var absent []string
	for tool, pkg := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
			absent = append(absent, tool)
			continue
		}
		noQuestions := []string{"DEBIAN_FRONTEND=noninteractive"}
		install := func() error {
			return command(ctx, ".", noQuestions, "apt-get", "install", "-y", "-q", "--no-install-recommends", pkg)
		}
		if install() != nil { // the package lists may be missing or old
			_ = command(ctx, ".", nil, "apt-get", "update", "-q")
			if install() != nil {
				absent = append(absent, tool)
			}
		}
	}
	if len(absent) > 0 {
		return strings.Join(absent, " and ") + " cannot be installed here; the tests that start them are left out", nil
	}
	return "", nil
}

func format(ctx context.Context) (string, error) {
	files, err := output(ctx, "gofmt", "-l", ".")
	if err == nil && files != "" {
		err = fmt.Errorf("gofmt would change:\n%s", files)
	}
	return "", err
}

func inEveryModule(name string, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		modules, err := modules()
		for _, dir := range modules {
			err = errors.Join(err, command(ctx, dir, nil, name, args...))
		}
		return "", err
	}
}

func inModule(dir, name string, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) { return "", command(ctx, dir, nil, name, args...) }
}

func testEveryModule(ctx context.Context) (notRun string, err error) {
	args := []string{"test", "-race", "./..."}
	env := []string{"CGO_ENABLED=1"}
	if _, err := exec.LookPath("gcc"); err != nil {
		args, env = []string{"test", "./..."}, nil
		notRun = "the race detector, which needs a C compiler"
	}
	modules, err := modules()
	for _, dir := range modules {
		err = errors.Join(err, command(ctx, dir, env, "go", args...))
	}
	return notRun, err
}

// coverage runs the root package once more without the race detector, which hides what allocates.
func coverage(ctx context.Context) (string, error) {
	out, err := output(ctx, "go", "test", "-count=1", "-cover", ".")
	fmt.Println(out)
	if err != nil {
		return "", err
	}
	match := regexp.MustCompile(`coverage: ([\d.]+)%`).FindStringSubmatch(out)
	if match == nil {
		return "", errors.New("go test printed no coverage")
	}
	if percent, _ := strconv.ParseFloat(match[1], 64); percent < minCoverage {
		return "", fmt.Errorf("%.1f%% of the root package's statements are covered; at least %.1f%% must be", percent, minCoverage)
	}
	return "", nil
}

func testWithOldestGo(ctx context.Context) (string, error) {
	env := []string{"GOTOOLCHAIN=" + oldestGo}
	if command(ctx, ".", env, "go", "version") != nil {
		return "the root module under " + oldestGo + ", which cannot be fetched", nil
	}
	return "", command(ctx, ".", env, "go", "test", "./...")
}

// crossCompile builds what partners import, for the systems that they run besides this one.
func crossCompile(ctx context.Context) (_ string, err error) {
	for _, target := range []string{"windows/amd64", "darwin/arm64", "linux/arm64"} {
		system, arch, _ := strings.Cut(target, "/")
		env := []string{"GOOS=" + system, "GOARCH=" + arch, "CGO_ENABLED=0"}
		err = errors.Join(err, command(ctx, ".", env, "go", "build", ".", "./evidence", "./livetest"))
		for _, dir := range []string{"filestore", "redisstore"} {
			err = errors.Join(err, command(ctx, dir, env, "go", "build", "./..."))
		}
	}
	return "", err
}

// fuzz runs every fuzz target of the root module for a short while.
func fuzz(ctx context.Context) (string, error) {
	files, err := filepath.Glob("internal/*/*_test.go")
	if err != nil {
		return "", err
	}
	roots, err := filepath.Glob("*_test.go")
	if err != nil {
		return "", err
	}
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	for _, file := range append(roots, files...) {
		source, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		for _, match := range target.FindAllSubmatch(source, -1) {
			pkg := "./" + filepath.ToSlash(filepath.Dir(file))
			err := command(ctx, ".", nil, "go", "test", "-run=^$", "-fuzz=^"+string(match[1])+"$", "-fuzztime="+fuzzTime, pkg)
			if err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

// modules returns the directories that have a go.mod, the root first.
func modules() ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() != "." && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case entry.Name() == "go.mod":
			dirs = append(dirs, filepath.Dir(path))
		}
		return nil
	})
	if err == nil && len(dirs) == 0 {
		err = errors.New("run it in the root of the repository")
	}
	return dirs, err
}

// command runs name in dir with more environment, printing what it prints.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	fmt.Printf("[%s] %s %s %s\n", dir, strings.Join(env, " "), name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s in %s on %s: %w", name, strings.Join(args, " "), dir, runtime.GOOS, err)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}
