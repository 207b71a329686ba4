// Quickstart goes through three liveness checks from launch to evidence and prints each step: a person who passes, one
// who does not, and one whose browser cannot record.
//
//	go run ./examples/quickstart
//
// The platform is the fake of package livetest, so it needs neither a contract with the vendor nor a network. With
// WEBANK_APP_ID and WEBANK_SECRET set it prints a launch URL of the real platform instead, or of the one that
// WEBANK_API_URL and WEBANK_H5_URL name, for the callback URL in WEBANK_CALLBACK_URL. It gets a token of its own for that,
// which ends the one of a fleet with that app ID.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/livetest"
)

func main() {
	dir := flag.String("out", "", "directory for photo and video; a new one unless set")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *dir, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dir string, env func(string) string) error {
	if env("WEBANK_APP_ID") != "" && env("WEBANK_SECRET") != "" {
		return launchForReal(ctx, out, env)
	}
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "webanklive-quickstart-"); err != nil {
			return err
		}
	}
	platform := livetest.New()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: platform, ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	go server.Serve(listener)
	base := "http://" + listener.Addr().String()

	c, err := webanklive.NewClient(platform.AppID(), platform.Secret(),
		webanklive.WithBaseURLs(base+"/idasc", base+"/ida"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "A fake of the platform runs in this process. Three people take a liveness check (活体检测).")
	for _, visit := range []struct {
		who    string
		order  string
		person livetest.Person
	}{
		{"Ann passes", "Q1", livetest.Passing()},
		{"Ben shows a photo to the camera", "Q2", livetest.Failing("-5016")},
		{"Cai has a browser that cannot record", "Q3", livetest.WithoutRecorder()},
	} {
		fmt.Fprintf(out, "\n%s\n", visit.who)
		if err := check(ctx, out, c, platform, visit.order, visit.person, dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nThe platform was asked for %d access token and %d SIGN ticket: every check shares them.\n",
		platform.Calls(livetest.AccessToken), platform.Calls(livetest.SignTicket))
	return nil
}

// check is one liveness check, as a partner's server sees it.
func check(ctx context.Context, out io.Writer, c *webanklive.Client, platform *livetest.Platform,
	order string, person livetest.Person, dir string,
) error {
	link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: order, UserID: "user-" + order, CallbackURL: "https://shop.example/liveness/done", SkipResultPage: true,
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  1 launch    redirect the browser to", masked(link))

	back, err := platform.Visit(ctx, link, person) // the person's browser
	if err != nil {
		return err
	}
	callback, err := url.Parse(back)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "  2 browser   opened the link, and came back to", masked(back))

	cb, err := c.VerifyCallback(ctx, callback.Query(), order)
	switch {
	case errors.Is(err, webanklive.ErrUnsignedCallback):
		fmt.Fprintf(out, "  3 callback  not signed, code %s: offer another way to identify\n%s", cb.Code, meaning(cb.Code))
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "  3 callback  signed by the platform for order %s, code %s; it decides nothing\n", cb.OrderNo, cb.Code)

	res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: order})
	switch {
	case errors.Is(err, webanklive.ErrNotPassed):
		fmt.Fprintf(out, "  4 decision  NOT passed, code %s: a new attempt needs a new order number\n%s", res.Code, meaning(res.Code))
		return nil
	case err != nil:
		return err
	}
	fmt.Fprintf(out, "  4 decision  PASSED, score %s, at %s\n", res.LiveRate, res.OccurredAt.Format(time.DateTime))

	files, _, err := evidence.Save(ctx, c, evidence.Request{OrderNo: order, Dir: dir, WaitForMedia: 10 * time.Second})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  5 evidence  %s, %s\n", files.Photo, files.Video)
	return nil
}

// launchForReal prints a link of the platform that the environment names.
func launchForReal(ctx context.Context, out io.Writer, env func(string) string) error {
	var opts []webanklive.Option
	if api, h5 := env("WEBANK_API_URL"), env("WEBANK_H5_URL"); api != "" || h5 != "" {
		opts = append(opts, webanklive.WithBaseURLs(api, h5))
	}
	c, err := webanklive.NewClient(env("WEBANK_APP_ID"), env("WEBANK_SECRET"), opts...)
	if err != nil {
		return err
	}
	callbackURL := cmp.Or(env("WEBANK_CALLBACK_URL"), "https://example.com/liveness/done")
	order := fmt.Sprintf("Q%d", time.Now().UnixNano())
	link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: order, UserID: "quickstart", CallbackURL: callbackURL,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Order %s. Open this link within two minutes, once, on a phone; nobody else may see it:\n\n%s\n", order, link)
	return nil
}

// meaning is what the vendor's pages say about a code.
func meaning(code string) string {
	info, ok := webanklive.LookupCode(code)
	if !ok {
		return ""
	}
	return fmt.Sprintf("              %s（%s）\n", info.Message, info.Advice)
}

// masked shows where a link goes without what makes it work.
func masked(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "an unreadable link"
	}
	return u.Scheme + "://" + u.Host + u.Path + "?orderNo=" + u.Query().Get("orderNo") + "&…"
}
