package webanklive_test

// Tests of the catalogue: codes.csv as data, and Codes, which hands it out.

import (
	"cmp"
	"encoding/csv"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
)

func TestCodes_IsTheCatalogueInItsOrderAndACopy(t *testing.T) {
	t.Parallel()
	rows := catalogueRows(t)
	codes := webanklive.Codes()
	require.Len(t, codes, len(rows))
	seen := map[string]bool{}
	for i, row := range rows {
		want := webanklive.CodeInfo{
			Code: row["code"], Class: row["class"], Reason: row["reason"],
			Message: row["message_zh"], Advice: row["advice_zh"], Meaning: row["meaning_en"],
		}
		assert.Equal(t, want, codes[i])
		assert.False(t, seen[want.Code], "%s stands twice", want.Code)
		seen[want.Code] = true

		codes[i].Meaning = "mine"
		info, ok := webanklive.LookupCode(want.Code)
		assert.True(t, ok, want.Code)
		assert.Equal(t, want, info)
		assert.Equal(t, want, webanklive.Codes()[i])
	}
}

func TestLookupCode_FindsARowOfTheCatalogueAndNothingElse(t *testing.T) {
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

func TestCodes_EachHasItsClassItsPageAndItsMeaning(t *testing.T) {
	t.Parallel()
	classes := map[string]error{
		"passed": nil, "not_passed": webanklive.ErrNotPassed, "not_ready": webanklive.ErrNotReady,
		"credential": webanklive.ErrCredential, "throttled": webanklive.ErrThrottled, "unavailable": webanklive.ErrUnavailable,
		"invalid_request": webanklive.ErrInvalidRequest, "account": webanklive.ErrAccount,
	}
	reasons := []string{"liveness", "quality", "attack", "identity", "risk", "attempts", "device"}
	type chinese struct{ message, advice string }
	english := map[chinese]string{}
	rows := catalogueRows(t)
	require.Len(t, rows, 162)
	for _, row := range rows {
		code := row["code"]
		require.Contains(t, classes, row["class"], code)
		clienttest.RequireClass(t, &webanklive.Error{Code: code}, classes[row["class"]])
		assert.Equal(t, row["class"] == "passed", code == "0")
		assert.NotEmpty(t, row["source"], "%s names no vendor page", code)
		if row["class"] == "not_passed" {
			assert.Contains(t, reasons, row["reason"], code)
		} else {
			assert.Empty(t, row["reason"], code)
		}

		assert.Regexp(t, `\p{Han}`, row["message_zh"], "%s has not the vendor's text", code)
		assert.Regexp(t, `^[!-~]([ -~]*[!-~])?$`, row["meaning_en"], code)
		text := chinese{row["message_zh"], row["advice_zh"]}
		assert.Equal(t, cmp.Or(english[text], row["meaning_en"]), row["meaning_en"], "%s: the same Chinese has the same English", code)
		english[text] = row["meaning_en"]
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
