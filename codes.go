package webanklive

// The catalogue of the platform's response codes (通用响应码): data in codes.csv, one row a code, each with the
// vendor page it was read from.

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// CodeInfo is what the vendor's pages say about one response code. The texts are meant for support staff; do not
// decide by them.
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

	// Message is the vendor's text (提示信息); Advice is what to do about it (处理建议), often empty. Both in Chinese.
	Message, Advice string

	// Meaning says in English what Message and Advice say together, in this library's words.
	Meaning string
}

// LookupCode returns what the catalogue says about code. It reports false for a code that the catalogue does not have; the
// vendor keeps adding codes. Such a code means "not passed" when [Client.GetLiveResult] finds it in a reply that has a 2xx
// status and names the order or a bizSeqNo, which only the platform does. It is safe for concurrent use.
//
// 通用响应码: https://cloud.tencent.com/document/product/655/32309 and /1007/47912
func LookupCode(code string) (CodeInfo, bool) {
	row, ok := catalogue().rowOf[code]
	if !ok {
		return CodeInfo{}, false
	}
	return catalogue().rows[row], true
}

// Codes returns the whole catalogue as a new slice, grouped by class. It is safe for concurrent use.
func Codes() []CodeInfo { return slices.Clone(catalogue().rows) }

//go:embed codes.csv
var codesCSV string

type codes struct {
	rows  []CodeInfo
	rowOf map[string]int
}

var catalogue = sync.OnceValue(func() codes {
	records, err := csv.NewReader(strings.NewReader(codesCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("webanklive: codes.csv, which is compiled in: %v", err))
	}
	records = records[1:] // the columns' names
	c := codes{rows: make([]CodeInfo, len(records)), rowOf: make(map[string]int, len(records))}
	for i, r := range records {
		c.rows[i] = CodeInfo{Code: r[0], Class: r[1], Reason: r[2], Message: r[3], Advice: r[4], Meaning: r[len(r)-1]}
		c.rowOf[r[0]] = i
	}
	return c
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

// classOfCode returns the sentinel of a code, nil for "0", and ErrNotPassed for a code that the catalogue does not have.
func classOfCode(code string) error {
	if code == codePassed {
		return nil
	}
	if info, ok := LookupCode(code); ok {
		return classes[info.Class]
	}
	return ErrNotPassed
}
