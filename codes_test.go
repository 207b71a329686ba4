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
	"github.com/webanklive/webanklive/internal/clienttest"
)

func TestCodes_IsTheCatalogueInItsOrder(t *testing.T) {
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

func TestLookupCode_FindsEveryRowOfTheCatalogue(t *testing.T) {
	t.Parallel()
	info, ok := webanklive.LookupCode("-5013")
	require.True(t, ok)
	assert.Equal(t, webanklive.CodeInfo{
		Code: "-5013", Class: "not_passed", Reason: "quality", Message: "声音太小；录制时，确保周围环境安静", Advice: "视频里的声音太小",
		Meaning: "the voice is too quiet; record in a quiet place",
	}, info)
	_, ok = webanklive.LookupCode("123456789")
	assert.False(t, ok)
	_, ok = webanklive.LookupCode("code")
	assert.False(t, ok, "the header is not a row")

	// One code of each class, and the two that matter most.
	for code, class := range map[string]error{
		"-5013": webanklive.ErrNotPassed, "3001": webanklive.ErrNotPassed, "66660011": webanklive.ErrNotReady,
		"15": webanklive.ErrCredential, "400101": webanklive.ErrCredential, "400504": webanklive.ErrThrottled,
		"999999": webanklive.ErrUnavailable, "66660000": webanklive.ErrInvalidRequest, "66660002": webanklive.ErrAccount,
		"no such code": webanklive.ErrNotPassed,
	} {
		clienttest.RequireClass(t, &webanklive.Error{Code: code}, class)
	}
	clienttest.RequireClass(t, &webanklive.Error{Code: "0"}, nil)
	clienttest.RequireClass(t, &webanklive.Error{}, nil)
}

func TestCodes_EachHasItsClassAndItsPage(t *testing.T) {
	t.Parallel()
	classes := map[string]error{
		"passed": nil, "not_passed": webanklive.ErrNotPassed, "not_ready": webanklive.ErrNotReady,
		"credential": webanklive.ErrCredential, "throttled": webanklive.ErrThrottled, "unavailable": webanklive.ErrUnavailable,
		"invalid_request": webanklive.ErrInvalidRequest, "account": webanklive.ErrAccount,
	}
	reasons := []string{"liveness", "quality", "attack", "identity", "risk", "attempts", "device"}
	rows := catalogueRows(t)
	require.Len(t, rows, 162)
	for _, row := range rows {
		code := row["code"]
		require.Contains(t, classes, row["class"], code)
		clienttest.RequireClass(t, &webanklive.Error{Code: code}, classes[row["class"]])
		assert.Equal(t, row["class"] == "passed", code == "0")
		assert.NotEmpty(t, row["message_zh"], code)
		assert.NotEmpty(t, row["source"], "%s names no vendor page", code)
		if row["class"] == "not_passed" {
			assert.Contains(t, reasons, row["reason"], code)
		} else {
			assert.Empty(t, row["reason"], code)
		}
	}
}

func TestCodes_IsACopy(t *testing.T) {
	t.Parallel()
	mine := webanklive.Codes()
	first := mine[0]
	mine[0].Meaning = "mine"
	assert.Equal(t, first, webanklive.Codes()[0])
	info, _ := webanklive.LookupCode(first.Code)
	assert.Equal(t, first, info)
}

func TestCodes_EachHasItsMeaningInEnglishBesideTheVendorsChinese(t *testing.T) {
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

func TestCodes_TheSameChineseHasTheSameEnglish(t *testing.T) {
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
