// Bench prints, as one table, the targets of this project for speed and memory, and whether they are met:
//
//	go run .               about three minutes; run it from this directory
//	go run . -short        half a minute: that everything runs, with figures that vary
//	go run . -only media   the parts whose names contain this
//
// The usual way, this library, other libraries and the floor run in turn, in one invocation, so that their ratios hold
// on any machine. docs/benchmarks.md says how to read the table and keeps the results of one run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/cpu"
)

// A bench is one invocation.
type bench struct {
	short bool
	*platform
	*fetcher // of the platform without TLS
	table
}

// pick chooses between the amount of a full run and that of a short one.
func (b *bench) pick(full, short int) int {
	if b.short {
		return short
	}
	return full
}

func main() {
	isChild, err := child()
	if !isChild {
		short := flag.Bool("short", false, "half a minute, with figures that vary")
		only := flag.String("only", "", "run only the parts whose names contain this")
		flag.Parse()
		err = run(os.Stdout, *short, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// roleVariable is set for this program when it starts itself again: rolePlatform, or the work of a client.
const roleVariable = "WEBANKLIVE_BENCH_ROLE"

// self is this program in a role.
func self(role string) *exec.Cmd {
	path, err := os.Executable()
	cmd := exec.CommandContext(context.Background(), path) //nolint:gosec // this program
	if err != nil {
		cmd.Err = err
	}
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// child plays the role that this process was started for, if there is one.
func child() (isChild bool, err error) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		return false, nil
	case rolePlatform:
		return true, servePlatform()
	default:
		return true, runClient(role)
	}
}

// run measures every part and prints the table.
func run(out io.Writer, short bool, only string) error {
	began := time.Now()
	plat, err := startPlatform()
	if err != nil {
		return err
	}
	defer plat.stop()
	f, err := newFetcher(plat.Plain)
	if err != nil {
		return err
	}
	b := &bench{short: short, platform: plat, fetcher: f}
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"functions", b.functions}, {"base64", b.base64}, {"launch", b.launch}, {"transport", b.transport},
		{"cold", b.coldCredential}, {"media", b.media}, {"styles", b.styles}, {"tiny", b.tiny}, {"watched", b.watched},
		{"memory", b.memory}, {"load", b.load},
	} {
		if !strings.Contains(part.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(began).Seconds(), part.name)
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	avx2 := map[bool]string{true: "yes", false: "no"}[cpu.X86.HasAVX2]
	fmt.Fprintf(out, "%s %s/%s, %d cores, AVX2 %s; %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		avx2, strings.Join(rivals(), ", "))
	met, missed, unmeasured := b.print(out)
	fmt.Fprintf(out, "\n%d targets met, %d missed, %d not measurable on this system; %.0f s\n",
		met, missed, unmeasured, time.Since(began).Seconds())
	return nil
}

// rivals names the libraries that this one is compared with, and their versions.
func rivals() (names []string) {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		name := strings.TrimPrefix(dep.Path, "github.com/")
		if slices.Contains([]string{"go-json-experiment/json", "bytedance/sonic", "cloudwego/base64x", "segmentio/asm"}, name) {
			names = append(names, name+" "+dep.Version)
		}
	}
	return names
}
