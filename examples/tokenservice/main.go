// Tokenservice shows a central token service (中控): one process mints, and others ask it over an authenticated channel.
//
//	go run ./examples/tokenservice
//
// service.go is the handler of the one process, source.go is what the others plug into their clients. Here both run in
// one process, on a fake platform.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	platform := livetest.New()
	newClient := func(opts ...webanklive.Option) (*webanklive.Client, error) {
		return webanklive.NewClient(platform.AppID(), platform.Secret(), append(opts,
			webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
			webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}))...)
	}

	central, err := newClient() // a Client is a CredentialSource
	if err != nil {
		return err
	}
	key := rand.Text()
	service := httptest.NewTLSServer(newService(central, key))
	defer service.Close()

	launch := func(replica string, c *webanklive.Client, order string) error {
		_, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
			OrderNo: order, UserID: "user-" + order, CallbackURL: "https://shop.example/liveness/done",
		})
		if err == nil {
			fmt.Fprintf(out, "%s launched order %s; access tokens minted so far: %d\n", replica, order, len(platform.Mints()))
		}
		return err
	}
	var replicas []*webanklive.Client
	for i := range 3 {
		c, err := newClient(webanklive.WithCredentialSource(&remoteSource{service.URL, key, service.Client()}))
		if err != nil {
			return err
		}
		replicas = append(replicas, c)
		if err := launch(fmt.Sprint("replica ", i+1), c, fmt.Sprint("A", i)); err != nil {
			return err
		}
	}

	fmt.Fprintln(out, "a process that nobody knows of mints for itself; a minute later the old token is dead")
	platform.Rotate()
	platform.Advance(time.Minute)
	for i, c := range replicas {
		if err := launch(fmt.Sprint("replica ", i+1), c, fmt.Sprint("B", i)); err != nil {
			return err
		}
	}
	return nil
}
