package main

// The README says how much code of its own a site needs.

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadme_CountsTheLinesOfHandlersAndWiring(t *testing.T) {
	t.Parallel()
	handlers, wiring := codeLines(t, "handlers.go"), codeLines(t, "checks.go")
	assert.LessOrEqual(t, handlers+wiring, 120)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), fmt.Sprintf("%d lines: %d and %d", handlers+wiring, handlers, wiring))
}

// codeLines counts the lines of a Go file that hold more than a comment.
func codeLines(t *testing.T, name string) int {
	t.Helper()
	source, err := os.ReadFile(name) //nolint:gosec // a file of this directory
	require.NoError(t, err)
	files := token.NewFileSet()
	file := files.AddFile(name, files.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0) // without comments
	lines := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue
		}
		lines[file.Line(pos)] = true
	}
}
