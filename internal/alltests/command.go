// Running commands: in every module, two at a time, at a pinned version, in a copy of the repository.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

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

// pairwise runs work on every item, two at a time, because each work keeps one core busy.
func pairwise[T any](items []T, work func(T) error) error {
	errs := make([]error, len(items))
	var running sync.WaitGroup
	free := make(chan struct{}, 2)
	for i, item := range items {
		free <- struct{}{}
		running.Add(1)
		go func() {
			defer running.Done()
			errs[i] = work(item)
			<-free
		}()
	}
	running.Wait()
	return errors.Join(errs...)
}

// command runs name in dir with more environment variables, and passes its output on.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	fmt.Println(line(dir, env, name, args))
	return start(ctx, os.Stdout, dir, env, name, args)
}

// quietly is command for two that run at the same time: it prints the output when name has ended.
func quietly(ctx context.Context, dir string, env []string, name string, args ...string) error {
	var out bytes.Buffer
	err := start(ctx, &out, dir, env, name, args)
	fmt.Printf("%s\n%s", line(dir, env, name, args), &out)
	return err
}

func line(dir string, env []string, name string, args []string) string {
	return fmt.Sprintf("[%s] %s %s", dir, filepath.Base(name), strings.Join(slices.Concat(args, env), " "))
}

func start(ctx context.Context, out io.Writer, dir string, env []string, name string, args []string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s in %s on %s: %w", name, strings.Join(args, " "), dir, runtime.GOOS, err)
	}
	return nil
}

// output runs name in dir and returns what it writes to stdout; its error holds what it writes to stderr.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s in %s: %w\n%s", name, strings.Join(args, " "), dir, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), err
}

// pinnedTool returns the executable of a Go command at one version. It is built once for each Go toolchain, outside of the
// build cache: `go run` checks 1,500 packages each time before it starts golangci-lint.
func pinnedTool(ctx context.Context, pkg, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := filepath.Base(pkg)
	home := filepath.Join(cache, "webanklive-tools", name+"@"+version+"-"+runtime.Version())
	executable := filepath.Join(home, name)
	if runtime.GOOS == "windows" {
		executable += ".exe"
	}
	if _, err := os.Stat(executable); err == nil {
		return executable, nil
	}

	fmt.Printf("building %s@%s, once\n", name, version)
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	built, err := os.MkdirTemp(filepath.Dir(home), "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(built)
	// Without cgo and debug information it compiles in half the time.
	env := []string{"GOBIN=" + built, "CGO_ENABLED=0", "GOFLAGS="}
	if err := command(ctx, os.TempDir(), env, "go", "install", "-ldflags=-s -w", pkg+"@"+version); err != nil {
		return "", err
	}
	// Another run may have built it meanwhile.
	if err := os.Rename(built, home); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return executable, nil
}

// workingCopy copies the files that git tracks or would track, as they are, to a temporary directory with a git repository of
// its own. remove removes the directory.
func workingCopy(ctx context.Context) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "webanklive")
	if err != nil {
		return "", nil, err
	}
	for _, args := range [][]string{
		{"init", "-q", dir},
		{"--git-dir=" + filepath.Join(dir, ".git"), "--work-tree=.", "add", "--all"},
		{"--git-dir=" + filepath.Join(dir, ".git"), "--work-tree=" + dir, "checkout-index", "--all"},
	} {
		if _, err = output(ctx, ".", "git", args...); err != nil {
			os.RemoveAll(dir)
			return "", nil, err
		}
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}
