// A partner's program: one liveness check on the fake platform, with the credential in a directory.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"net/url"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

// The shop's other machines would share this one.
var _ webanklive.CredentialStore = redisstore.New(redis.NewClient(&redis.Options{Addr: "redis.invalid:6379"}))

func main() {
	ctx := context.Background()
	platform := livetest.New()
	server := httptest.NewServer(platform)
	defer server.Close()
	store, err := filestore.New(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	c, err := webanklive.NewClient(platform.AppID(), platform.Secret(), webanklive.WithCredentialStore(store),
		webanklive.WithBaseURLs(server.URL+"/idasc", server.URL+"/ida"))
	if err != nil {
		log.Fatal(err)
	}
	link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{OrderNo: "R1", UserID: "ann", CallbackURL: "https://shop.example/done"})
	if err != nil {
		log.Fatal(err)
	}
	back, err := platform.Visit(ctx, link, livetest.Passing())
	if err != nil {
		log.Fatal(err)
	}
	callback, err := url.Parse(back)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.VerifyCallback(ctx, callback.Query(), "R1"); err != nil {
		log.Fatal(err)
	}
	if _, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: "R1"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("order R1 passed")
}
