package main

// The table: one row for each way of doing a thing, the targets on the rows of this library.

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// A row is one way of doing one thing. Empty cells say nothing.
type row struct {
	what, way     string
	result        string
	bytes, allocs string
	usual, floor  string // ratios
	targets       []target
}

// costRow is a row that says what fig allocated.
func costRow(what, way string, fig figure) row {
	return row{what: what, way: way, bytes: size(fig.bytes), allocs: number(fig.allocs)}
}

// A target is one promise. It is neither met nor missed if got, NaN, could not be measured.
type target struct {
	text string
	got  float64
	met  bool
}

func atMost(text string, got, limit float64) target  { return target{text, got, got <= limit} }
func atLeast(text string, got, limit float64) target { return target{text, got, got >= limit} }

type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// print writes the table as Markdown whose columns also line up in a terminal, and counts the targets.
func (t *table) print(out io.Writer) (met, missed, unmeasured int) {
	w := tabwriter.NewWriter(out, 0, 0, 0, ' ', 0)
	line := func(cells ...string) { fmt.Fprintf(w, "| %s\t |\n", strings.Join(cells, "\t | ")) }
	line("what", "way", "result", "B/op", "allocs/op", "× usual", "× floor", "target", "met")
	line(strings.Fields(strings.Repeat("--- ", 9))...)
	before := ""
	for _, r := range t.rows {
		var texts, verdicts []string
		for _, target := range r.targets {
			texts = append(texts, target.text)
			switch {
			case math.IsNaN(target.got):
				unmeasured++
				verdicts = append(verdicts, "not measured: "+target.text)
			case target.met:
				met++
			default:
				missed++
				verdicts = append(verdicts, fmt.Sprintf("**NO**: %s is %s", target.text, number(target.got)))
			}
		}
		if verdicts == nil && texts != nil {
			verdicts = []string{"yes"}
		}
		what := r.what
		if what == before {
			what = ""
		}
		before = r.what
		line(what, r.way, r.result, r.bytes, r.allocs, r.usual, r.floor, strings.Join(texts, "; "), strings.Join(verdicts, "; "))
	}
	_ = w.Flush()
	return met, missed, unmeasured
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
	if bytes < 9_995 {
		return fmt.Sprintf("%.0f", bytes)
	}
	return scaled(bytes, " KB", " MB")
}

func nanoseconds(ns float64) string {
	if ns < 9_995 {
		return number(ns) + " ns"
	}
	return scaled(ns, " µs", " ms")
}

func scaled(f float64, thousands, millions string) string {
	switch {
	case math.IsNaN(f):
		return "–"
	case f < 999_500:
		return number(f/1e3) + thousands
	}
	return number(f/1e6) + millions
}
