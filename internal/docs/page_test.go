package docs

// A document as the tests see it: headings, code blocks, and the text between them.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

type page struct {
	path     string // from the root of the repository
	headings []heading
	blocks   []block
	text     string // without the code blocks
}

type heading struct {
	level int
	text  string
}

type block struct {
	language string
	line     int // of its fence
	code     string
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	p := page{path: path}
	var text strings.Builder
	var open *block
	for i, line := range strings.Split(string(source), "\n") {
		switch fence, isFence := strings.CutPrefix(line, "```"); {
		case isFence && open == nil:
			open = &block{language: fence, line: i + 1}
		case isFence:
			p.blocks, open = append(p.blocks, *open), nil
		case open != nil:
			open.code += line + "\n"
		default:
			if hashes, title, ok := strings.Cut(line, " "); ok && hashes != "" && strings.Trim(hashes, "#") == "" {
				p.headings = append(p.headings, heading{len(hashes), title})
			}
			text.WriteString(line + "\n")
		}
	}
	require.Nil(t, open, "%s: a code block does not end", path)
	p.text = text.String()
	return p
}

func (p page) code(language string) []block {
	var blocks []block
	for _, b := range p.blocks {
		if b.language == language {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// levels is the shape of a page: the levels of its headings in order.
func (p page) levels() []int {
	var levels []int
	for _, h := range p.headings {
		levels = append(levels, h.level)
	}
	return levels
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)

// anchors are the ids that GitHub gives the headings.
func (p page) anchors() []string {
	var anchors []string
	for _, h := range p.headings {
		anchors = append(anchors, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(h.text), ""), " ", "-"))
	}
	return anchors
}

// english lists the pages that are translated, each with where its translation is.
func english(t *testing.T) map[string]string {
	t.Helper()
	translated := map[string]string{"README.md": "README.zh-CN.md"}
	for _, path := range glob(t, "docs/*.md") {
		if !untranslated[path] {
			translated[path] = "docs/zh/" + filepath.Base(path)
		}
	}
	require.Len(t, translated, 12)
	return translated
}

// untranslated are reports of measurements, for whoever doubts them.
var untranslated = map[string]bool{"docs/benchmarks.md": true, "docs/reliability.md": true}

// written returns every page whose code and commands these tests check: what is translated, and the maintainers' page.
func written(t *testing.T) []page {
	t.Helper()
	pages := []page{readPage(t, "CONTRIBUTING.md")}
	for en, zh := range english(t) {
		pages = append(pages, readPage(t, en), readPage(t, zh))
	}
	return pages
}

// every returns all pages of the repository's front.
func every(t *testing.T) []page {
	t.Helper()
	var pages []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/zh/*.md", "examples/*/*.md", ".github/*.md", ".github/*/*.md"} {
		for _, path := range glob(t, pattern) {
			pages = append(pages, readPage(t, path))
		}
	}
	require.Greater(t, len(pages), 16)
	return pages
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	require.NoError(t, err)
	for i := range found {
		found[i], err = filepath.Rel(root, found[i])
		require.NoError(t, err)
		found[i] = filepath.ToSlash(found[i])
	}
	return found
}
