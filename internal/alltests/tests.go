// The steps that compile and run this repository's own code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	oldestGo    = "go1.24.10" // the newest patch of the oldest release that go.mod names
	minCoverage = 90.0        // percent of the statements of the root package
	fuzzTime    = "20s"
)

// tools are what tests start, by any of these names, and the Debian package of each.
var tools = []struct {
	names []string
	pkg   string
}{
	{[]string{"chromium", "chromium-browser", "google-chrome"}, "chromium"},
	{[]string{"gcc"}, "gcc"},
	{[]string{"redis-server"}, "redis-server"},
}

func installTools(ctx context.Context) (string, error) {
	var absent []string
	for _, tool := range tools {
		if slices.ContainsFunc(tool.names, installed) {
			continue
		}
		if !installed("apt-get") || os.Geteuid() != 0 {
			absent = append(absent, tool.pkg)
			continue
		}
		noQuestions := []string{"DEBIAN_FRONTEND=noninteractive"}
		install := func() error {
			return command(ctx, ".", noQuestions, "apt-get", "install", "-y", "-q", "--no-install-recommends", tool.pkg)
		}
		if install() != nil { // the package lists may be missing or old
			_ = command(ctx, ".", nil, "apt-get", "update", "-q")
			if install() != nil {
				absent = append(absent, tool.pkg)
			}
		}
	}
	if len(absent) > 0 {
		return strings.Join(absent, " and ") + " cannot be installed here; the tests that start them are left out", nil
	}
	return "", nil
}

func installed(tool string) bool {
	_, err := exec.LookPath(tool)
	return err == nil
}

func testEveryModule(ctx context.Context) (notRun string, err error) {
	args := []string{"test", "-race", "./..."}
	env := []string{"CGO_ENABLED=1"}
	if !installed("gcc") {
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
	out, err := output(ctx, ".", "go", "test", "-count=1", "-cover", ".")
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

// crossCompile builds what partners import or install, for the systems that they run besides this one.
func crossCompile(ctx context.Context) (_ string, err error) {
	for _, target := range []string{"windows/amd64", "darwin/arm64", "linux/arm64"} {
		system, arch, _ := strings.Cut(target, "/")
		env := []string{"GOOS=" + system, "GOARCH=" + arch, "CGO_ENABLED=0"}
		err = errors.Join(err, command(ctx, ".", env, "go", "build", ".", "./evidence", "./livetest"))
		for _, dir := range []string{"filestore", "redisstore", "cmd/webanklive"} {
			err = errors.Join(err, command(ctx, dir, env, "go", "build", "-o", os.DevNull, "./..."))
		}
	}
	return "", err
}

// fuzz runs every fuzz target for a short while.
func fuzz(ctx context.Context) (string, error) {
	targets, err := fuzzTargets()
	if err != nil {
		return "", err
	}
	return "", pairwise(targets, func(t fuzzTarget) error {
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+fuzzTime, "-fuzzminimizetime=10x", "-parallel=1", ".")
		cmd.Dir, cmd.Env = t.dir, append(os.Environ(), "GOMAXPROCS=1")
		out, err := cmd.CombinedOutput()
		fmt.Printf("[%s] %s\n%s", t.dir, t.name, out)
		if err != nil {
			err = fmt.Errorf("%s in %s: %w", t.name, t.dir, err)
		}
		return err
	})
}

type fuzzTarget struct{ dir, name string }

func fuzzTargets() ([]fuzzTarget, error) {
	var targets []fuzzTarget
	pattern := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range pattern.FindAllSubmatch(source, -1) {
			targets = append(targets, fuzzTarget{filepath.Dir(path), string(match[1])})
		}
		return err
	})
	if err == nil && len(targets) == 0 {
		err = errors.New("no fuzz target found")
	}
	return targets, err
}
