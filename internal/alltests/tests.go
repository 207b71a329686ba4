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
	newestGo    = "go1.27.0"
	oldestGo    = "go1.24.10" // the newest patch of the oldest release that go.mod names
	minCoverage = 90.0        // percent of the statements of the root package
	fuzzTime    = "20s"
)

// tools are the programs that tests start, each by its possible names or paths, with its Debian package.
var tools = []struct {
	names []string
	pkg   string
}{
	{[]string{"gcc"}, "gcc"},
	{[]string{"redis-server"}, "redis-server"},
	{[]string{"redis-sentinel"}, "redis-sentinel"},
	{[]string{"/usr/lib/postgresql/*/bin/postgres", "postgres"}, "postgresql"},
	{[]string{"mariadbd", "/usr/sbin/mariadbd", "mysqld"}, "mariadb-server"},
	{[]string{"nginx", "/usr/sbin/nginx"}, "nginx"},
	{[]string{"chromium", "chromium-browser", "google-chrome"}, "chromium"},
}

// installTools installs the programs that are missing, and prints their names first. The packages start no services.
func installTools(ctx context.Context) (string, error) {
	var absent []string
	for _, tool := range tools {
		if !slices.ContainsFunc(tool.names, installed) {
			absent = append(absent, tool.pkg)
		}
	}
	if len(absent) == 0 {
		return "", nil
	}
	if !installed("apt-get") || os.Geteuid() != 0 {
		return strings.Join(absent, ", ") + " cannot be installed here; the tests that start them are left out", nil
	}
	fmt.Println("The tests start these, and they are installed now with apt-get:", strings.Join(absent, " "))
	// Without this Debian starts a database server on its usual port as soon as it is installed.
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return "", err
		}
		defer os.Remove(policy)
	}
	install := func() error {
		args := append([]string{"install", "-y", "-q", "--no-install-recommends"}, absent...)
		return command(ctx, ".", []string{"DEBIAN_FRONTEND=noninteractive"}, "apt-get", args...)
	}
	if install() != nil { // the package lists may be missing or old
		_ = command(ctx, ".", nil, "apt-get", "update", "-q")
		if err := install(); err != nil {
			return strings.Join(absent, ", ") + ": " + err.Error(), nil
		}
	}
	return "", nil
}

func installed(tool string) bool {
	if strings.Contains(tool, "/") {
		found, _ := filepath.Glob(tool)
		return len(found) > 0
	}
	_, err := exec.LookPath(tool)
	return err == nil
}

// newest returns the environment in which go is the newest release, or, when that cannot be fetched, what could not run.
func newest(ctx context.Context) (env []string, notRun string) {
	env = []string{"GOTOOLCHAIN=" + newestGo + "+auto"}
	if command(ctx, ".", env, "go", "version") != nil {
		return nil, newestGo + ", which cannot be fetched; the tests run on the installed Go"
	}
	return env, ""
}

// testEveryModule runs every test once, without the race detector and without the long suites. Many tests wait, for a
// browser or the end of a lease, so two modules run at a time.
func testEveryModule(ctx context.Context) (string, error) {
	env, notRun := newest(ctx)
	modules, err := modules()
	return notRun, errors.Join(err, pairwise(modules, func(dir string) error {
		return quietly(ctx, dir, env, "go", "test", "-short", "./...")
	}))
}

// testForRaces runs every test, the long suites too, with the race detector and coverage of the root package.
func testForRaces(ctx context.Context) (string, error) {
	env, notRun := newest(ctx)
	if !installed("gcc") {
		return "the race detector, which needs a C compiler", testEveryModuleWith(ctx, env)
	}
	env = append(env, "CGO_ENABLED=1")
	return notRun, testEveryModuleWith(ctx, env, "-race")
}

func testEveryModuleWith(ctx context.Context, env []string, flags ...string) error {
	modules, err := modules()
	for _, dir := range modules {
		args := append([]string{"test"}, flags...)
		if dir == "." {
			err = errors.Join(err, testRoot(ctx, env, args))
			continue
		}
		err = errors.Join(err, command(ctx, dir, env, "go", append(args, "./...")...))
	}
	return err
}

// testRoot runs the tests of the root module. It fails when they cover too little of the root package.
func testRoot(ctx context.Context, env, args []string) error {
	dir, err := os.MkdirTemp("", "webanklive")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	profile := filepath.Join(dir, "coverage")
	args = append(args, "-coverpkg=.", "-coverprofile="+profile, "./...")
	if err := command(ctx, ".", env, "go", args...); err != nil {
		return err
	}
	out, err := output(ctx, ".", "go", "tool", "cover", "-func="+profile)
	if err != nil {
		return err
	}
	match := regexp.MustCompile(`total:\s+\(statements\)\s+([\d.]+)%`).FindStringSubmatch(out)
	if match == nil {
		return errors.New("go tool cover printed no total")
	}
	fmt.Println("coverage of the root package:", match[1]+"%")
	if percent, _ := strconv.ParseFloat(match[1], 64); percent < minCoverage {
		return fmt.Errorf("%.1f%% of the root package's statements are covered; at least %.1f%% must be", percent, minCoverage)
	}
	return nil
}

// testWithOldestGo also counts allocations, which the race detector hides.
func testWithOldestGo(ctx context.Context) (string, error) {
	env := []string{"GOTOOLCHAIN=" + oldestGo}
	if command(ctx, ".", env, "go", "version") != nil {
		return "the root module under " + oldestGo + ", which cannot be fetched", nil
	}
	return "", command(ctx, ".", env, "go", "test", "-short", "./...")
}

// runExamples runs the programs that README.md tells its reader to run.
func runExamples(ctx context.Context) (string, error) {
	return "", errors.Join(
		command(ctx, ".", nil, "go", "run", "./examples/quickstart"),
		command(ctx, ".", nil, "go", "run", "./examples/webdemo", "-once"))
}

// crossCompile builds the packages that partners import and the command that they install, for other systems than this one.
func crossCompile(ctx context.Context) (_ string, err error) {
	for _, target := range []string{"windows/amd64", "darwin/arm64", "linux/arm64"} {
		system, arch, _ := strings.Cut(target, "/")
		env := []string{"GOOS=" + system, "GOARCH=" + arch, "CGO_ENABLED=0"}
		err = errors.Join(err, command(ctx, ".", env, "go", "build", ".", "./checks", "./evidence", "./livetest"))
		for _, dir := range []string{"filestore", "redisstore", "sqlchecks", "otelwebanklive", "cmd/webanklive"} {
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
		return quietly(ctx, t.dir, []string{"GOMAXPROCS=1"}, "go", "test", "-run=^$", "-fuzz=^"+t.name+"$",
			"-fuzztime="+fuzzTime, "-fuzzminimizetime=10x", "-parallel=1", ".")
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
