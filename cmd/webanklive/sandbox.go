package main

// sandbox: the fake platform of package livetest on a port, with the page that a person sees.

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

const sandboxHelp = `Serves a fake of the platform, API and H5 page, and prints how to configure a program for it. Nothing reaches the network.

The fake enforces the vendor's rules. Each request that it refuses is told on standard error, with the exact reason, which
the vendor keeps to himself. Ctrl-C ends it. It remembers as long as it runs: the last 20,000 checks and their results,
and nothing of it is on a disk.

App ID and secret are made up, the secret anew at each start; --app-id and --secret-file keep them the same for programs
that are configured once. The secret is printed: give it one of its own, never a real one.

It listens for this machine alone unless --addr says otherwise, and speaks plain http, which clients accept for this
machine alone. For the programs and phones of a team, --host NAME says how they reach it: it serves https then, with a
certificate for NAME by an authority of its own. GET /ca.pem has that authority's certificate for those who shall trust it;
Go programs on Unix do with SSL_CERT_FILE=ca.pem. It is made of the secret: with --secret-file it can be trusted before
and after a restart. It can speak for NAME and this machine only.`

type sandboxAnswer struct {
	AppID  string `json:"app_id"`
	Secret string `json:"secret"` // of the fake
	APIURL string `json:"api_url"`
	H5URL  string `json:"h5_url"`
	Store  string `json:"store,omitempty"` // for programs of this machine, removed when the sandbox ends
	CA     string `json:"ca,omitempty"`    // PEM: the certificate of the authority that signed the sandbox's
}

func (a *app) sandboxCommand() *cobra.Command {
	var s sandbox
	var lag time.Duration
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a fake of the platform with its H5 page",
		Long:  sandboxHelp,
		Example: `  webanklive sandbox > sandbox.env
  . ./sandbox.env && webanklive doctor     # in another shell

  webanklive sandbox --addr :8443 --host sandbox.test.svc:8443 --app-id TIDAtest --secret-file sandbox.secret`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret := ""
			if a.secretFile != "" {
				var err error
				if secret, err = secretFromFile(cmd.Context(), a.secretFile); err != nil {
					return err
				}
			}
			s.platform = livetest.NewFor(cmp.Or(a.appID, "TIDAtest"), secret)
			s.platform.SetMediaLag(lag)
			s.platform.KeepResults()
			return s.serve(cmd.Context(), a)
		},
	}
	cmd.Flags().StringVar(&s.addr, "addr", "127.0.0.1:8090", "where to listen")
	cmd.Flags().StringVar(&s.host, "host", "", "serve https, for clients that reach it under this name or name:port")
	cmd.Flags().DurationVar(&lag, "lag", 0, "how long after the result photo and video come")
	return cmd
}

type sandbox struct {
	platform   *livetest.Platform
	addr, host string
}

func (s *sandbox) serve(ctx context.Context, a *app) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return usageError("%v", err)
	}
	defer func() { _ = listener.Close() }()
	base := "http://" + printableAddress(listener.Addr())
	var authority *authority
	if s.host != "" {
		base = "https://" + s.urlHost(listener.Addr())
	}
	answer := sandboxAnswer{AppID: s.platform.AppID(), Secret: s.platform.Secret(), APIURL: base + "/idasc", H5URL: base + "/ida"}
	if _, err := webanklive.NewClient(answer.AppID, answer.Secret, webanklive.WithBaseURLs(answer.APIURL, answer.H5URL)); err != nil {
		return usageError("%s", oneLine(err)) // no program could use it
	}
	if s.host != "" {
		if authority, err = newAuthority(answer.Secret, s.name()); err != nil {
			return err
		}
		answer.CA = authority.pem
	} else if store, err := os.MkdirTemp("", "webanklive-sandbox-*"); err == nil {
		// Shared by all programs that use the sandbox, as by a fleet. Otherwise each run of this command would end the token
		// of the program that is being tried, and no callback could be checked.
		defer func() { _ = os.RemoveAll(store) }()
		answer.Store = "file:" + store
	}
	if err := a.showSandbox(answer); err != nil {
		return err
	}
	s.warn(a, answer, listener.Addr())
	return s.listen(ctx, a, listener, authority)
}

// name is the host without its port.
func (s *sandbox) name() string {
	if host, _, err := net.SplitHostPort(s.host); err == nil {
		return host
	}
	return strings.Trim(s.host, "[]")
}

// urlHost is host with the port that clients use.
func (s *sandbox) urlHost(addr net.Addr) string {
	if _, _, err := net.SplitHostPort(s.host); err == nil {
		return s.host
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return net.JoinHostPort(s.name(), port)
}

// showSandbox prints the answer, with --json at once and not only when the sandbox ends.
func (a *app) showSandbox(answer sandboxAnswer) error {
	if a.json {
		a.answer = answer
		return a.printJSON(nil)
	}
	return a.print(answer, func(w io.Writer) {
		for _, set := range []struct{ name, value string }{
			{"APP_ID", answer.AppID}, {"SECRET", answer.Secret}, {"API_URL", answer.APIURL}, {"H5_URL", answer.H5URL}, {"STORE", answer.Store},
		} {
			if set.value != "" {
				say(w, "export WEBANK_%s=%s\n", set.name, quoted(set.value))
			}
		}
	})
}

var needsNoQuotes = regexp.MustCompile(`^[0-9A-Za-z_./:@%+=,-]+$`).MatchString

// quoted returns text as a word for a shell, because what is printed is meant to be run by a shell.
func quoted(text string) string {
	if needsNoQuotes(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (s *sandbox) warn(a *app, answer sandboxAnswer, addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		a.note("Warning: it listens beyond this machine, on %s: whoever reaches it can use it, and read what it was sent.", addr)
		if s.host == "" {
			a.note("Warning: clients on other machines refuse plain http; --host NAME serves https.")
		}
	}
	if a.json {
		return
	}
	switch {
	case s.host != "":
		a.note("Clients trust its certificate with %s/ca.pem.", strings.TrimSuffix(answer.APIURL, "/idasc"))
	case answer.Store == "":
		a.note("No directory can be made here, so there is no store to share: each command makes a token of its own.")
	}
	a.note("Refused requests follow. Ctrl-C ends it.")
}

func (s *sandbox) listen(ctx context.Context, a *app, listener net.Listener, authority *authority) error {
	var telling sync.Mutex // requests are served at the same time
	s.platform.OnRefusal(func(refusal string) {
		telling.Lock()
		defer telling.Unlock()
		a.note("refused: %s", refusal)
	})
	errorLog := log.New(lines{a.errOut}, "", 0)
	server := &http.Server{Handler: s.handler(authority), ReadHeaderTimeout: usualTimeout, ErrorLog: errorLog}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var err error
	if authority == nil {
		err = server.Serve(listener)
	} else {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{authority.server}, MinVersion: tls.VersionTLS12}
		err = server.ServeTLS(listener, "", "")
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *sandbox) handler(authority *authority) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/idasc/": // doctor requests it; it is no refusal to report
			http.NotFound(w, r)
		case r.URL.Path == "/ca.pem" && authority != nil:
			w.Header().Set("Content-Type", "application/x-pem-file")
			_, _ = io.WriteString(w, authority.pem)
		default:
			s.platform.ServeHTTP(w, r)
		}
	})
}
