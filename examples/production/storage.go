package main

// Where things are kept: checks in a database, the credential in Redis, evidence in a directory; files for all of them
// when nothing is configured.

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/redisstore"
	"github.com/webanklive/webanklive/sqlchecks"
)

// openDatabase connects to nothing yet: a database that is away must not keep this process from starting.
func openDatabase(cfg *config) (*sql.DB, sqlchecks.Dialect, error) {
	driver, dsn, dialect := "pgx", cfg.databaseURL, sqlchecks.PostgreSQL
	switch scheme, rest, _ := strings.Cut(cfg.databaseURL, ":"); scheme {
	case "postgres", "postgresql":
		if _, err := pgx.ParseConfig(dsn); err != nil {
			return nil, dialect, errors.New("DATABASE_URL cannot be used with PostgreSQL")
		}
	case "mysql":
		u, err := url.Parse(cfg.databaseURL)
		if err != nil {
			return nil, dialect, errors.New("DATABASE_URL is not a URL") // its text may hold a password
		}
		c := mysql.NewConfig()
		c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), u.User.Username()
		c.Passwd, _ = u.User.Password()
		driver, dsn, dialect = "mysql", c.FormatDSN(), sqlchecks.MySQL
		if u.RawQuery != "" { // tls=true, for instance
			dsn += "?" + u.RawQuery
		}
	case "sqlite", "":
		if scheme == "" {
			rest = filepath.Join(cfg.dataDir, "checks.db")
		}
		driver, dsn, dialect = "sqlite", "file:"+rest+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate", sqlchecks.SQLite
	default:
		return nil, dialect, errors.New("DATABASE_URL must be a URL of postgres, mysql or sqlite")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, dialect, fmt.Errorf("DATABASE_URL cannot be used with driver %s", driver)
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, dialect, nil
}

// migrate waits for the database as long as ctx lives.
func (s *server) migrate(ctx context.Context) error {
	for logged := false; ; logged = true {
		err := sqlchecks.Migrate(ctx, s.db, s.dialect)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if !logged {
			s.log.ErrorContext(ctx, "the database cannot be migrated; trying again", "error", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// openCredentialStore returns the store of the fleet's credential, sealed where others may read it.
func openCredentialStore(cfg *config) (webanklive.CredentialStore, error) {
	if cfg.redisURL == "" {
		return filestore.New(filepath.Join(cfg.dataDir, "credential"))
	}
	opts, err := redis.ParseURL(cfg.redisURL)
	if err != nil {
		return nil, errors.New("REDIS_URL must be a redis:// or rediss:// URL")
	}
	block, err := aes.NewCipher(cfg.storeKey)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return redisstore.New(redis.NewClient(opts), redisstore.WithEncryption(aead)), nil
}

// redisLog takes in what go-redis says of its connections.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.WarnContext(ctx, fmt.Sprintf(format, args...))
}
