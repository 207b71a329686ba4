package main

// Measuring ways side by side: wall time, CPU time of this process, and garbage.

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
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
func sideBySide(turns int, slot time.Duration, workers int, ways []way) ([]figure, error) {
	figures := make([]figure, len(ways))
	counts := make([]int, len(ways))
	for i, w := range ways {
		if err := together(workers, workers, w.run); err != nil { // warms pools, connections and caches up
			return nil, err
		}
		start := time.Now()
		if err := together(workers, workers, w.run); err != nil {
			return nil, err
		}
		took := max(time.Since(start), time.Microsecond)
		counts[i] = workers * max(1, int(slot/took))
		figures[i] = figure{wall: math.Inf(1), cpu: math.Inf(1)}
	}
	for range turns {
		for i, w := range ways {
			runtime.GC() // so that no way pays for the garbage of the one before it
			if err := together(workers, workers, w.run); err != nil {
				return nil, err
			}
			n, f := float64(counts[i]), &figures[i]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			cpu, start := cpuTime(), time.Now()
			if err := together(workers, counts[i], w.run); err != nil {
				return nil, err
			}
			f.wall = min(f.wall, float64(time.Since(start))/n)
			f.cpu = min(f.cpu, float64(cpuTime()-cpu)/n)
			runtime.ReadMemStats(&after)
			f.bytes += float64(after.TotalAlloc-before.TotalAlloc) / n / float64(turns)
			f.allocs += float64(after.Mallocs-before.Mallocs) / n / float64(turns)
		}
	}
	if !canMeasureCPU {
		for i := range figures {
			figures[i].cpu = math.NaN()
		}
	}
	return figures, nil
}

// together lets workers run n operations in all. It returns the first error.
func together(workers, n int, run func() error) error {
	if workers == 1 {
		for range n {
			if err := run(); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		all   sync.WaitGroup
		left  atomic.Int64
		once  sync.Once
		first error
	)
	left.Store(int64(n))
	for range workers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := run(); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	all.Wait()
	return first
}
