package main

// The table: one row for each way of doing a thing, the targets on the rows of this library.

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// A row is one way of doing one thing. Empty cells say nothing.
type row struct {
	what, way     string
	result        string
	bytes, allocs string
	usual, floor  string // ratios
	targets       []target
}

// A target is one promise. NaN stands for what could not be measured.
type target struct {
	text    string
	got     float64
	limit   float64
	atLeast bool
}

func atMost(text string, got, limit float64) target  { return target{text, got, limit, false} }
func atLeast(text string, got, limit float64) target { return target{text, got, limit, true} }

func (t target) met() bool {
	if t.atLeast {
		return t.got >= t.limit
	}
	return t.got <= t.limit
}

type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) count() (met, missed, unmeasured int) {
	for _, r := range t.rows {
		for _, target := range r.targets {
			switch {
			case math.IsNaN(target.got):
				unmeasured++
			case target.met():
				met++
			default:
				missed++
			}
		}
	}
	return met, missed, unmeasured
}

// print writes the table as Markdown whose columns also line up in a terminal.
func (t *table) print(w io.Writer) {
	lines := [][]string{{"what", "way", "result", "B/op", "allocs/op", "× usual", "× floor", "target", "met"}}
	before := ""
	for _, r := range t.rows {
		what := r.what
		if what == before {
			what = ""
		}
		before = r.what
		var texts, verdicts []string
		for _, target := range r.targets {
			texts = append(texts, target.text)
			if math.IsNaN(target.got) {
				verdicts = append(verdicts, "not measured: "+target.text)
			} else if !target.met() {
				verdicts = append(verdicts, fmt.Sprintf("**NO**: %s is %s", target.text, number(target.got)))
			}
		}
		met := strings.Join(verdicts, "; ")
		if met == "" && len(texts) > 0 {
			met = "yes"
		}
		lines = append(lines, []string{
			what, r.way, r.result, r.bytes, r.allocs, r.usual, r.floor, strings.Join(texts, "; "), met,
		})
	}

	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	for i, line := range lines {
		if i == 1 {
			fmt.Fprintf(w, "|-%s-|\n", strings.Join(rule, "-|-"))
		}
		for j, cell := range line {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintf(w, "|\n")
	}
}

// number writes three significant digits.
func number(f float64) string {
	switch {
	case math.IsNaN(f):
		return "–"
	case f == 0:
		return "0"
	case math.Abs(f) >= 100:
		return fmt.Sprintf("%.0f", f)
	case math.Abs(f) >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// size writes an amount of memory.
func size(bytes float64) string {
	switch {
	case math.IsNaN(bytes):
		return "–"
	case bytes >= 999_500:
		return number(bytes/1e6) + " MB"
	case bytes >= 9_995:
		return number(bytes/1e3) + " KB"
	}
	return fmt.Sprintf("%.0f", bytes)
}

func nanoseconds(ns float64) string {
	switch {
	case math.IsNaN(ns):
		return "–"
	case ns >= 1e6:
		return number(ns/1e6) + " ms"
	case ns >= 10e3:
		return number(ns/1e3) + " µs"
	}
	return number(ns) + " ns"
}
