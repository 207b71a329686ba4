package main

// The client of the platform: the real one, or a sandbox in this process; replaced when its secret changes.

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/otelwebanklive"
)

// client is a webanklive.Client that can be replaced while calls run: package checks sees one that lasts.
type client struct {
	now atomic.Pointer[webanklive.Client]
}

func (c *client) BuildLiveLoginURL(ctx context.Context, req webanklive.LiveLoginRequest) (string, error) {
	return c.now.Load().BuildLiveLoginURL(ctx, req)
}

func (c *client) BuildMiniProgramLaunch(ctx context.Context, req webanklive.MiniProgramRequest) (*webanklive.MiniProgramLaunch, error) {
	return c.now.Load().BuildMiniProgramLaunch(ctx, req)
}

func (c *client) VerifyCallback(ctx context.Context, query url.Values, orderNo string) (*webanklive.Callback, error) {
	return c.now.Load().VerifyCallback(ctx, query, orderNo)
}

func (c *client) GetLiveResult(ctx context.Context, req webanklive.LiveResultRequest) (*webanklive.LiveResult, error) {
	return c.now.Load().GetLiveResult(ctx, req)
}

func (c *client) StreamLiveMedia(ctx context.Context, req webanklive.LiveMediaRequest) (*webanklive.LiveResult, error) {
	return c.now.Load().StreamLiveMedia(ctx, req)
}

// clients are the one of the handlers, and the one of the worker, whose repeats package checks paces itself.
type clients struct {
	cfg         *config
	opts        []webanklive.Option
	log         *slog.Logger
	web, worker client
	unobserve   func() error
}

// pair is what a secret makes.
type pair struct{ web, worker *webanklive.Client }

func (c *clients) make(secret string) (p pair, err error) {
	if p.web, err = webanklive.NewClient(c.cfg.appID, secret, c.opts...); err == nil {
		p.worker, err = webanklive.NewClient(c.cfg.appID, secret, append([]webanklive.Option{webanklive.WithMaxRetries(0)}, c.opts...)...)
	}
	return p, err
}

// use takes p into use, for every call that begins from now on.
func (c *clients) use(p pair) (err error) {
	if c.unobserve != nil {
		_ = c.unobserve()
	}
	c.web.now.Store(p.web)
	c.worker.now.Store(p.worker)
	c.unobserve, err = otelwebanklive.ObserveStatus(p.web)
	return err
}

// followSecret takes a new secret into use when the file changes, unless the platform refuses it: then the old one stays,
// and the new one is tried again a minute later, because the platform may not know it yet.
func (c *clients) followSecret(ctx context.Context) {
	if c.cfg.secretFile == "" {
		return
	}
	pause := c.cfg.secretEvery
	for secret := c.cfg.secret; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = c.cfg.secretEvery
		next, err := readSecretFile(c.cfg.secretFile)
		if err == nil && next != secret {
			if err = c.change(ctx, next); err == nil {
				secret = next
				c.log.InfoContext(ctx, "the secret was changed")
			}
		}
		if err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "the secret file cannot be used; going on with the old secret", "error", err)
			if errors.Is(err, webanklive.ErrCredential) {
				pause = max(pause, time.Minute)
			}
		}
	}
}

// change proves a secret and takes it into use. Only a refusal is an error: when another replica has proved it less than a
// minute ago, or the platform is away, the file is right until the opposite is known.
func (c *clients) change(ctx context.Context, secret string) error {
	p, err := c.make(secret)
	if err != nil {
		return err
	}
	proving, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := p.web.Refresh(proving); errors.Is(err, webanklive.ErrCredential) || ctx.Err() != nil {
		return err
	}
	return c.use(p)
}

// openSandbox starts the fake platform on a loopback port, for a run with nothing configured.
func openSandbox(cfg *config) (stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := livetest.New()
	base := "http://" + listener.Addr().String()
	cfg.appID, cfg.secret, cfg.apiURL, cfg.h5URL = p.AppID(), p.Secret(), base+"/idasc", base+"/ida"
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }, nil
}

// fakeNote is on every page and in the log when the platform is not the vendor's. Empty: it is.
func fakeNote(apiURL string) string {
	if apiURL == "" {
		return ""
	}
	if u, err := url.Parse(apiURL); err == nil && u.Scheme == "https" && u.Host == "idasc.webank.com" {
		return ""
	}
	return "演示：平台是模拟的，任何人都能通过。Demonstration: the platform is a fake, and everybody can pass."
}
