//go:build unix

package main

import (
	"math"
	"syscall"
)

// cpuTime returns the CPU time that this process has used, user and system, in nanoseconds.
func cpuTime() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return math.NaN()
	}
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}
