// Webdemo is a partner's web shop whose customers take a liveness check in their browser: redirect, camera, callback,
// decision, photo and video.
//
//	go run ./examples/webdemo
//
// It brings a fake of the platform along, with a page that records from the camera, so it needs neither a contract with
// the vendor nor a network. With WEBANK_APP_ID and WEBANK_SECRET set it talks to the real platform, or to the one that
// WEBANK_API_URL and WEBANK_H5_URL name, with a token of its own, which ends the one of a fleet with that app ID. A
// configuration that is not whole does not start, and neither does a public -url on the fake, where everybody passes. With
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
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
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
	apiURL, h5URL      string // of a platform that is not the built-in fake
}

func main() {
	set := settings{
		appID: os.Getenv("WEBANK_APP_ID"), secret: os.Getenv("WEBANK_SECRET"),
		apiURL: os.Getenv("WEBANK_API_URL"), h5URL: os.Getenv("WEBANK_H5_URL"),
	}
	flag.StringVar(&set.addr, "addr", "127.0.0.1:8080", "where the shop listens")
	flag.StringVar(&set.platformAddr, "platform", "127.0.0.1:8081", "where the fake platform listens, a loopback address")
	flag.StringVar(&set.publicURL, "url", "", "where browsers reach the shop; a public one needs the real platform; default http://localhost and the port")
	flag.BoolVar(&set.resultPage, "resultpage", false, "let the platform show its result page before it sends the browser back")
	flag.DurationVar(&set.lag, "lag", time.Second, "how long after the result the fake platform has photo and video")
	flag.BoolVar(&set.once, "once", false, "play the browsers too, print what they see, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, set); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, set settings) error {
	real := set.appID != "" && set.secret != ""
	if err := set.check(); err != nil {
		return err
	}
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
	switch {
	case !real:
		fmt.Fprintf(out, "The platform is a fake on %s: everybody can pass. Browsers give the camera to localhost and https only.\n", d.platformHost)
	case d.fake:
		fmt.Fprintf(out, "The platform at %s is not the vendor's: it may be a fake.\n", set.apiURL)
	}
	<-ctx.Done()
	return nil
}

// check refuses what is set by half, all of it at once.
func (set settings) check() error {
	var wrong []error
	refuse := func(when bool, rule string) {
		if when {
			wrong = append(wrong, errors.New(rule))
		}
	}
	real := set.appID != "" && set.secret != ""
	refuse((set.appID != "") != (set.secret != ""), "WEBANK_APP_ID and WEBANK_SECRET must both be set, or neither")
	refuse((set.apiURL != "") != (set.h5URL != ""), "WEBANK_API_URL and WEBANK_H5_URL must both be set, or neither")
	refuse(set.apiURL != "" && set.h5URL != "" && !real, "WEBANK_API_URL and WEBANK_H5_URL need WEBANK_APP_ID and WEBANK_SECRET")
	if set.publicURL != "" {
		u, err := url.Parse(set.publicURL)
		whole := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
		refuse(!whole, "-url must be an absolute http or https URL")
		refuse(whole && !real && !isLoopback(u.Hostname()), "a public -url needs WEBANK_APP_ID and WEBANK_SECRET: on the fake platform everybody passes")
	}
	return errors.Join(wrong...)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
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
	fake         bool // not the vendor's
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
	opts := []webanklive.Option{webanklive.WithLogger(log)}
	h5URL := "https://ida.webank.com"
	switch {
	case !real:
		if set.appID, set.secret, h5URL, err = d.openPlatform(set); err != nil {
			return d, errors.Join(err, listener.Close())
		}
		d.fake = true
		opts = append(opts, webanklive.WithBaseURLs("http://"+d.platformHost+"/idasc", h5URL))
	case set.apiURL != "":
		h5URL = set.h5URL
		u, err := url.Parse(set.apiURL)
		d.fake = err != nil || u.Hostname() != "idasc.webank.com"
		opts = append(opts, webanklive.WithBaseURLs(set.apiURL, set.h5URL))
	}
	client, err := webanklive.NewClient(set.appID, set.secret, opts...)
	if err == nil {
		d.shop, err = shop.New(shop.Config{
			Client: client, PublicURL: d.url, H5URL: h5URL, ShowResultPage: set.resultPage, Fake: d.fake, Log: log,
		})
	}
	if err != nil {
		return d, errors.Join(err, listener.Close())
	}
	d.serve(listener, d.shop)
	return d, nil
}

// openPlatform starts the fake.
func (d *demo) openPlatform(set settings) (appID, secret, h5URL string, err error) {
	listener, err := net.Listen("tcp", set.platformAddr)
	if err != nil {
		return "", "", "", err
	}
	d.platform, d.platformHost = livetest.New(), listener.Addr().String()
	d.platform.SetMediaLag(set.lag)
	d.serve(listener, d.platform)
	return d.platform.AppID(), d.platform.Secret(), "http://" + d.platformHost + "/ida", nil
}

// serve serves h until close. No slow or silent browser can hold a connection; a video of megabytes is sent in a minute.
func (d *demo) serve(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
	}
	d.servers = append(d.servers, server)
	go server.Serve(l)
}

// close lets requests finish, five seconds at most, and ends the work behind. The shop is the last to be opened and the
// first to go, because it needs the platform.
func (d *demo) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, server := range slices.Backward(d.servers) {
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		if d.shop != nil {
			d.shop.Close()
		}
	}
}
