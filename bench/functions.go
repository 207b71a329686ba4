package main

// What costs nanoseconds: the benchmarks that live in the library's own packages, because they need what is not
// exported, and Base64 alone.

import (
	"bytes"
	stdbase64 "encoding/base64"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	asmbase64 "github.com/segmentio/asm/base64"
)

// functions runs the benchmarks of the root package and takes their metrics over.
func (b *bench) functions() error {
	metrics, err := b.goTest(".", "^Benchmark(Sign|Nonce|CredentialRead)$", b.pick(60, 5), 1)
	if err != nil {
		return err
	}
	for _, group := range []struct {
		what, benchmark string
		ways            []string
		texts           map[string]string
		targets         func(sdk, usual, floor map[string]float64) []target
	}{
		{
			"Signing, six values", "BenchmarkSign", []string{"usual", "SDK", "floor"},
			map[string]string{"usual": "sort.Strings, +=, %X", "SDK": "Sign", "floor": "SHA-1 and hex of the joined bytes"},
			func(sdk, _, floor map[string]float64) []target {
				return []target{atMost("≤ 1.5 × floor", sdk["ns"]/floor["ns"], 1.5), atMost("≤ 1 alloc", sdk["allocs"], 1)}
			},
		},
		{
			"Nonce, 32 characters", "BenchmarkNonce", []string{"usual", "SDK", "floor"},
			map[string]string{"usual": "math/big for each", "SDK": "rejection from one read", "floor": "32 random bytes, as a string"},
			func(sdk, usual, _ map[string]float64) []target {
				return []target{atLeast("≥ 15 × usual", usual["ns"]/sdk["ns"], 15), atMost("≤ 1 alloc", sdk["allocs"], 1)}
			},
		},
		{
			"Credential read, alone", "BenchmarkCredentialRead/alone", []string{"mutex", "RWMutex", "SDK", "floor"}, credentialTexts,
			func(sdk, _, floor map[string]float64) []target {
				return []target{atMost("≤ 4 × floor", sdk["ns"]/floor["ns"], 4), atMost("0 allocs", sdk["allocs"], 0)}
			},
		},
		{
			"Credential read, 1,000 goroutines", "BenchmarkCredentialRead/1000", []string{"mutex", "RWMutex", "SDK", "floor"},
			credentialTexts, func(sdk, _, _ map[string]float64) []target { return []target{atMost("0 allocs", sdk["allocs"], 0)} },
		},
	} {
		ways := metrics[group.benchmark]
		usual, floor := ways[group.ways[0]], ways["floor"]
		for _, name := range group.ways {
			m := ways[name]
			if m == nil {
				return fmt.Errorf("%s reported nothing about %q", group.benchmark, name)
			}
			r := row{
				what: group.what, way: name + ": " + group.texts[name], result: nanoseconds(m["ns"]),
				bytes: size(m["B"]), allocs: number(m["allocs"]),
				usual: number(usual["ns"] / m["ns"]), floor: number(m["ns"] / floor["ns"]),
			}
			if name == "SDK" {
				r.targets = group.targets(m, usual, floor)
			}
			b.table.add(r)
		}
	}
	return nil
}

var credentialTexts = map[string]string{
	"mutex": "held while looking", "RWMutex": "read-locked while looking", "SDK": "its cache, under one mutex",
	"floor": "time.Now",
}

// goTest runs benchmarks of a package of the parent module and returns the value of each metric, by benchmark, way and
// unit. Metrics that are not of the form "way:unit" are of the way "". Of several repeats the largest value is taken.
func (b *bench) goTest(pkg, pattern string, turns, repeats int) (map[string]map[string]map[string]float64, error) {
	cmd := exec.CommandContext(b.ctx, "go", //nolint:gosec // constants of this file
		"test", "-C", "..", "-run=^$", "-bench="+pattern,
		"-benchtime="+strconv.Itoa(turns)+"x", "-count="+strconv.Itoa(repeats), pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench in the parent directory: %w\n%s", err, out)
	}
	metrics := map[string]map[string]map[string]float64{}
	for line := range strings.Lines(string(out)) {
		cells := strings.Fields(line)
		if len(cells) < 2 || !strings.HasPrefix(cells[0], "Benchmark") {
			continue
		}
		name := cells[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 { // the number of cores
			name = name[:i]
		}
		if metrics[name] == nil {
			metrics[name] = map[string]map[string]float64{}
		}
		for i := 2; i+1 < len(cells); i += 2 {
			value, err := strconv.ParseFloat(cells[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a line of go test -bench cannot be read: %q", line)
			}
			way, unit, ok := strings.Cut(cells[i+1], ":")
			if !ok {
				way, unit = "", cells[i+1]
			}
			if metrics[name][way] == nil {
				metrics[name][way] = map[string]float64{}
			}
			metrics[name][way][unit] = max(metrics[name][way][unit], value)
		}
	}
	return metrics, nil
}

// base64 compares decoders on one window of the library's size. Its own is not exported: a benchmark beside it gives
// its ratio to encoding/base64, which is here, too.
func (b *bench) base64() error {
	speeds, err := b.goTest("./internal/jsonmedia", "^BenchmarkDecodeGroups$", 1000, b.pick(20, 2))
	if err != nil {
		return err
	}
	own := speeds["BenchmarkDecodeGroups/table"][""]["MB/s"] / speeds["BenchmarkDecodeGroups/encoding-base64"][""]["MB/s"]

	const window = 32 << 10
	src := []byte(stdbase64.StdEncoding.EncodeToString(media(window / 4 * 3)))
	dst := make([]byte, window)
	want := media(window / 4 * 3)
	var ways []way
	for _, d := range decoders {
		if n, err := d.decode(dst, src); err != nil || !bytes.Equal(dst[:n], want) {
			return fmt.Errorf("%s decodes wrongly: %w", d.name, err)
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
	figures, err := sideBySide(b.pick(30, 5), 5*time.Millisecond, 1, ways)
	if err != nil {
		return err
	}
	speed := func(fig figure) float64 { return float64(100*len(src)) / fig.wall }
	add := func(name string, gigabytes, ratio float64) {
		b.table.add(row{what: "Base64 alone, 32 KB", way: name, result: number(gigabytes) + " GB/s", usual: number(ratio)})
	}
	std := speed(figures[0])
	add(ways[0].name, std, 1)
	add("SDK: own table, pure Go", std*own, own)
	for i := range ways[1:] {
		add(ways[i+1].name, speed(figures[i+1]), speed(figures[i+1])/std)
	}
	return nil
}

type decoder struct {
	name   string
	decode func(dst, src []byte) (int, error)
}

var decoders = []decoder{ // sonic_amd64.go adds one
	{"encoding/base64", stdbase64.StdEncoding.Decode},
	{"SIMD: segmentio/asm", asmbase64.StdEncoding.Decode},
}
