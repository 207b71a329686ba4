//go:build go1.25

package main

import (
	"flag"
	"testing"
)

var launches = flag.Int("launches", 3_000, "how many launches")

func TestSoak(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	soak(t, options{launches: *launches, workers: 64, seed: 1}, func(table string) { t.Log("\n" + table) })
}
