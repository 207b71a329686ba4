// Command webanklive helps to integrate the H5 liveness check of WeBank / Tencent Cloud: it explains signatures, makes links,
// checks callbacks, fetches results and evidence, looks codes up, examines a deployment, and serves a fake of the platform.
// `webanklive --help` documents configuration and exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// When the reader of a pipe ends, the write must fail, and not kill the command before it has saved a file or a token.
	signal.Ignore(syscall.SIGPIPE)
	// The handler is never removed, so that a second Ctrl-C cannot end the clean-up.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) //nolint:govet // lives as long as the process
	a := &app{env: os.Getenv, in: os.Stdin, out: os.Stdout, errOut: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}
