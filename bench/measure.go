package main

// Measuring ways side by side: wall time, CPU time of this process, and garbage.

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A way does the same thing as the others of its group; run does it once.
type way struct {
	name string
	run  func() error
}

// A figure is what one operation of a way costs.
type figure struct {
	wall, cpu     float64 // nanoseconds; the best turn's
	bytes, allocs float64 // the mean of all turns
}

// sideBySide runs the ways in turn, each for about slot at a time with so many workers, and returns the best turn of
// each: noise only ever adds time, so the ratio of two bests is steady where the ratio of two means is not.
func sideBySide(turns int, slot time.Duration, workers int, ways []way) (figures []figure, err error) {
	run := func(w way, n int) (took time.Duration) {
		start := time.Now()
		if err == nil {
			err = together(workers, n, w.run)
		}
		return time.Since(start)
	}
	counts := make([]int, len(ways))
	for i, w := range ways {
		run(w, workers) // warms pools, connections and caches up
		once := max(run(w, workers), time.Microsecond)
		counts[i] = workers * max(1, int(slot/once))
		figures = append(figures, figure{wall: math.Inf(1), cpu: math.Inf(1)})
	}
	for range turns {
		for i, w := range ways {
			runtime.GC() // so that no way pays for the garbage of the one before it
			run(w, workers)
			n, f := float64(counts[i]), &figures[i]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cpu := cpuTime()
			f.wall = min(f.wall, float64(run(w, counts[i]))/n)
			f.cpu = min(f.cpu, (cpuTime()-cpu)/n)
			runtime.ReadMemStats(&after)
			f.bytes += float64(after.TotalAlloc-before.TotalAlloc) / n / float64(turns)
			f.allocs += float64(after.Mallocs-before.Mallocs) / n / float64(turns)
		}
	}
	return figures, err
}

// compare runs the ways side by side and adds a row for each, which complete completes.
func (b *bench) compare(
	what string, turns int, slot time.Duration, workers int, ways []way, complete func(r *row, i int, figures []figure),
) error {
	figures, err := sideBySide(turns, slot, workers, ways)
	if err != nil {
		return err
	}
	for i, w := range ways {
		r := costRow(what, w.name, figures[i])
		complete(&r, i, figures)
		b.add(r)
	}
	return nil
}

// together lets workers, of whom the caller is one, run n operations in all.
func together(workers, n int, run func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	work := func() error {
		for left.Add(-1) >= 0 {
			if err := run(); err != nil {
				return err
			}
		}
		return nil
	}
	var others errgroup.Group
	for range workers - 1 {
		others.Go(work)
	}
	return errors.Join(work(), others.Wait())
}

// peakRSS returns the most memory that this process has ever held, in bytes; NaN where only a parent could tell. The
// ru_maxrss of getrusage is of no use: a child inherits its parent's.
func peakRSS() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes := math.NaN()
	_, _ = fmt.Sscan(rest, &kilobytes)
	return kilobytes * 1024
}
