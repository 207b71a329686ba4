package main

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMutants_FitTheirFiles(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range mutants() {
		assert.False(t, names[m.name], "%s: the name is given twice", m.name)
		names[m.name] = true
		assert.NotEqual(t, m.old, m.new, m.name)
		broken, err := m.apply("../..")
		if assert.NoError(t, err, "%s: %s", m.file, m.name) {
			_, err = parser.ParseFile(token.NewFileSet(), m.file, broken, parser.SkipObjectResolution)
			assert.NoError(t, err, "%s: %s", m.file, m.name)
		}
	}
	assert.GreaterOrEqual(t, len(names), 50)
}

func TestKiller_IsTheFirstTestThatFailed(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL":                        "TestA",
		"panic: test timed out after 1m30s\n\trunning tests:\n\t\tTestA (1m29s)\n\ngoroutine": "TestA (hangs)",
		"panic: oh\n\ngoroutine 7 [running]:\n":                                               "a panic outside the tests' goroutines",
	} {
		require.Equal(t, want, killer(out))
	}
}
