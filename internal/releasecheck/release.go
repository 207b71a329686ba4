// Making the release: go.mod files, tags, and the module proxy that serves them.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

const root = "github.com/webanklive/webanklive"

// released are the directories of the modules, each after those that it requires.
var released = []string{".", "filestore", "redisstore", "sqlchecks", "otelwebanklive", "cmd/webanklive"}

// ours are the modules for which the go command must ask neither a public proxy nor the checksum database.
const ours = root + "," + root + "/*"

type goMod struct {
	Require []struct{ Path, Version string }
	Replace []struct {
		Old struct{ Path, Version string }
	}
}

func readGoMod(ctx context.Context, dir string) (goMod, error) {
	var mod goMod
	text, err := run(ctx, dir, nil, "go", "mod", "edit", "-json")
	if err == nil {
		err = json.Unmarshal([]byte(text), &mod)
	}
	return mod, err
}

// prepare writes go.mod files for a release: without the replace lines of development, and with this version of each
// other.
func prepare(ctx context.Context, repository, version string) error {
	for _, module := range released {
		dir := filepath.Join(repository, module)
		mod, err := readGoMod(ctx, dir)
		if err != nil {
			return err
		}
		edit := []string{"mod", "edit"}
		for _, replaced := range mod.Replace {
			edit = append(edit, "-dropreplace="+replaced.Old.Path)
		}
		for _, required := range mod.Require {
			if isOurs(required.Path) {
				edit = append(edit, "-require="+required.Path+"@"+version)
			}
		}
		if len(edit) > 2 {
			if _, err := run(ctx, dir, nil, "go", edit...); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready returns an error for each line of the go.mod files that would break a user's build.
func ready(ctx context.Context, repository, version string) error {
	var problems []error
	for _, module := range released {
		mod, err := readGoMod(ctx, filepath.Join(repository, module))
		if err != nil {
			return err
		}
		name := path.Join(module, "go.mod")
		for _, replaced := range mod.Replace {
			problems = append(problems, fmt.Errorf("%s replaces %s: go install …@version refuses that", name, replaced.Old.Path))
		}
		for _, required := range mod.Require {
			if isOurs(required.Path) && required.Version != version {
				problems = append(problems, fmt.Errorf("%s requires %s@%s, not %s", name, required.Path, required.Version, version))
			}
		}
	}
	return errors.Join(problems...)
}

func isOurs(module string) bool { return module == root || strings.HasPrefix(module, root+"/") }

// copyWorkTree makes a repository at dir with the files that git tracks or would track here, as they are.
func copyWorkTree(ctx context.Context, dir string) error {
	gitDir := "--git-dir=" + filepath.Join(dir, ".git")
	for _, args := range [][]string{
		{"init", "-q", dir},
		{gitDir, "--work-tree=.", "add", "--all"},
		{gitDir, "--work-tree=" + dir, "checkout-index", "--all"},
	} {
		if _, err := run(ctx, ".", nil, "git", args...); err != nil {
			return err
		}
	}
	return nil
}

// release tags every module in the order of released, and lets the go command make the modules from the tags.
func release(ctx context.Context, repository, proxy, version string) error {
	upstream, err := upstreamProxies(ctx)
	if err != nil {
		return err
	}
	env := []string{
		"GOMODCACHE=" + proxy, "GOPROXY=" + upstream, "GONOPROXY=" + ours, "GONOSUMDB=" + ours, "GOFLAGS=-modcacherw", "GOWORK=off",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=url." + fileURL(repository) + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + root,
		"GIT_CONFIG_KEY_1=user.name", "GIT_CONFIG_VALUE_1=releasecheck",
		"GIT_CONFIG_KEY_2=user.email", "GIT_CONFIG_VALUE_2=releasecheck@localhost",
	}
	for _, module := range released {
		dir := filepath.Join(repository, module)
		// go.sum gets the hashes of the modules that were released before this one.
		if _, err := run(ctx, dir, env, "go", "mod", "tidy"); err != nil {
			return err
		}
		for _, args := range [][]string{{"add", "--all"}, {"commit", "-q", "--allow-empty", "-m", module}, {"tag", path.Join(module, version)}} {
			if _, err := run(ctx, dir, env, "git", args...); err != nil {
				return err
			}
		}
		made, err := run(ctx, os.TempDir(), env, "go", "mod", "download", "-json", path.Join(root, module)+"@"+version)
		if err != nil {
			return err
		}
		if err := describe(made); err != nil {
			return err
		}
	}
	return nil
}

// describe prints a line about one released module, and fails if it has no LICENSE.
func describe(made string) error {
	var module struct{ Path, Version, Dir, Zip string }
	if err := json.Unmarshal([]byte(made), &module); err != nil {
		return err
	}
	zip, err := os.Stat(module.Zip)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(module.Dir, "LICENSE")); err != nil {
		return err // pkg.go.dev would hide the documentation
	}
	files := 0
	err = filepath.WalkDir(module.Dir, func(_ string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files++
		}
		return err
	})
	fmt.Printf("released %s@%s: %d files, %d KB zipped\n", module.Path, module.Version, files, zip.Size()/1000)
	return err
}

// upstreamProxies returns a GOPROXY value: this machine's module cache, then the configured proxies.
func upstreamProxies(ctx context.Context) (string, error) {
	cache, err := run(ctx, ".", nil, "go", "env", "GOMODCACHE")
	if err != nil {
		return "", err
	}
	configured, err := run(ctx, ".", nil, "go", "env", "GOPROXY")
	return proxyURL(cache) + "," + configured, err
}

// proxyURL returns the URL at which a module cache serves as a module proxy.
func proxyURL(moduleCache string) string {
	return fileURL(filepath.Join(moduleCache, "cache", "download"))
}

func fileURL(name string) string {
	return "file:///" + strings.TrimPrefix(filepath.ToSlash(name), "/")
}

// run returns the standard output of a command; its error also has the standard error.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return strings.TrimSpace(stdout.String()), nil
}
