package webanklive

// The catalogue of the platform's response codes (通用响应码): data in codes.csv, one row a code, each with the
// vendor page it was read from.

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
)

// CodeInfo is what the vendor's pages say about one response code. The texts are the vendor's own, in Chinese, meant
// for support staff; do not decide by them.
type CodeInfo struct {
	// Code as the platform sends it, "66660011" or "-5013" for instance.
	Code string

	// Class is this library's reading of the code: "passed", "not_passed", "not_ready", "credential", "throttled",
	// "unavailable", "invalid_request" or "account". An *[Error] with this code matches the sentinel of the same name,
	// [ErrNotPassed] for "not_passed" and so on.
	Class string

	// Reason tells codes of class "not_passed" apart: "liveness", "quality", "attack", "identity", "risk", "attempts"
	// or "device". Empty in every other class.
	Reason string

	// Message is the text that the platform shows (提示信息); Advice is what to do about it (处理建议), often empty.
	Message, Advice string
}

// LookupCode returns what the catalogue says about code. It reports false for a code that no vendor page names; new
// ones keep appearing, and such a code means "not passed" when [Client.GetLiveResult] brings it. It is safe for
// concurrent use.
//
// 通用响应码: https://cloud.tencent.com/document/product/655/32309 and /1007/47912
func LookupCode(code string) (CodeInfo, bool) {
	info, ok := catalogue()[code]
	return info, ok
}

//go:embed codes.csv
var codesCSV string

var catalogue = sync.OnceValue(func() map[string]CodeInfo {
	rows, err := csv.NewReader(strings.NewReader(codesCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("webanklive: codes.csv, which is compiled in: %v", err))
	}
	codes := make(map[string]CodeInfo, len(rows))
	for _, row := range rows[1:] {
		codes[row[0]] = CodeInfo{Code: row[0], Class: row[1], Reason: row[2], Message: row[3], Advice: row[4]}
	}
	return codes
})

// classes maps the catalogue's class names to the sentinels; "passed" is no error.
var classes = map[string]error{
	"not_passed":      ErrNotPassed,
	"not_ready":       ErrNotReady,
	"credential":      ErrCredential,
	"throttled":       ErrThrottled,
	"unavailable":     ErrUnavailable,
	"invalid_request": ErrInvalidRequest,
	"account":         ErrAccount,
}

// classOfCode returns the sentinel of a code, nil for "0", and ErrNotPassed for a code that nobody knows.
func classOfCode(code string) error {
	if code == codePassed {
		return nil
	}
	if info, ok := LookupCode(code); ok {
		return classes[info.Class]
	}
	return ErrNotPassed
}
