package main

// What costs nanoseconds: the benchmarks that live in the root package, because they need what is not exported, and
// Base64 alone.

import (
	"bytes"
	"context"
	stdbase64 "encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	asmbase64 "github.com/segmentio/asm/base64"

	"github.com/webanklive/webanklive/internal/jsonmedia"
)

// functions runs the benchmarks of the root package and takes their metrics over.
func (b *bench) functions() error {
	metrics, err := rootMetrics("^Benchmark(Sign|Nonce|CredentialRead)$", b.pick(60, 5))
	if err != nil {
		return err
	}
	readers := []string{
		"mutex: held while looking", "RWMutex: read-locked while looking", "SDK: its cache, under one mutex", "floor: time.Now",
	}
	for _, group := range []struct {
		what, benchmark string
		ways            []string // each begins with what the benchmark calls it
		targets         func(sdk, usual, floor figure) []target
	}{
		{
			"Signing, six values", "BenchmarkSign",
			[]string{"usual: sort.Strings, +=, %X", "SDK: Sign", "floor: SHA-1 and hex of the joined bytes"},
			func(sdk, _, floor figure) []target {
				return []target{atMost("≤ 1.5 × floor", sdk.wall/floor.wall, 1.5), atMost("≤ 1 alloc", sdk.allocs, 1)}
			},
		},
		{
			"Nonce, 32 characters", "BenchmarkNonce",
			[]string{"usual: math/big for each", "SDK: rejection from one read", "floor: 32 random bytes, as a string"},
			func(sdk, usual, _ figure) []target {
				return []target{atLeast("≥ 15 × usual", usual.wall/sdk.wall, 15), atMost("≤ 1 alloc", sdk.allocs, 1)}
			},
		},
		{"Credential read, alone", "BenchmarkCredentialRead/alone", readers, func(sdk, _, floor figure) []target {
			return []target{atMost("≤ 4 × floor", sdk.wall/floor.wall, 4), atMost("0 allocs", sdk.allocs, 0)}
		}},
		{"Credential read, 1,000 goroutines", "BenchmarkCredentialRead/1000", readers, func(sdk, _, _ figure) []target {
			return []target{atMost("0 allocs", sdk.allocs, 0)}
		}},
	} {
		of := func(way string) figure {
			name, _, _ := strings.Cut(way, ":")
			key := group.benchmark + " " + name + ":"
			return figure{wall: metrics[key+"ns"], bytes: metrics[key+"B"], allocs: metrics[key+"allocs"]}
		}
		usual, floor := of(group.ways[0]), of("floor")
		for _, way := range group.ways {
			fig := of(way)
			if fig.wall == 0 {
				return fmt.Errorf("%s reported nothing about %q", group.benchmark, way)
			}
			r := costRow(group.what, way, fig)
			r.result, r.usual, r.floor = nanoseconds(fig.wall), number(usual.wall/fig.wall), number(fig.wall/floor.wall)
			if strings.HasPrefix(way, "SDK") {
				r.targets = group.targets(fig, usual, floor)
			}
			b.add(r)
		}
	}
	return nil
}

// rootMetrics runs benchmarks of the root package. It returns what they report by "benchmark way:unit".
func rootMetrics(pattern string, turns int) (map[string]float64, error) {
	cmd := exec.CommandContext(context.Background(), "go", //nolint:gosec // constants of this file
		"test", "-C", "..", "-run=^$", "-bench="+pattern, "-benchtime="+strconv.Itoa(turns)+"x", ".")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench in the parent directory: %w\n%s", err, out)
	}
	metrics := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Benchmark") {
			continue
		}
		cells := strings.Fields(line) // the benchmark and the number of cores, the number of turns, then values and units
		benchmark, _, _ := strings.Cut(cells[0], "-")
		for i := 3; i < len(cells); i += 2 {
			if metrics[benchmark+" "+cells[i]], err = strconv.ParseFloat(cells[i-1], 64); err != nil {
				return nil, fmt.Errorf("a line of go test -bench cannot be read: %q", line)
			}
		}
	}
	return metrics, nil
}

// A decoder decodes Base64.
type decoder struct {
	name   string
	decode func(dst, src []byte) (int, error)
}

var decoders = []decoder{ // sonic_amd64.go adds one
	{"encoding/base64", stdbase64.StdEncoding.Decode},
	{"SDK: own table, pure Go", func(dst, src []byte) (int, error) { return 3 * jsonmedia.DecodeGroups(dst, src), nil }},
	{"SIMD: segmentio/asm", asmbase64.StdEncoding.Decode},
}

// base64 compares decoders on one window of the library's size.
func (b *bench) base64() error {
	const window = 32 << 10
	want, dst := media(window/4*3), make([]byte, window)
	src := []byte(stdbase64.StdEncoding.EncodeToString(want))
	var ways []way
	for _, d := range decoders {
		if n, err := d.decode(dst, src); err != nil || !bytes.Equal(dst[:n], want) {
			return errors.Join(fmt.Errorf("%s decodes wrongly", d.name), err)
		}
		ways = append(ways, way{d.name, func() error {
			for range 100 {
				if _, err := d.decode(dst, src); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return b.compare("Base64 alone, 32 KB", b.pick(30, 5), 5*time.Millisecond, 1, ways, func(r *row, i int, figures []figure) {
		r.result, r.bytes, r.allocs = number(float64(100*len(src))/figures[i].wall)+" GB/s", "", ""
		r.usual = number(figures[0].wall / figures[i].wall)
	})
}
