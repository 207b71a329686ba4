//go:build !unix

package main

import "math"

// cpuTime is not known here; cells that need it show a dash.
func cpuTime() float64 { return math.NaN() }
