//go:build unix

package sqlchecks_test

// The databases of the tests: a PostgreSQL and a MariaDB of their own, and files of SQLite.

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/sqlchecks"
)

func TestMain(m *testing.M) {
	if source := os.Getenv("SQLCHECKS_TEST_SOURCE"); source != "" {
		os.Exit(process(os.Getenv("SQLCHECKS_TEST_DRIVER"), source))
	}
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // servers are stopped on purpose
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // most of them wait: for a lease, a lock, a server
	os.Exit(m.Run())
}

// A database is one that a test has for itself, without a table.
type database struct {
	sqlchecks.Dialect
	driver, source string
	server         *servertest.Server // nil for SQLite
}

// A test is a rule that every database keeps.
type test = func(t *testing.T, d database)

// onEach runs tests on each kind of database, and starts a server of each for them.
func onEach(t *testing.T, tests map[string]test) {
	t.Helper()
	for _, dialect := range []sqlchecks.Dialect{sqlchecks.PostgreSQL, sqlchecks.MySQL, sqlchecks.SQLite} {
		t.Run(dialect.String(), func(t *testing.T) {
			t.Parallel()
			d := start(t, dialect)
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, d.another(t))
				})
			}
		})
	}
}

// start starts a server.
func start(t *testing.T, dialect sqlchecks.Dialect) database {
	t.Helper()
	switch dialect {
	case sqlchecks.PostgreSQL:
		return database{Dialect: dialect, driver: "pgx", server: servertest.PostgreSQL(t)}.named("postgres")
	case sqlchecks.MySQL:
		return database{Dialect: dialect, driver: "mysql", server: servertest.MariaDB(t)}.named("test")
	default:
		return database{dialect, "sqlite", sqliteFile(t), nil}
	}
}

// named is a database of the server. Sessions are in time zones whose clocks are far from UTC.
func (d database) named(name string) database {
	d.source = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?timezone=Asia/Kathmandu", d.server.Port(), name)
	if d.Dialect == sqlchecks.MySQL {
		d.source = fmt.Sprintf("root@tcp(127.0.0.1:%d)/%s?time_zone=%%27-05:30%%27", d.server.Port(), name)
	}
	return d
}

func sqliteFile(t *testing.T) string {
	return "file:" + filepath.Join(t.TempDir(), "checks.db") + "?_pragma=busy_timeout(10000)"
}

var databases atomic.Int64

// another returns a new database in the same server.
func (d database) another(t *testing.T) database {
	t.Helper()
	if d.Dialect == sqlchecks.SQLite {
		d.source = sqliteFile(t)
		return d
	}
	name := fmt.Sprint("checks", databases.Add(1))
	_, err := d.connect(t).Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	return d.named(name)
}

// connect opens a pool of its own, as another process would have it.
func (d database) connect(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db
}

// store returns a store in the migrated database.
func (d database) store(t *testing.T) *sqlchecks.Store {
	t.Helper()
	db := d.connect(t)
	require.NoError(t, sqlchecks.Migrate(context.Background(), db, d.Dialect))
	return sqlchecks.New(db, d.Dialect)
}
