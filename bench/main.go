// Bench prints, as one table, what performance.md of this project promises and whether it is kept:
//
//	go run .          about three minutes; run it from this directory
//	go run . -short   less than 40 seconds: that everything runs, with figures that wobble
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
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/cpu"
)

// A bench is one invocation.
type bench struct {
	ctx   context.Context
	short bool
	plat  *platform
	table table
}

func main() {
	if isChild, err := child(); isChild {
		exit(err)
		return
	}
	short := flag.Bool("short", false, "less than 40 seconds, with figures that wobble")
	only := flag.String("only", "", "run only the parts whose names contain this")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Stdout, *short, *only))
}

// exit ends the process, with an error if there is one.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// roleVariable is set for this program when it starts itself again: what it should be then.
const roleVariable = "WEBANKLIVE_BENCH_ROLE"

// child does what this process was started for, if it was started by another of this program.
func child() (isChild bool, err error) {
	role, order, _ := strings.Cut(os.Getenv(roleVariable), " ")
	switch role {
	case "":
		return false, nil
	case rolePlatform:
		return true, servePlatform()
	case roleClient:
		return true, runClient(order)
	}
	return true, fmt.Errorf("no role %q", role)
}

// run measures every part and prints the table.
func run(ctx context.Context, out io.Writer, short bool, only string) error {
	began := time.Now()
	plat, err := startPlatform(ctx)
	if err != nil {
		return err
	}
	defer plat.stop()
	b := &bench{ctx: ctx, short: short, plat: plat}
	for _, part := range []struct {
		name    string
		measure func(*bench) error
	}{
		{"functions", (*bench).functions},
		{"base64", (*bench).base64},
		{"launch", (*bench).launch},
		{"transport", (*bench).transport},
		{"cold", (*bench).coldCredential},
		{"media", (*bench).media},
		{"styles", (*bench).styles},
		{"tiny", (*bench).tiny},
		{"watched", (*bench).watched},
		{"memory", (*bench).memory},
		{"load", (*bench).load},
	} {
		if !strings.Contains(part.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(began).Seconds(), part.name)
		if err := part.measure(b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Fprintf(out, "%s %s/%s, %d cores, AVX2 %s; %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		yesNo(cpu.X86.HasAVX2), strings.Join(versions(), ", "))
	b.table.print(out)
	met, missed, unmeasured := b.table.count()
	fmt.Fprintf(out, "\n%d targets met, %d missed, %d not measurable on this system; %.0f s\n",
		met, missed, unmeasured, time.Since(began).Seconds())
	return nil
}

// versions names the libraries that this one is compared with.
func versions() (names []string) {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		for _, rival := range []string{"go-json-experiment/json", "bytedance/sonic", "cloudwego/base64x", "segmentio/asm"} {
			if dep.Path == "github.com/"+rival {
				names = append(names, rival+" "+dep.Version)
			}
		}
	}
	return names
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// pick chooses between the amount of a full run and that of a short one.
func (b *bench) pick(full, short int) int {
	if b.short {
		return short
	}
	return full
}
