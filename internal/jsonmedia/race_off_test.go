//go:build !race

// Whether the race detector is on.

package jsonmedia

const raceEnabled = false
