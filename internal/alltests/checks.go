// The steps that look at the code without running it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	golangciLint = "v2.15.0"
	govulncheck  = "v1.9.0"
	apidiff      = "v0.0.0-20261113113407-e3970619a1a4"
)

func format(ctx context.Context) (string, error) {
	files, err := output(ctx, ".", "gofmt", "-l", ".")
	if err == nil && files != "" {
		err = fmt.Errorf("gofmt would change:\n%s", files)
	}
	return "", err
}

func lint(ctx context.Context) (string, error) {
	linter, err := pinnedTool(ctx, "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", golangciLint)
	if err != nil {
		return "", err
	}
	config, err := filepath.Abs(".golangci.yml")
	if err != nil {
		return "", err
	}
	return inEveryModule(linter, "run", "--config", config, "./...")(ctx)
}

// goldenFiles writes the golden files again, in a copy of the repository, and fails if one differs. The tests that write them
// have Golden in the name.
func goldenFiles(ctx context.Context) (string, error) {
	dir, remove, err := workingCopy(ctx)
	if err != nil {
		return "", err
	}
	defer remove()
	if err := command(ctx, dir, nil, "go", "test", "-run=Golden", ".", "-update"); err != nil {
		return "", err
	}
	changed, err := output(ctx, dir, "git", "ls-files", "--modified", "--others", "--exclude-standard")
	if err == nil && changed != "" {
		err = fmt.Errorf("`make golden` would change:\n%s", changed)
	}
	return "", err
}

// unchangedAPI compares the exported API of the released modules with their last tag. An incompatible change must be named
// under "Unreleased" in CHANGELOG.md, in an item that begins "- Breaking:", so that it is intended and users read of it.
func unchangedAPI(ctx context.Context) (_ string, err error) {
	for _, dir := range []string{".", "filestore", "redisstore", "sqlchecks", "otelwebanklive"} {
		prefix := strings.TrimPrefix(dir+"/", "./")
		tags, listErr := output(ctx, ".", "git", "tag", "--list", "--sort=-v:refname", prefix+"v[0-9]*")
		tag, _, _ := strings.Cut(tags, "\n")
		switch {
		case listErr != nil:
			err = errors.Join(err, listErr)
		case tag == "":
			fmt.Printf("[%s] no tag yet: nothing to compare\n", dir)
		default:
			err = errors.Join(err, compareAPI(ctx, dir, tag))
		}
	}
	return "", err
}

func compareAPI(ctx context.Context, dir, tag string) error {
	differ, err := pinnedTool(ctx, "golang.org/x/exp/cmd/apidiff", apidiff)
	if err != nil {
		return err
	}
	module, err := output(ctx, dir, "go", "list", "-m")
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "webanklive")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	before, now := filepath.Join(scratch, "before.export"), filepath.Join(scratch, "now.export")
	for _, c := range []struct {
		dir  string
		args []string
	}{
		{".", []string{"git", "archive", "--output", filepath.Join(scratch, "tree.tar"), tag}},
		{scratch, []string{"tar", "-xf", "tree.tar"}},
		{filepath.Join(scratch, dir), []string{differ, "-m", "-w", before, module}},
		{dir, []string{differ, "-m", "-w", now, module}},
	} {
		if _, err := output(ctx, c.dir, c.args[0], c.args[1:]...); err != nil {
			return err
		}
	}
	report, err := output(ctx, dir, differ, "-m", "-incompatible", before, now)
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	fmt.Printf("[%s] compared with %s\n%s\n", dir, tag, report)
	if unnamed := unnamedChanges(report, string(changelog)); len(unnamed) > 0 {
		return fmt.Errorf("[%s] incompatible with %s, but CHANGELOG.md has no \"- Breaking:\" under \"Unreleased\" that names:\n%s", dir, tag, strings.Join(unnamed, "\n"))
	}
	return nil
}

var (
	unreleased = regexp.MustCompile(`(?is)\n## \[?unreleased\]?.*?(\n## |\z)`)
	breaking   = regexp.MustCompile(`(?m)^- Breaking:.*(\n  .*)*`)
	lastWord   = regexp.MustCompile(`\w+$`)
)

