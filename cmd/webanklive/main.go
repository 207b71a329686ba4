// Command webanklive helps whoever integrates the H5 liveness check of WeBank / Tencent Cloud: it explains signatures,
// makes links, checks callbacks, fetches results and evidence, looks codes up, examines a deployment, and serves a fake
// of the platform. `webanklive --help` documents configuration and exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A reader that goes away must not kill the command while a file or a token is half-way: the write fails instead.
	signal.Ignore(syscall.SIGPIPE)
	// Never restored, so that a second Ctrl-C cannot cut the cleaning up short.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) //nolint:govet // lives as long as the process
	a := &app{env: os.Getenv, in: os.Stdin, out: os.Stdout, errOut: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}
