// Releasecheck releases every module of this repository, in its present state, to a temporary directory, and uses the release
// as a partner would, with plain go install and go get:
//
//	go run ./internal/releasecheck
//
// The go command itself makes the modules from tags in a copy of the repository, so that they have the files that a release on
// GitHub would have. Their module cache then serves as a module proxy of files.
//
//	go run ./internal/releasecheck -as-is -version v0.1.0
//
// checks a release commit: its go.mod files must be ready.
//
//	go run ./internal/releasecheck -prepare -version v0.1.0
//
// makes the go.mod files of this directory ready, for the release commit; CONTRIBUTING.md has the order of the rest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	version := flag.String("version", "v0.0.0-check", "of every module")
	asIs := flag.Bool("as-is", false, "take the go.mod files as they stand")
	prepareOnly := flag.Bool("prepare", false, "write the released go.mod files here, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("-as-is and -prepare exclude each other")
	switch {
	case *prepareOnly && !*asIs:
		err = prepare(ctx, ".", *version)
	case !*prepareOnly:
		err = check(ctx, *version, *asIs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "releasecheck:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, version string, asIs bool) error {
	dir, err := os.MkdirTemp("", "webanklive")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	repository, proxy := filepath.Join(dir, "repository"), filepath.Join(dir, "proxy")
	if err := copyWorkTree(ctx, repository); err != nil {
		return err
	}
	if !asIs {
		if err := prepare(ctx, repository, version); err != nil {
			return err
		}
	}
	if err := ready(ctx, repository, version); err != nil {
		return err
	}
	if err := release(ctx, repository, proxy, version); err != nil {
		return err
	}
	return use(ctx, proxy, filepath.Join(dir, "partner"), version)
}
