package main

// The configuration, from environment and flags, and the client made of it.

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/webanklive/webanklive"
)

// config is what launch, callback, result and doctor work with.
type config struct {
	appID, secret string
	apiURL, h5URL string
	store         string      // as given; empty: none
	storeKey      cipher.AEAD // of an encrypted store; nil: it is not
}

// readConfig reports every mistake at once.
func (a *app) readConfig(ctx context.Context) (*config, error) {
	cfg := &config{appID: a.appID, apiURL: a.env("WEBANK_API_URL"), h5URL: a.env("WEBANK_H5_URL")}
	var wrong []string
	if cfg.appID == "" {
		cfg.appID = a.env("WEBANK_APP_ID")
	}
	if cfg.appID == "" {
		wrong = append(wrong, "WEBANK_APP_ID is not set")
	}
	var err error
	if cfg.secret, err = a.secret(ctx); ctx.Err() != nil {
		return cfg, err
	} else if err != nil {
		wrong = append(wrong, err.Error())
	}
	switch {
	case (cfg.apiURL == "") != (cfg.h5URL == ""):
		wrong = append(wrong, "WEBANK_API_URL and WEBANK_H5_URL must both be set, or neither")
	case cfg.apiURL == "":
		cfg.apiURL, cfg.h5URL = vendorAPIURL, vendorH5URL
	}
	if cfg.store, err = a.storeURL(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if cfg.storeKey, err = a.storeKey(ctx); ctx.Err() != nil {
		return cfg, err
	} else if err != nil {
		wrong = append(wrong, err.Error())
	}
	if wrong == nil { // the SDK checks the rest, and says so in its own words
		_, err := webanklive.NewClient(cfg.appID, cfg.secret, webanklive.WithBaseURLs(cfg.apiURL, cfg.h5URL))
		if err != nil {
			wrong = append(wrong, oneLine(err))
		}
	}
	if wrong != nil {
		return cfg, usageError("%s", strings.Join(wrong, "; "))
	}
	return cfg, nil
}

func (a *app) secret(ctx context.Context) (string, error) {
	secret, file := a.env("WEBANK_SECRET"), a.env("WEBANK_SECRET_FILE")
	switch {
	case a.secretFile != "":
		return secretFromFile(ctx, a.secretFile)
	case secret != "" && file != "":
		return "", errors.New("WEBANK_SECRET and WEBANK_SECRET_FILE are both set")
	case file != "":
		return secretFromFile(ctx, file)
	case secret == "":
		return "", errors.New("neither WEBANK_SECRET nor WEBANK_SECRET_FILE is set")
	}
	return secret, nil
}

// longestSecret bounds what is read as a secret or a ticket: a wrong file may be huge.
const longestSecret = 64 << 10

func secretFromFile(ctx context.Context, name string) (string, error) {
	return readWithin(ctx, name, func() (string, error) {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		text, err := readSecret(f)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		return text, nil
	})
}

func (a *app) secretFromInput(ctx context.Context) (string, error) {
	return readWithin(ctx, "standard input", func() (string, error) { return readSecret(a.in) })
}

// readWithin returns when ctx ends, so that Ctrl-C ends a read from a terminal or a pipe.
func readWithin(ctx context.Context, name string, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", fmt.Errorf("read %s: %w", name, ctx.Err())
	}
}

// readSecret cuts the line end, which editors and echo add.
func readSecret(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, longestSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > longestSecret:
		return "", errors.New("longer than any secret")
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", errors.New("is empty")
	}
	return string(text), nil
}

// ownPlatform reports whether the platform is a sandbox on this machine. No fleet uses its tokens.
func (cfg *config) ownPlatform() bool {
	u, err := url.Parse(cfg.apiURL)
	if err != nil {
		return false
	}
	return isLoopback(u.Hostname())
}

// needsMint returns an error when a credential would have to be minted outside the fleet's store, and that is not allowed.
func (a *app) needsMint(cfg *config) error {
	if cfg.store != "" || a.mint || cfg.ownPlatform() {
		return nil
	}
	return usageError("no store: this command would make an access token of its own, and the fleet's would die a minute later; " +
		"set WEBANK_STORE to the fleet's store, or give --mint if that is acceptable (the fleet recovers with a refused call)")
}

// client makes the client of launch, callback and result.
func (a *app) client(ctx context.Context) (*webanklive.Client, *config, error) {
	cfg, err := a.readConfig(ctx)
	if err == nil {
		err = a.needsMint(cfg)
	}
	if err != nil {
		return nil, cfg, err
	}
	c, err := a.clientFor(cfg)
	return c, cfg, err
}

func (a *app) clientFor(cfg *config) (*webanklive.Client, error) {
	store, err := a.openStore(cfg)
	if err != nil {
		return nil, err
	}
	store.mayStart = a.mint || cfg.ownPlatform()
	a.watched = store
	opts := []webanklive.Option{
		webanklive.WithBaseURLs(cfg.apiURL, cfg.h5URL), webanklive.WithCredentialStore(store), webanklive.WithLogger(a.logger()),
	}
	if a.transport != nil {
		opts = append(opts, webanklive.WithHTTPClient(&http.Client{Transport: a.transport}))
	}
	return webanklive.NewClient(cfg.appID, cfg.secret, opts...)
}

// printableAddress returns the address at which programs of this machine reach a server that listens on addr.
func printableAddress(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
