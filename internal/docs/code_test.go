package docs

// Every ```go block type-checks, and every Go name in the text exists.

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// preamble is what a reader takes for granted around a fragment of code: the usual imports and variables.
const preamble = `package p

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
	"github.com/webanklive/webanklive/storetest"
)

var (
	ctx       context.Context
	w         http.ResponseWriter
	r         *http.Request
	c         *webanklive.Client
	srv       *livetest.Server
	rdb       *redis.Client
	source    webanklive.CredentialSource
	service   *checks.Service
	extraData map[string]string
	key       []byte

	appID, secret, order, user, session, password string

	newStore     func(*testing.T) webanklive.CredentialStore
	secondHandle func(*testing.T, webanklive.CredentialStore) webanklive.CredentialStore
	outage       func(*testing.T, webanklive.CredentialStore)
)
`

func TestCodeBlock_OfGoCompilesAndIsFormatted(t *testing.T) {
	t.Parallel()
	load, checked := compiled(t), map[string]bool{}
	for _, p := range written(t) {
		for _, b := range p.code("go") {
			if checked[b.code] {
				continue // a translation
			}
			checked[b.code] = true
			where := fmt.Sprintf("%s:%d", p.path, b.line)
			for _, problem := range typeCheck(load, b.code) {
				assert.Fail(t, problem, where)
			}
			formatted, err := format.Source([]byte(b.code))
			assert.NoError(t, err, where)
			assert.Equal(t, string(formatted), b.code, "%s: not as gofmt has it", where)
		}
	}
	require.Greater(t, len(checked), 15)
}

// A test that cannot fail is none: what the type check must refuse.
func TestTypeCheck_RefusesWhatDoesNotCompile(t *testing.T) {
	t.Parallel()
	load := compiled(t)
	for name, code := range map[string]string{
		"a name that is not there":  "c.GetLiveResults(ctx, webanklive.LiveResultRequest{})",
		"a wrong type":              "link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{OrderNo: 1})",
		"a wrong number of results": "link := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{})",
		"a file without its import": "package p\n\nvar _ = webanklive.Sign",
		"what is no Go":             "c.GetLiveResult(…)",
	} {
		assert.NotEmpty(t, typeCheck(load, code), name)
	}
	assert.Empty(t, typeCheck(load, "link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{OrderNo: order})"),
		"a variable that the fragment does not use")
}

// typeCheck returns what is wrong with a whole file, with declarations, or with statements.
func typeCheck(load types.Importer, code string) []string {
	files := token.NewFileSet()
	parsed := func(source string) *ast.File {
		file, err := parser.ParseFile(files, "block.go", source, parser.SkipObjectResolution)
		if err != nil {
			return nil
		}
		return file
	}
	var whole []*ast.File
	if strings.HasPrefix(code, "package ") || strings.Contains(code, "\npackage ") {
		whole = []*ast.File{parsed(code)}
	} else if declarations := parsed(preamble + code); declarations != nil {
		whole = []*ast.File{declarations}
	} else {
		whole = []*ast.File{parsed(preamble + "func _() {\n" + code + "\n}\n")}
	}
	if whole[0] == nil {
		return []string{"it is no Go: " + code}
	}
	var problems []string
	config := types.Config{Importer: load, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) || !e.Soft { // soft: an import or a variable that is not used
			problems = append(problems, err.Error())
		}
	}}
	_, _ = config.Check("block", files, whole, nil) // its error is the first of those above
	return problems
}

var (
	pathOf  = regexp.MustCompile("`(livetest|evidence|redisstore|filestore|storetest|webanklive)\\.([A-Z]\\w*)")
	bareOne = regexp.MustCompile("`((?:With|Err|New|Build|Verify|GetLive|Stream|Lookup|Entry|Live)[A-Z]\\w*)")
)

func TestText_NamesOnlyGoNamesThatExist(t *testing.T) {
	t.Parallel()
	load := compiled(t)
	scope := func(name string) *types.Scope {
		pkg, err := load.Import(strings.TrimSuffix("github.com/webanklive/webanklive/"+strings.TrimPrefix(name, "webanklive"), "/"))
		require.NoError(t, err)
		return pkg.Scope()
	}
	known := map[string]bool{}
	for _, name := range []string{"webanklive", "redisstore", "filestore", "storetest"} {
		for _, exported := range scope(name).Names() {
			known[exported] = true
		}
	}
	client := types.NewMethodSet(types.NewPointer(scope("webanklive").Lookup("Client").Type()))
	for i := range client.Len() {
		known[client.At(i).Obj().Name()] = true
	}
	checked := 0
	for _, p := range every(t) {
		for _, m := range pathOf.FindAllStringSubmatch(p.text, -1) {
			checked++
			assert.NotNil(t, scope(m[1]).Lookup(m[2]), "%s names %s.%s", p.path, m[1], m[2])
		}
		for _, m := range bareOne.FindAllStringSubmatch(p.text, -1) {
			checked++
			assert.True(t, known[m[1]], "%s names %s", p.path, m[1])
		}
	}
	require.Greater(t, checked, 100)
}

// exports maps import paths to compiled packages. The nested modules are reached through a workspace of this test's own,
// so that what the guides import is what this repository has.
var exports = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "docs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	here, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "go.work")
	text := "go 1.24.0\n\nuse (\n"
	for _, module := range []string{here, filepath.Join(here, "filestore"), filepath.Join(here, "redisstore")} {
		text += "\t" + strconv.Quote(module) + "\n"
	}
	if err := os.WriteFile(work, []byte(text+")\n"), 0o600); err != nil {
		return nil, err
	}

	imports := map[string]bool{"crypto/rand": true, "fmt": true, "log": true, "os": true, "sync": true}
	file, err := parser.ParseFile(token.NewFileSet(), "", preamble, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports[path] = true
	}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for path := range imports {
		args = append(args, path)
	}
	sort.Strings(args[5:])
	cmd := exec.Command("go", args...)
	cmd.Dir = here
	cmd.Env = append(os.Environ(), "GOWORK="+work, "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, err
	}
	found := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		if path, export, ok := strings.Cut(line, "="); ok && export != "" {
			found[path] = export
		}
	}
	return found, nil
})

// compiled is for one goroutine.
func compiled(t *testing.T) types.Importer {
	t.Helper()
	packages, err := exports()
	require.NoError(t, err)
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		export, ok := packages[path]
		if !ok {
			return nil, fmt.Errorf("no fragment imports %s", path)
		}
		return os.Open(export)
	})
}