// unnamedChanges returns the lines of apidiff's report, "- ./livetest.(*Server).Visit: removed" for instance, whose name is in
// no "- Breaking:" item of the changelog's "Unreleased" section. Examples do not count: they are copied, not imported.
func unnamedChanges(report, changelog string) []string {
	named := strings.Join(breaking.FindAllString(unreleased.FindString("\n"+changelog), -1), "\n")
	var unnamed []string
	for line := range strings.Lines(report) {
		line = strings.TrimSpace(line)
		subject, isChange := strings.CutPrefix(line, "- ")
		if !isChange || strings.HasPrefix(subject, "./examples/") {
			continue
		}
		subject, _, _ = strings.Cut(subject, ": ")
		subject, _, _ = strings.Cut(subject, ", ") // "Visit, method set of *Server"
		if !regexp.MustCompile(`\b` + lastWord.FindString(subject) + `\b`).MatchString(named) {
			unnamed = append(unnamed, line)
		}
	}
	return unnamed
}

// vulnerabilities fails when code of this repository calls a function of a dependency that has a known vulnerability. For a
// vulnerability in the standard library it only names the Go release that fixes it, because the project does not choose the
// toolchain of a machine. The database comes from the module proxy, so that no other host is needed.
func vulnerabilities(ctx context.Context) (notRun string, err error) {
	const module = "golang.org/x/vulndb"
	checker, err := pinnedTool(ctx, "golang.org/x/vuln/cmd/govulncheck", govulncheck)
	if err != nil {
		return "", err
	}
	newest, err := output(ctx, os.TempDir(), "go", "list", "-m", "-f", `{{.Version}} {{.Time.Format "2006-01-02"}}`, module+"@latest")
	if err != nil {
		return "the database of known vulnerabilities cannot be fetched: " + err.Error(), nil
	}
	release, day, _ := strings.Cut(newest, " ")
	downloaded, err := output(ctx, os.TempDir(), "go", "mod", "download", "-json", module+"@"+release)
	if err != nil {
		return "", err
	}
	var database struct{ Dir string }
	if err := json.Unmarshal([]byte(downloaded), &database); err != nil {
		return "", err
	}
	fmt.Println("the database of known vulnerabilities is of", day)

	modules, err := modules()
	if err != nil {
		return "", err
	}
	osv := "file://" + filepath.ToSlash(filepath.Join(database.Dir, "data", "osv"))
	return "", pairwise(modules, func(dir string) error {
		report, err := output(ctx, dir, checker, "-db", osv, "-format", "json", "-test", "./...")
		if err != nil {
			return err
		}
		return judge(dir, report)
	})
}

// judge reads what govulncheck found in one module of this repository.
func judge(dir, report string) error {
	var called []string
	standard := map[string]bool{}
	mendedBy := ""
	for decoder := json.NewDecoder(strings.NewReader(report)); ; {
		var message struct {
			Finding *struct {
				OSV          string `json:"osv"`
				FixedVersion string `json:"fixed_version"`
				Trace        []struct{ Module, Version, Package, Function string }
			}
		}
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if message.Finding == nil || message.Finding.Trace[0].Function == "" { // imported, but not called
			continue
		}
		found, at := message.Finding, message.Finding.Trace[0]
		if at.Module != "stdlib" {
			called = append(called, fmt.Sprintf("%s: %s@%s, mended in %q", found.OSV, at.Module, at.Version, found.FixedVersion))
			continue
		}
		standard[found.OSV] = true
		if fixed := "go" + strings.TrimPrefix(found.FixedVersion, "v"); version.Compare(fixed, mendedBy) > 0 {
			mendedBy = fixed
		}
	}
	if len(standard) > 0 {
		fmt.Printf("[%s] WARNING: the standard library of this Go has known vulnerabilities; %s mends them: %s\n",
			dir, mendedBy, strings.Join(slices.Sorted(maps.Keys(standard)), " "))
	}
	if len(called) > 0 {
		slices.Sort(called)
		return fmt.Errorf("[%s] calls code with known vulnerabilities:\n%s", dir, strings.Join(slices.Compact(called), "\n"))
	}
	fmt.Printf("[%s] calls nothing of its dependencies that is known to be vulnerable\n", dir)
	return nil
}
