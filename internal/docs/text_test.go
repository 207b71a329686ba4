package docs

// What is said: the same in both languages, with links that lead somewhere, and facts that are the catalogue's.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

func TestTranslation_HasTheShapeOfItsOriginal(t *testing.T) {
	t.Parallel()
	pairs := english(t)
	for en, zh := range pairs {
		here, there := readPage(t, en), readPage(t, zh)
		assert.Equal(t, here.levels(), there.levels(), "headings of %s and %s", en, zh)
		require.Len(t, there.blocks, len(here.blocks), "code blocks of %s and %s", en, zh)
		for i, b := range here.blocks {
			assert.Equal(t, b.language, there.blocks[i].language, "%s:%d and %s:%d", en, b.line, zh, there.blocks[i].line)
			assert.Equal(t, b.code, there.blocks[i].code, "%s:%d and %s:%d", en, b.line, zh, there.blocks[i].line)
		}
		assert.Equal(t, rows(here), rows(there), "table rows of %s and %s", en, zh)
		assert.Equal(t, targets(here), targets(there), "links of %s and %s", en, zh)
		assert.Contains(t, here.text, "English · [中文]("+relative(en, zh)+")", "the way from %s to its translation", en)
		assert.Contains(t, there.text, "[English]("+relative(zh, en)+") · 中文", "the way from %s to its original", zh)
	}
	for _, zh := range glob(t, "docs/zh/*.md") {
		assert.Contains(t, pairs, "docs/"+path.Base(zh), "%s translates nothing", zh)
	}
}

func TestTranslation_IsInChinese(t *testing.T) {
	t.Parallel()
	for en, zh := range english(t) {
		for _, h := range readPage(t, zh).headings {
			if h.text == "webanklive" || h.text == "Redis" {
				continue
			}
			assert.True(t, strings.ContainsFunc(h.text, isHan), "%s: %q", zh, h.text)
		}
		for _, h := range readPage(t, en).headings {
			assert.False(t, strings.ContainsFunc(h.text, isHan), "%s: %q", en, h.text)
		}
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func TestLink_HasATarget(t *testing.T) {
	t.Parallel()
	for _, p := range every(t) {
		for _, target := range links(p) {
			u, err := url.Parse(target)
			require.NoError(t, err, p.path)
			if u.IsAbs() {
				continue
			}
			file := p.path
			if u.Path != "" {
				file = path.Join(path.Dir(p.path), u.Path)
				_, err = os.Stat(filepath.Join(root, file))
				assert.NoError(t, err, "%s links to %s", p.path, target)
			}
			if u.Fragment != "" && err == nil {
				assert.Contains(t, readPage(t, file).anchors(), u.Fragment, "%s links to %s", p.path, target)
			}
		}
	}
}

func TestTroubleshooting_ListsTheCodesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| (-?\\d+) \\| (.+?) \\| (.+?) \\| `(\\w+)` \\| .+ \\|$")
	for _, file := range []string{"docs/troubleshooting.md", "docs/zh/troubleshooting.md"} {
		found := row.FindAllStringSubmatch(readPage(t, file).text, -1)
		require.Greater(t, len(found), 25, file)
		for _, cells := range found {
			info, ok := webanklive.LookupCode(cells[1])
			require.True(t, ok, cells[1])
			assert.Equal(t, []string{info.Message, info.Meaning, info.Class}, cells[2:], "%s: %s", file, cells[1])
		}
	}
}

func TestText_NamesOnlyCodesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`\b(?:666\d{5}|4005\d\d|4001\d\d|400601|300[1-5])\b`)
	for _, p := range every(t) {
		for _, found := range code.FindAllString(p.text, -1) {
			_, ok := webanklive.LookupCode(found)
			assert.True(t, ok, "%s names code %s", p.path, found)
		}
	}
}

// What the tables quote from errors and logs is in the code, piece by piece.
func TestText_QuotesMessagesOfTheCode(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, dir := range []string{"", "filestore/", "redisstore/", "cmd/webanklive/"} {
		for _, file := range glob(t, dir+"*.go") {
			if !strings.HasSuffix(file, "_test.go") {
				text, err := os.ReadFile(filepath.Join(root, file))
				require.NoError(t, err)
				source.Write(text)
			}
		}
	}
	code := source.String() + context.DeadlineExceeded.Error() +
		x509.UnknownAuthorityError{}.Error() + tls.AlertError(40).Error() // handshake_failure
	span := regexp.MustCompile("`([^`]+)`")
	variable := strings.NewReplacer("3001", "%s", "text/html", "%s", `because="`, "", `"`, "")
	checked := 0
	for _, file := range []string{"replicas", "evidence", "troubleshooting"} {
		for _, dir := range []string{"docs/", "docs/zh/"} {
			for _, line := range strings.Split(readPage(t, dir+file+".md").text, "\n") {
				symptom, _, isRow := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
				for _, quoted := range span.FindAllStringSubmatch(symptom, -1) {
					if !isRow || !strings.Contains(quoted[1], " ") {
						continue // a name
					}
					for _, piece := range regexp.MustCompile(`: |…|[()]`).Split(variable.Replace(quoted[1]), -1) {
						checked++
						assert.Contains(t, code, strings.TrimSpace(piece), "%s%s.md quotes %s", dir, file, quoted[1])
					}
				}
			}
		}
	}
	require.Greater(t, checked, 40)
}

// rows are the numbers of rows of the tables of a page, section by section.
func rows(p page) []int {
	counts := []int{0}
	for _, line := range strings.Split(p.text, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			counts = append(counts, 0)
		case strings.HasPrefix(line, "|"):
			counts[len(counts)-1]++
		}
	}
	return counts
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)|<(https?://[^>\s]+)>|src="([^"]+)"`)

func links(p page) []string {
	var found []string
	for _, m := range link.FindAllStringSubmatch(p.text, -1) {
		found = append(found, m[1]+m[2]+m[3])
	}
	return found
}

// targets are the files that a page links to, in order, a page standing for its translation.
func targets(p page) []string {
	var files []string
	for _, target := range links(p) {
		if u, err := url.Parse(target); err == nil && !u.IsAbs() {
			file := path.Join(path.Dir(p.path), u.Path)
			file = strings.Replace(file, "docs/zh/", "docs/", 1)
			files = append(files, strings.Replace(file, "README.zh-CN.md", "README.md", 1))
		}
	}
	return files
}

func relative(from, to string) string {
	rel, _ := filepath.Rel(path.Dir(from), to)
	return filepath.ToSlash(rel)
}
