package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

func TestCodes_AreFoundByCodeAndByTextInBothLanguages(t *testing.T) {
	t.Parallel()
	one, ok := webanklive.LookupCode("66660011")
	require.True(t, ok)
	for text, want := range map[string]string{
		"66660011": one.Message, "-5013": "class    not_passed (quality)", "无此查询结果": "66660011",
		"no result for this query": "66660011", "NOT_READY": "66660018", "遮挡": "-5012",
		"0": "class    passed", // the code itself comes before those that contain it
	} {
		assert.Contains(t, bench{}.run(t, exitDone, "codes", text).out, want, text)
		assert.NotEmpty(t, bench{}.run(t, exitDone, "codes", "--json", text).object(t)["codes"], text)
	}
	assert.Equal(t, len(webanklive.Codes()), strings.Count(bench{}.run(t, exitDone, "codes").out, "\n"))
	first := bench{}.run(t, exitDone, "codes", "--json").object(t)["codes"].([]any)[0].(map[string]any)
	assert.Equal(t, webanklive.Codes()[0].Code, first["code"])
	for _, name := range []string{"class", "reason", "meaning", "message", "advice"} {
		assert.Contains(t, first, name)
	}

	for text, want := range map[string]string{"-987654": "it means not passed", "no such words": "nothing in the catalogue"} {
		assert.Contains(t, bench{}.run(t, exitNo, "codes", text).errOut, want)
		assert.Equal(t, "unknown_code", bench{}.run(t, exitNo, "codes", "--json", text).errorClass(t))
	}
}
