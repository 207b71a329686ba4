// Production is the whole of a liveness check as a bank would deploy it: several replicas behind a load balancer, checks in
// PostgreSQL (or MySQL, MariaDB), the credential sealed in Redis, evidence on a shared volume, metrics, health and a
// shutdown that loses nobody. README.md beside it says how it is configured.
//
//	go run .
//
// With nothing configured it runs by itself: SQLite, files, and a fake of the platform with a page that records.
package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/otelwebanklive"
	"github.com/webanklive/webanklive/sqlchecks"
)

func main() {
	printKey := flag.Bool("print-store-key", false, "print the key that seals the credential in Redis, for WEBANK_STORE_KEY of the command webanklive, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := readConfig(os.Getenv)
	switch {
	case err != nil:
	case *printKey:
		fmt.Println(hex.EncodeToString(cfg.storeKey))
	default:
		log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
		redis.SetLogger(redisLog{log}) // the drivers' own lines are of connections, not of values
		_ = mysql.SetLogger(slog.NewLogLogger(log.Handler(), slog.LevelWarn))
		err = run(ctx, cfg, log)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// server is one replica.
type server struct {
	log      *slog.Logger
	db       *sql.DB
	dialect  sqlchecks.Dialect
	checks   *checks.Service
	ready    atomic.Bool // the database has its tables
	draining atomic.Bool
}

// run serves until ctx ends, and then until everything that was begun is over.
func run(ctx context.Context, cfg *config, log *slog.Logger) (err error) {
	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if cfg.siteURL.Port() == "0" { // LISTEN without a port of its own
		cfg.siteURL.Host = listener.Addr().String()
	}
	sandbox := cfg.appID == ""
	if sandbox {
		stop, err := openSandbox(cfg)
		if err != nil {
			return err
		}
		defer stop()
	}
	if err := cfg.makeDataDir(log); err != nil {
		return err
	}
	if sandbox && cfg.temporary {
		defer func() { _ = os.RemoveAll(cfg.dataDir) }()
	}
	s, platform, metrics, err := open(cfg, log)
	if err != nil {
		return err
	}
	defer func() { _ = s.db.Close() }()

	note := fakeNote(cfg.apiURL)
	if note != "" {
		log.WarnContext(ctx, note)
	}
	h := &handlers{checks: s.checks, sessions: sessions{key: cfg.sessionKey, secure: cfg.siteURL.Scheme == "https"}, pages: pages{note}}
	serving := newHTTPServer(s.routes(h, metrics, cfg.siteURL), log)
	failed := make(chan error, 1)
	go func() { failed <- serving.Serve(listener) }()
	log.InfoContext(ctx, "serving", "url", cfg.siteURL.String(), "listen", listener.Addr().String())

	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if s.migrate(working) != nil {
			return
		}
		s.ready.Store(true)
		_ = s.checks.Run(working)
	}()
	go platform.followSecret(working)

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// Balancers are told first; then no request is cut off; then the work behind is given back.
	s.draining.Store(true)
	log.Info("draining")
	if ctx.Err() != nil {
		time.Sleep(cfg.drain)
	}
	closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if shutdownErr := serving.Shutdown(closing); shutdownErr != nil {
		log.Warn("some requests were cut off", "error", shutdownErr)
	}
	stopWork()
	<-worked
	log.Info("stopped")
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// open makes everything that a replica needs, and uses no network.
func open(cfg *config, log *slog.Logger) (*server, *clients, http.Handler, error) {
	metrics, err := newTelemetry()
	if err != nil {
		return nil, nil, nil, err
	}
	observer, err := otelwebanklive.NewObserver()
	if err != nil {
		return nil, nil, nil, err
	}
	store, err := openCredentialStore(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	platform := &clients{cfg: cfg, log: log, opts: []webanklive.Option{
		webanklive.WithCredentialStore(store), webanklive.WithLogger(log), webanklive.WithObserver(observer), webanklive.WithInstrumentation(instrument),
	}}
	if cfg.apiURL != "" {
		platform.opts = append(platform.opts, webanklive.WithBaseURLs(cfg.apiURL, cfg.h5URL))
	}
	first, err := platform.make(cfg.secret)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := platform.use(first); err != nil {
		return nil, nil, nil, err
	}

	s := &server{log: log}
	if s.db, s.dialect, err = openDatabase(cfg); err != nil {
		return nil, nil, nil, err
	}
	s.checks, err = newChecks(cfg, platform, sqlchecks.New(s.db, s.dialect), log)
	return s, platform, metrics, err
}
