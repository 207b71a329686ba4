//go:build race

// Whether the race detector is on, which makes the hot loop thirty times slower.

package jsonmedia

const raceEnabled = true
