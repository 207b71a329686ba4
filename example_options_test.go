package webanklive_test

// Examples of what can be set when a Client is made.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// anyCall is one call that needs a credential.
func anyCall(c *webanklive.Client, order string) error {
	_, err := c.BuildLiveLoginURL(context.Background(), webanklive.LiveLoginRequest{
		OrderNo: order, UserID: "user" + order, CallbackURL: "https://shop.example/liveness/done",
	})
	return err
}

// Two clients for one app ID share a store. A fleet shares one in Redis (package redisstore), the processes of a machine one
// on disk (package filestore).
func ExampleWithCredentialStore() {
	platform := livetest.New()
	store := webanklive.NewMemoryStore()
	for _, order := range []string{"A1", "A2"} {
		c, err := webanklive.NewClient(platform.AppID(), platform.Secret(),
			webanklive.WithCredentialStore(store),
			webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
			webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}))
		fmt.Println(err, anyCall(c, order))
	}
	fmt.Println("access tokens minted:", len(platform.Mints()))
	// Output:
	// <nil> <nil>
	// <nil> <nil>
	// access tokens minted: 1
}

func ExampleNewMemoryStore() {
	ctx := context.Background()
	store := webanklive.NewMemoryStore()
	_, err := store.Load(ctx, "key")
	fmt.Println(errors.Is(err, webanklive.ErrNoCredential))

	value, err := store.Update(ctx, "key", func(context.Context, []byte) ([]byte, time.Duration, error) {
		return []byte("value"), time.Minute, nil
	})
	fmt.Println(string(value), err)
	// Output:
	// true
	// value <nil>
}

// A Client can be the central token service (中控) of others, which then mint nothing. Between processes the source is a
// type of yours that asks over the network: examples/tokenservice.
func ExampleWithCredentialSource() {
	platform := livetest.New()
	memory := []webanklive.Option{
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}),
	}
	central, _ := webanklive.NewClient(platform.AppID(), platform.Secret(), memory...)
	c, err := webanklive.NewClient(platform.AppID(), platform.Secret(),
		append(memory, webanklive.WithCredentialSource(central))...)
	fmt.Println(err, anyCall(c, "A1"))
	fmt.Println("access tokens minted:", len(platform.Mints()))
	// Output:
	// <nil> <nil>
	// access tokens minted: 1
}

func ExampleWithBaseURLs() {
	for _, api := range []string{"https://proxy.example/webank", "http://proxy.example", "https://user@proxy.example"} {
		_, err := webanklive.NewClient("IDA00001", "secret", webanklive.WithBaseURLs(api, "https://ida.webank.com"))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// webanklive: new client: api base URL must be https, or http for a loopback host
	// webanklive: new client: api base URL must have no user info, query or fragment
}

// A client of yours brings its own transport: a proxy, a CA of your company, a mock.
func ExampleWithHTTPClient() {
	hc := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	c, err := webanklive.NewClient("IDA00001", "secret", webanklive.WithHTTPClient(hc))
	fmt.Println(c, err)
	// Output: webanklive.Client{AppID: "IDA00001", API: "https://idasc.webank.com", H5: "https://ida.webank.com"} <nil>
}

func ExampleWithLogger() {
	var log bytes.Buffer
	c, _ := exampleClient(webanklive.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	err := anyCall(c, "A1")
	fmt.Println(strings.Contains(log.String(), `msg="webanklive: minted a credential" because="nothing was held"`), err)
	// Output: true <nil>
}

func ExampleWithMaxRetries() {
	c, platform := exampleClient(webanklive.WithMaxRetries(0))
	platform.Fail(livetest.LiveResult, livetest.Fault{Status: http.StatusBadGateway}, 1)

	_, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: "A1"})
	fmt.Println(webanklive.Retryable(err), platform.Calls(livetest.LiveResult))
	// Output: true 1
}

func ExampleWithMaxResponseBytes() {
	c, platform := exampleClient(webanklive.WithMaxResponseBytes(4096))
	platform.AddResult("A1", livetest.Person{Code: "0", Photo: make([]byte, 8192)})

	_, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: "A1", GetFile: webanklive.GetFilePhoto})
	fmt.Println(err)
	// Output: webanklive: get live result: the reply is longer than the limit (GET idasc.livetest.invalid/idasc/api/server/getLiveResult, HTTP 200)
}
