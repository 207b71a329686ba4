// What the steps make of the reports of other tools.
package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJudge_FailsForCalledCodeOfDependenciesOnly(t *testing.T) {
	t.Parallel()
	const (
		library  = `{"finding":{"osv":"GO-1","fixed_version":"v0.60.0","trace":[{"module":"golang.org/x/net","version":"v0.51.0","package":"golang.org/x/net/http2","function":"Read"}]}}`
		imported = `{"finding":{"osv":"GO-2","fixed_version":"v0.60.0","trace":[{"module":"golang.org/x/net","version":"v0.51.0","package":"golang.org/x/net/http2"}]}}`
		standard = `{"finding":{"osv":"GO-3","fixed_version":"v1.26.10","trace":[{"module":"stdlib","version":"v1.26.8","package":"net/http","function":"Get"}]}}`
	)
	require.ErrorContains(t, judge(".", imported+standard+library), "GO-1: golang.org/x/net@v0.51.0, mended in \"v0.60.0\"")
	require.NoError(t, judge(".", imported+standard))
	require.NoError(t, judge(".", ""))
	require.Error(t, judge(".", "govulncheck: not JSON"))
}

func TestUnnamedChanges_LooksUnderUnreleased(t *testing.T) {
	t.Parallel()
	const changelog = "# Changelog\n\n## Unreleased\n\n- `Retryable` says more.\n" +
		"- Breaking: `Sign`\n  and `Visit` are gone.\n- `ErrMedia`.\n\n## v0.1.0\n\n- Breaking: `LookupCode`.\n"
	for _, c := range []struct {
		change string
		named  bool
	}{
		{"- Sign: removed", true},
		{"- ./livetest.(*Platform).Visit, method set of *Server: removed", true},
		{"- Retryable: removed", false},
		{"- ErrMedia: removed", false},
		{"- LookupCode: removed", false}, // named for another release
		{"- (*Client).SignAll: removed", false},
		{"- ./examples/webdemo/shop.Shop: removed", true}, // nobody imports it
		{"Incompatible changes:", true},
	} {
		unnamed := unnamedChanges(c.change+"\n", changelog)
		assert.Equal(t, c.named, len(unnamed) == 0, c.change)
	}
	assert.Len(t, unnamedChanges("- Sign: removed\n", ""), 1, "without a changelog")
}

func TestChoose_KeepsTheOrderAndTellsQuickFromAll(t *testing.T) {
	t.Parallel()
	steps := []step{{name: "tools", when: always}, {name: "test", when: quick}, {name: "race", when: slow}, {name: "fuzz", when: slow}}
	for _, c := range []struct {
		all   bool
		names []string
		want  []string
	}{
		{false, nil, []string{"tools", "test"}},
		{true, nil, []string{"tools", "race", "fuzz"}},
		{false, []string{"fuzz", "test"}, []string{"test", "fuzz"}},
	} {
		chosen, err := choose(steps, c.all, c.names)
		require.NoError(t, err)
		var got []string
		for _, s := range chosen {
			got = append(got, s.name)
		}
		assert.Equal(t, c.want, got)
	}

	_, err := choose(steps, false, []string{"fuz"})
	require.ErrorContains(t, err, `no step "fuz"; there are tools, test, race, fuzz`)
}
