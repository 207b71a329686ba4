// Licences prints every module that a go.mod of this repository requires, with its licence, one line each:
//
//	cd internal/licences && go run . ../..
//
// It fails for a licence that is not on the list, for a licence file with unknown text, and when the root module, which is in
// every partner's build, requires a module that it must not.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences that ask for nothing but their own text.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0"}

// testsOnly are modules that only tests and examples import. Only their file LICENSE is read: other files are for a logo, for C
// code, and for SQLite, which is in the public domain. MPL-2.0 is allowed for them, because it asks only for the source of
// changes to a module, and there are none.
var testsOnly = []string{"github.com/go-sql-driver/mysql", "modernc.org/libc", "modernc.org/memory", "modernc.org/sqlite"}

// rootMay are the only modules that the root may require; the rest of its build list comes with them.
var rootMay = []string{
	"github.com/google/go-querystring", "golang.org/x/sync", "golang.org/x/time",
	"github.com/jarcoal/httpmock", "github.com/stretchr/testify", // tests
	"go.yaml.in/yaml/v3", // testify
}

// known is how much of a licence file must be the text of known licences, as on pkg.go.dev. The rest is names and years.
const known = 75 // percent

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([-_.].*)?$`)

const ours = "github.com/webanklive/webanklive"

type dependency struct {
	Path, Version, Dir string
	users              []string // directories of the modules that require it
}

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string) error {
	required, err := requirements(ctx, root)
	if err != nil {
		return err
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(required)) {
		dep := required[name]
		found, err := licences(dep.Dir, dep.Path)
		if err != nil {
			found = err.Error()
			wrong = append(wrong, name+": "+found)
		}
		fmt.Printf("%-28s %s  (%s)\n", found, name, strings.Join(dep.users, " "))
		if slices.Contains(dep.users, ".") && !slices.Contains(rootMay, dep.Path) {
			wrong = append(wrong, name+": not for the root module, which every partner builds")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("not allowed:\n%s", strings.Join(wrong, "\n"))
	}
	return nil
}

// requirements returns what the go.mod files below root require, which is all that their packages and tests import, on
// every operating system.
func requirements(ctx context.Context, root string) (map[string]*dependency, error) {
	required := map[string]*dependency{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.Name() != "go.mod":
			return nil
		}
		user, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		deps, err := requiredBy(ctx, filepath.Dir(path))
		for _, dep := range deps {
			name := dep.Path + "@" + dep.Version
			if required[name] == nil {
				required[name] = &dep
			}
			required[name].users = append(required[name].users, filepath.ToSlash(user))
		}
		return err
	})
	return required, err
}

func requiredBy(ctx context.Context, dir string) ([]dependency, error) {
	var mod struct{ Require []dependency }
	text, err := goCommand(ctx, dir, "mod", "edit", "-json")
	if err == nil {
		err = json.Unmarshal(text, &mod)
	}
	if err != nil {
		return nil, err
	}
	download := []string{"mod", "download", "-json"}
	for _, dep := range mod.Require {
		if dep.Path != ours && !strings.HasPrefix(dep.Path, ours+"/") {
			download = append(download, dep.Path+"@"+dep.Version)
		}
	}
	if len(download) == 3 {
		return nil, nil
	}
	text, err = goCommand(ctx, dir, download...)
	if err != nil {
		return nil, err
	}
	var deps []dependency
	for decoder := json.NewDecoder(strings.NewReader(string(text))); ; {
		var dep dependency
		if err := decoder.Decode(&dep); err == io.EOF {
			return deps, nil
		} else if err != nil {
			return nil, err
		}
		deps = append(deps, dep)
	}
}

// licences returns the names of the licences in a module's directory. Its error says which file is not allowed.
func licences(dir, module string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	names, tests := map[string]bool{}, slices.Contains(testsOnly, module)
	for _, entry := range entries {
		if entry.IsDir() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		if tests && entry.Name() != "LICENSE" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		cover := licensecheck.Scan(text)
		if cover.Percent < known {
			return "", fmt.Errorf("unknown text in %s", entry.Name())
		}
		for _, match := range cover.Match {
			if !slices.Contains(allowed, match.ID) && (match.ID != "MPL-2.0" || !tests) {
				return "", fmt.Errorf("%s is %s", entry.Name(), match.ID)
			}
			names[match.ID] = true
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no licence file")
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " and "), nil
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s in %s: %w", strings.Join(args, " "), dir, err)
	}
	return out, err
}
