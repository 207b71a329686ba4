//go:build unix

package main

// What the system says about the cost of this process.

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"
)

const canMeasureCPU = true

// cpuTime returns the CPU time that this process has used, user and system.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakRSS returns the most memory that this process has ever held, in bytes; NaN where only a parent could tell. The
// ru_maxrss of getrusage is of no use: a child inherits its parent's.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return math.NaN()
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return math.NaN()
	}
	kilobytes, err := strconv.ParseFloat(string(fields[0]), 64)
	if err != nil {
		return math.NaN()
	}
	return kilobytes * 1024
}
