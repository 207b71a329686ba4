package main

// sandbox: the fake platform of package livetest on a port, with the page that a person sees.

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive/livetest"
)

const sandboxHelp = `Serves a fake of the platform, API and H5 page, and prints how to configure a program for it. Nothing reaches the network.

The fake enforces the vendor's rules. Each request that it refuses is told on standard error, with the exact reason, which
the vendor keeps to himself. Ctrl-C ends it.`

type sandboxAnswer struct {
	AppID  string `json:"app_id"`
	Secret string `json:"secret"` // of the fake, made anew for each run
	APIURL string `json:"api_url"`
	H5URL  string `json:"h5_url"`
	Store  string `json:"store"` // removed when the sandbox ends
}

func (a *app) sandboxCommand() *cobra.Command {
	var addr string
	var lag time.Duration
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a fake of the platform with its H5 page",
		Long:  sandboxHelp,
		Example: `  webanklive sandbox > sandbox.env
  . ./sandbox.env && webanklive doctor     # in another shell`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			platform := livetest.New()
			platform.SetMediaLag(lag)
			return a.serve(cmd.Context(), addr, platform)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8090", "where to listen; clients accept plain http for loopback only")
	cmd.Flags().DurationVar(&lag, "lag", 0, "how long after the result photo and video come")
	return cmd
}

func (a *app) serve(ctx context.Context, addr string, platform *livetest.Platform) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return usageError("%v", err)
	}
	// Shared by everybody who plays with the sandbox, as a fleet would: else each run of this command would kill the
	// token of the program that is being tried, and no callback could be checked.
	store, err := os.MkdirTemp("", "webanklive-sandbox-*")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { _ = os.RemoveAll(store) }()
	base := "http://" + printableAddress(listener.Addr())
	answer := sandboxAnswer{AppID: platform.AppID(), Secret: platform.Secret(), APIURL: base + "/idasc", H5URL: base + "/ida", Store: "file:" + store}
	err = a.print(answer, func(w io.Writer) {
		for _, set := range []struct{ name, value string }{
			{"APP_ID", answer.AppID}, {"SECRET", answer.Secret}, {"API_URL", answer.APIURL}, {"H5_URL", answer.H5URL}, {"STORE", answer.Store},
		} {
			say(w, "export WEBANK_%s=%s\n", set.name, set.value)
		}
	})
	if a.json {
		err = a.printJSON(nil) // now, not when it ends
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if !a.json {
		a.note("Refused requests follow. Ctrl-C ends it.")
	}
	server := &http.Server{Handler: &diary{platform: platform, tell: a.note}, ReadHeaderTimeout: usualTimeout, ErrorLog: log.New(lines{a.errOut}, "", 0)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// diary tells what the platform refuses.
type diary struct {
	platform *livetest.Platform
	tell     func(format string, args ...any)

	mu   sync.Mutex
	last int // refusals that were told
}

func (d *diary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/idasc/" { // doctor knocks there; no program that is being tried does
		http.NotFound(w, r)
		return
	}
	defer d.catchUp()
	d.platform.ServeHTTP(w, r)
}

func (d *diary) catchUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	refusals := d.platform.Refusals()
	for _, refusal := range refusals[min(d.last, len(refusals)):] { // of very many the platform forgets the oldest
		d.tell("refused: %s", refusal)
	}
	d.last = len(refusals)
}
