// Webdemo is a partner's web shop whose customers take a liveness check in their browser: redirect, camera, callback,
// decision, photo and video.
//
//	go run ./examples/webdemo
//
// It brings a fake of the platform along, with a page that records from the camera, so it needs neither a contract with
// the vendor nor a network. With WEBANK_APP_ID and WEBANK_SECRET set it talks to the real platform, or to the one that
// WEBANK_API_URL and WEBANK_H5_URL name, with a token of its own, which ends the one of a fleet with that app ID. With
// -once it takes the part of the browsers itself, prints what they see, and exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

// settings are the flags and the environment.
type settings struct {
	addr, platformAddr string
	publicURL          string
	resultPage, once   bool
	lag                time.Duration
	appID, secret      string
	apiURL, h5URL      string // of a platform that is neither the fake nor the vendor's
}

func main() {
	set := settings{
		appID: os.Getenv("WEBANK_APP_ID"), secret: os.Getenv("WEBANK_SECRET"),
		apiURL: os.Getenv("WEBANK_API_URL"), h5URL: os.Getenv("WEBANK_H5_URL"),
	}
	flag.StringVar(&set.addr, "addr", "127.0.0.1:8080", "where the shop listens")
	flag.StringVar(&set.platformAddr, "platform", "127.0.0.1:8081", "where the fake platform listens, a loopback address")
	flag.StringVar(&set.publicURL, "url", "", "where browsers reach the shop, an https tunnel for a phone or the real platform; default http://localhost and the port")
	flag.BoolVar(&set.resultPage, "resultpage", false, "let the platform show its result page before it sends the browser back")
	flag.DurationVar(&set.lag, "lag", time.Second, "how long after the result the fake platform has photo and video")
	flag.BoolVar(&set.once, "once", false, "play the browsers too, print what they see, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, set); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, set settings) error {
	real := set.appID != "" && set.secret != ""
	if set.once {
		if real {
			return errors.New("-once plays on the fake platform: unset WEBANK_APP_ID and WEBANK_SECRET")
		}
		set.addr, set.platformAddr, set.publicURL = "127.0.0.1:0", "127.0.0.1:0", ""
	}
	d, err := open(set, real, logTo(out, set.once))
	if err != nil {
		return err
	}
	defer d.close()
	if set.once {
		return playBrowsers(ctx, out, d)
	}
	fmt.Fprintf(out, "Open %s in a browser. Ctrl-C ends it.\n", d.url)
	if !real {
		fmt.Fprintf(out, "The platform is a fake on %s. Browsers give the camera to localhost and https only.\n", d.platformHost)
	}
	<-ctx.Done()
	return nil
}

func logTo(out io.Writer, once bool) *slog.Logger {
	if once {
		return slog.New(slog.DiscardHandler) // it tells its own story
	}
	return slog.New(slog.NewTextHandler(out, nil))
}

// demo is a shop that is open, and the platform behind it.
type demo struct {
	url          string
	platform     *livetest.Platform // nil: the real one
	platformHost string
	shop         *shop.Shop
	servers      []*http.Server
}

func open(set settings, real bool, log *slog.Logger) (d *demo, err error) {
	d = &demo{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	listener, err := net.Listen("tcp", set.addr)
	if err != nil {
		return d, err
	}
	d.url = strings.TrimRight(set.publicURL, "/")
	if d.url == "" {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		d.url = "http://localhost:" + port
	}
	mux := http.NewServeMux()
	opts := []webanklive.Option{webanklive.WithLogger(log)}
	h5URL, note := "https://ida.webank.com", ""
	switch {
	case !real:
		set.appID, set.secret, h5URL, err = d.openPlatform(set, mux)
		if err != nil {
			return d, errors.Join(err, listener.Close())
		}
		opts = append(opts, webanklive.WithBaseURLs("http://"+d.platformHost+"/idasc", h5URL))
		note = "Demonstration: the platform is a fake (package livetest). Nothing leaves this machine."
	case set.apiURL != "" || set.h5URL != "":
		h5URL = set.h5URL
		opts = append(opts, webanklive.WithBaseURLs(set.apiURL, set.h5URL))
	}
	client, err := webanklive.NewClient(set.appID, set.secret, opts...)
	if err == nil {
		d.shop, err = shop.New(shop.Config{
			Client: client, PublicURL: d.url, H5URL: h5URL, ShowResultPage: set.resultPage, Note: note, Log: log,
		})
	}
	if err != nil {
		return d, errors.Join(err, listener.Close())
	}
	mux.Handle("/", d.shop)
	d.serve(listener, mux)
	return d, nil
}

// openPlatform starts the fake. Behind an https tunnel its pages are served by the shop's port, too, so that one tunnel
// brings both to a phone.
func (d *demo) openPlatform(set settings, mux *http.ServeMux) (appID, secret, h5URL string, err error) {
	listener, err := net.Listen("tcp", set.platformAddr)
	if err != nil {
		return "", "", "", err
	}
	d.platform, d.platformHost = livetest.New(), listener.Addr().String()
	d.platform.SetMediaLag(set.lag)
	d.serve(listener, d.platform)
	h5URL = "http://" + d.platformHost + "/ida"
	if u, err := url.Parse(d.url); err == nil && u.Scheme == "https" {
		mux.Handle("/ida/", d.platform)
		h5URL = d.url + "/ida"
	}
	return d.platform.AppID(), d.platform.Secret(), h5URL, nil
}

func (d *demo) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, server)
	go server.Serve(l)
}

func (d *demo) close() {
	for _, server := range d.servers {
		server.Close()
	}
	if d.shop != nil {
		d.shop.Close()
	}
}
