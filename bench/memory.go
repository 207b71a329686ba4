package main

// Peak memory and throughput of many replies at once. Each figure is a process of its own, because the peak of a
// process cannot be taken back.

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// work is what a client process does: so many replies at once, in so many rounds.
type work struct {
	Base, Way, Order string
	AtOnce, Rounds   int
}

// runClient is the client process. It prints the seconds that it took, those of CPU, and its peak of memory.
func runClient(role string) error {
	var w work
	if err := json.Unmarshal([]byte(role), &w); err != nil {
		return err
	}
	f, err := newFetcher(w.Base)
	if err != nil {
		return err
	}
	cpu, start := cpuTime(), time.Now()
	for range w.Rounds {
		err = errors.Join(err, together(w.AtOnce, w.AtOnce, func() error {
			_, _, err := f.fetch(w.Way, w.Order)
			return err
		}))
	}
	fmt.Println(time.Since(start).Seconds(), (cpuTime()-cpu)/1e9, peakRSS())
	return err
}

// cost is what a client process printed, the seconds by the reply. What is not known here is NaN.
type cost struct{ seconds, cpu, rss float64 }

// clients lets client processes get about that many replies each, and returns the median of each figure.
func (b *bench) clients(processes int, way, order string, atOnce, replies int) (cost, error) {
	w := work{b.Plain, way, order, atOnce, max(1, replies/atOnce)}
	role, err := json.Marshal(w)
	if err != nil {
		return cost{}, err
	}
	seconds, cpu, rss := make([]float64, processes), make([]float64, processes), make([]float64, processes)
	for i := range processes {
		out, err := self(string(role)).Output()
		if err != nil {
			return cost{}, fmt.Errorf("%s: %w", role, err)
		}
		if _, err := fmt.Sscan(string(out), &seconds[i], &cpu[i], &rss[i]); err != nil {
			return cost{}, fmt.Errorf("%s printed %q: %w", role, out, err)
		}
	}
	for _, list := range [][]float64{seconds, cpu, rss} {
		slices.Sort(list)
	}
	middle, each := processes/2, float64(w.AtOnce*w.Rounds)
	return cost{seconds[middle] / each, cpu[middle] / each, rss[middle]}, nil
}

// memory compares the peak of all ways, for one large reply and for fifty at once.
func (b *bench) memory() error {
	ways := available(wayUsual, wayStd, wayExp, waySonic, wayMemory, wayStream, wayFloor)
	if b.short {
		ways = []string{wayStream, wayFloor}
	}
	for _, kind := range []struct {
		what, order string
		atOnce      int
	}{{"Peak RSS, one 20 MB video", orderLarge, 1}, {"Peak RSS, 50 × 5 MB at once", orderMiddle, 50}} {
		peaks := map[string]float64{}
		for _, name := range ways {
			got, err := b.clients(b.pick(5, 1), name, kind.order, kind.atOnce, kind.atOnce)
			if err != nil {
				return err
			}
			peaks[name] = got.rss
		}
		for _, name := range ways {
			peak, floor := peaks[name], peaks[wayFloor]
			r := row{what: kind.what, way: name, result: size(peak), floor: number(peak / floor)}
			switch {
			case name == wayStream && kind.atOnce == 1:
				r.targets = []target{atMost("≤ floor + 4 MB", (peak-floor)/1e6, 4)}
			case name == wayStream:
				r.targets = []target{atMost("≤ 40 MB", peak/1e6, 40)}
			}
			b.add(r)
		}
	}
	return nil
}

// load streams many replies at once, some hundred in all.
func (b *bench) load() error {
	ways, crowds := available(wayUsual, waySonic, wayStream, wayFloor), []int{1, 50, 200}
	if b.short {
		ways, crowds = []string{wayStream, wayFloor}, []int{1, 50}
	}
	for _, atOnce := range crowds {
		usual := math.NaN()
		for _, name := range ways {
			r := row{what: fmt.Sprintf("Load, %d × 5 MB at once", atOnce), way: name}
			if atOnce > 50 && (name == wayUsual || name == waySonic) {
				r.result = "not run: it needs 3 GB"
				b.add(r)
				continue
			}
			replies := b.pick(400, 1)
			if name == wayUsual {
				replies /= 8 // it takes that much longer
			}
			got, err := b.clients(b.pick(3, 1), name, orderMiddle, atOnce, replies)
			if err != nil {
				return err
			}
			if name == wayUsual {
				usual = got.seconds
			}
			r.result = fmt.Sprintf("%s MB/s, CPU %s each, peak RSS %s", number(b.Wire[orderMiddle]/1e6/got.seconds),
				nanoseconds(got.cpu*1e9), size(got.rss))
			r.usual = number(usual / got.seconds)
			b.add(r)
		}
	}
	return nil
}
