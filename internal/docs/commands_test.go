package docs

// Every command of a ```sh block is run by guide_test.go, or by somebody else who is named here.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// elsewhere has the commands that guide_test.go does not run: why, and what runs them instead, a text in a file.
var elsewhere = map[string]struct{ why, file, text string }{
	"go test ./...":                   {"it is a step of alltests", "internal/alltests/tests.go", `"go", "test", "-short", "./..."`},
	"go run ./internal/alltests":      {"it runs this test", "internal/alltests/main.go", `{"test", quick, testEveryModule}`},
	"go run ./internal/alltests -all": {"CI runs it", ".ci/run", "go run ./internal/alltests -all"},
	"go run ./examples/quickstart":    {"it is a step of alltests", "internal/alltests/tests.go", `"go", "run", "./examples/quickstart"`},
	"go run ./examples/webdemo":       {"it serves for ever", "internal/alltests/tests.go", `"./examples/webdemo", "-once"`},
	"go run ./examples/fleet":         {"its own test does", "examples/fleet/main_test.go", "func Test"},

	"go get github.com/webanklive/webanklive":            {"it needs a release", "internal/releasecheck/use.go", `"get", root + "@" + version`},
	"go get github.com/webanklive/webanklive/redisstore": {"it needs a release", "internal/releasecheck/use.go", `root + "/redisstore@" + version`},
	"go get github.com/webanklive/webanklive/filestore":  {"it needs a release", "internal/releasecheck/use.go", `root + "/filestore@" + version`},

	"go get github.com/webanklive/webanklive/sqlchecks":      {"it needs a release", "internal/releasecheck/use.go", `root + "/sqlchecks@" + version`},
	"go get github.com/webanklive/webanklive/otelwebanklive": {"it needs a release", "internal/releasecheck/use.go", `root + "/otelwebanklive@" + version`},

	"go run ./internal/releasecheck -prepare -version v0.1.0": {"it edits go.mod files", "internal/releasecheck/main.go", `"prepare"`},
	"go run ./internal/releasecheck -as-is -version v0.1.0":   {"it needs edited go.mod files", "internal/releasecheck/main.go", `"as-is"`},
}

func TestCommand_IsRunByATest(t *testing.T) {
	t.Parallel()
	followed := map[string]bool{}
	for _, b := range guideCommands(t) {
		for _, command := range commandsOf(b) {
			followed[command] = true
		}
	}
	printed := map[string]bool{}
	for _, p := range written(t) {
		for _, b := range p.code("sh") {
			for _, command := range commandsOf(b) {
				printed[command] = true
				_, other := elsewhere[command]
				assert.True(t, followed[command] || other, "%s:%d: nobody runs %q", p.path, b.line, command)
			}
		}
		assert.Empty(t, p.code("bash"), p.path)
		assert.Empty(t, p.code(""), "%s: a code block says its language", p.path)
	}
	for command, by := range elsewhere {
		assert.True(t, printed[command], "no page has %q", command)
		source, err := os.ReadFile(filepath.Join(root, by.file))
		require.NoError(t, err, command)
		assert.Contains(t, string(source), by.text, "%q: %s, but %s does not run it", command, by.why, by.file)
	}
}

func TestText_NamesOnlyMakeTargetsThatExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	named := 0
	for _, p := range written(t) {
		for _, m := range regexp.MustCompile("`make ([a-z-]+)`").FindAllStringSubmatch(p.text, -1) {
			named++
			assert.Regexp(t, `(?m)^([a-z-]+ )*`+m[1]+`( [a-z-]+)*:`, string(makefile), "%s names make %s", p.path, m[1])
		}
	}
	require.NotZero(t, named)
}

// guideCommands are the blocks that guide_test.go runs, in this order.
func guideCommands(t *testing.T) []block {
	t.Helper()
	var blocks []block
	for _, path := range []string{"docs/integrate.md", "docs/evidence.md", "docs/troubleshooting.md", "docs/testing.md"} {
		blocks = append(blocks, readPage(t, path).code("sh")...)
	}
	return blocks
}

func commandsOf(b block) []string {
	var commands []string
	for _, line := range strings.Split(strings.TrimSpace(b.code), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			commands = append(commands, line)
		}
	}
	return commands
}
