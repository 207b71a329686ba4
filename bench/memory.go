package main

// Peak memory and throughput of many replies at once. Each figure is a process of its own, because the peak of a
// process cannot be taken back.

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

const roleClient = "client"

// An order of work for a client process: so many replies at once, in so many rounds.
type work struct {
	Base, AppID, Secret string
	Way, Order          string
	AtOnce, Rounds      int
}

// outcome is what a client process says when it is done.
type outcome struct {
	Seconds, CPU float64
	PeakRSS      float64 // bytes; negative: unknown here
}

// runClient is the client process.
func runClient(order string) error {
	ctx := context.Background()
	var w work
	if err := json.Unmarshal([]byte(order), &w); err != nil {
		return err
	}
	f, err := newFetcher(ctx, w.Base, w.AppID, w.Secret)
	if err != nil {
		return err
	}
	cpu, start := cpuTime(), time.Now()
	for range w.Rounds {
		failed := make(chan error, w.AtOnce)
		var all sync.WaitGroup
		for range w.AtOnce {
			all.Go(func() {
				if _, _, err := f.fetch(w.Way, w.Order); err != nil {
					failed <- err
				}
			})
		}
		all.Wait()
		close(failed)
		if err := <-failed; err != nil {
			return err
		}
	}
	done := outcome{Seconds: time.Since(start).Seconds(), CPU: (cpuTime() - cpu).Seconds(), PeakRSS: peakRSS()}
	if math.IsNaN(done.PeakRSS) { // which JSON cannot write
		done.PeakRSS = -1
	}
	return json.NewEncoder(os.Stdout).Encode(done)
}

// client runs one client process.
func (b *bench) client(way, order string, atOnce, rounds int) (done outcome, err error) {
	self, err := os.Executable()
	if err != nil {
		return done, err
	}
	text, err := json.Marshal(work{
		Base: b.plat.Plain, AppID: b.plat.AppID, Secret: b.plat.Secret, Way: way, Order: order, AtOnce: atOnce, Rounds: rounds,
	})
	if err != nil {
		return done, err
	}
	cmd := exec.CommandContext(b.ctx, self) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), roleVariable+"="+roleClient+" "+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return done, fmt.Errorf("%d × %s in the way %q: %w", atOnce, order, way, err)
	}
	err = json.Unmarshal(out, &done)
	if done.PeakRSS < 0 {
		done.PeakRSS = math.NaN()
	}
	return done, err
}

// median runs client processes and returns the figures in the middle.
func (b *bench) median(way, order string, atOnce, rounds, runs int) (outcome, error) {
	var rss, seconds, cpu []float64
	for range runs {
		done, err := b.client(way, order, atOnce, rounds)
		if err != nil {
			return outcome{}, err
		}
		rss, seconds, cpu = append(rss, done.PeakRSS), append(seconds, done.Seconds), append(cpu, done.CPU)
	}
	middle := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	return outcome{Seconds: middle(seconds), CPU: middle(cpu), PeakRSS: middle(rss)}, nil
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
		targets     func(peak, floor float64) []target
	}{
		{"Peak RSS, one 20 MB video", orderLarge, 1, func(peak, floor float64) []target {
			return []target{atMost("≤ floor + 4 MB", (peak-floor)/1e6, 4)}
		}},
		{"Peak RSS, 50 × 5 MB at once", orderMiddle, 50, func(peak, _ float64) []target {
			return []target{atMost("≤ 40 MB", peak/1e6, 40)}
		}},
	} {
		floor, err := b.median(wayFloor, kind.order, kind.atOnce, 1, b.pick(5, 1))
		if err != nil {
			return err
		}
		for _, name := range ways {
			done := floor
			if name != wayFloor {
				if done, err = b.median(name, kind.order, kind.atOnce, 1, b.pick(3, 1)); err != nil {
					return err
				}
			}
			r := row{what: kind.what, way: name, result: size(done.PeakRSS), floor: number(done.PeakRSS / floor.PeakRSS)}
			if name == wayStream {
				r.targets = kind.targets(done.PeakRSS, floor.PeakRSS)
			}
			b.table.add(r)
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
		usual := outcome{Seconds: math.NaN()}
		for _, name := range ways {
			r := row{what: fmt.Sprintf("Load, %d × 5 MB at once", atOnce), way: name}
			if atOnce > 50 && (name == wayUsual || name == waySonic) {
				r.result = "not run: it needs 3 GB"
				b.table.add(r)
				continue
			}
			rounds := max(1, b.pick(400, 1)/atOnce)
			if name == wayUsual {
				rounds = max(1, rounds/8) // it takes that much longer
			}
			done, err := b.median(name, orderMiddle, atOnce, rounds, b.pick(3, 1))
			if err != nil {
				return err
			}
			done.Seconds /= float64(rounds * atOnce)
			done.CPU /= float64(rounds * atOnce)
			if name == wayUsual {
				usual = done
			}
			cpu := done.CPU * 1e9
			if !canMeasureCPU {
				cpu = math.NaN()
			}
			r.result = fmt.Sprintf("%s MB/s, CPU %s each, peak RSS %s", number(wire(orderMiddle)/1e6/done.Seconds),
				nanoseconds(cpu), size(done.PeakRSS))
			r.usual = number(usual.Seconds / done.Seconds)
			b.table.add(r)
		}
	}
	return nil
}
