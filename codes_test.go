package webanklive_test

// Tests of the catalogue: codes.csv as data, and Codes, which hands it out.

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

func TestCodesIsTheCatalogueInItsOrder(t *testing.T) {
	t.Parallel()
	rows := catalogueRows(t)
	codes := webanklive.Codes()
	require.Len(t, codes, len(rows))
	seen := map[string]bool{}
	for i, row := range rows {
		assert.Equal(t, webanklive.CodeInfo{
			Code: row["code"], Class: row["class"], Reason: row["reason"],
			Message: row["message_zh"], Advice: row["advice_zh"], Meaning: row["meaning_en"],
		}, codes[i])
		assert.False(t, seen[row["code"]], "%s stands twice", row["code"])
		seen[row["code"]] = true

		info, ok := webanklive.LookupCode(row["code"])
		assert.True(t, ok, row["code"])
		assert.Equal(t, codes[i], info)
	}
}

func TestCodesIsACopy(t *testing.T) {
	t.Parallel()
	mine := webanklive.Codes()
	first := mine[0]
	mine[0].Meaning = "mine"
	assert.Equal(t, first, webanklive.Codes()[0])
	info, _ := webanklive.LookupCode(first.Code)
	assert.Equal(t, first, info)
}

func TestEveryCodeHasItsMeaningInEnglishBesideTheVendorsChinese(t *testing.T) {
	t.Parallel()
	for _, code := range webanklive.Codes() {
		assert.NotEmpty(t, strings.TrimSpace(code.Meaning), code.Code)
		assert.Equal(t, strings.TrimSpace(code.Meaning), code.Meaning, code.Code)
		assert.NotContains(t, code.Meaning, "\n", code.Code)
		for _, r := range code.Meaning {
			assert.True(t, r < unicode.MaxASCII, "%s: %q in %q", code.Code, r, code.Meaning)
		}
		assert.True(t, strings.ContainsFunc(code.Message, func(r rune) bool { return unicode.Is(unicode.Han, r) }),
			"%s: %q is not the vendor's text", code.Code, code.Message)
	}
}

func TestTheSameChineseHasTheSameEnglish(t *testing.T) {
	t.Parallel()
	type text struct{ message, advice string }
	english := map[text]webanklive.CodeInfo{}
	for _, code := range webanklive.Codes() {
		of := text{code.Message, code.Advice}
		if before, ok := english[of]; ok {
			assert.Equal(t, before.Meaning, code.Meaning, "%s and %s", before.Code, code.Code)
		}
		english[of] = code
	}
}

func TestTheCatalogueKnowsItsClasses(t *testing.T) {
	t.Parallel()
	classes := []string{
		"passed", "not_passed", "not_ready", "credential", "throttled", "unavailable", "invalid_request", "account",
	}
	for _, code := range webanklive.Codes() {
		assert.Contains(t, classes, code.Class, code.Code)
		assert.Equal(t, code.Class == "passed", code.Code == "0")
	}
}

// catalogueRows reads codes.csv by the names of its columns, of which meaning_en is the last.
func catalogueRows(t *testing.T) []map[string]string {
	t.Helper()
	file, err := os.Open("codes.csv")
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	names := records[0]
	require.Equal(t, "meaning_en", names[len(names)-1])
	rows := make([]map[string]string, 0, len(records)-1)
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range names {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}
