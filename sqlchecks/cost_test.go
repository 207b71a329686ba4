//go:build unix

package sqlchecks_test

// What calls cost, in statements.

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/sqlchecks"
)

func TestStore_CostsTheSameWhateverWaits(t *testing.T) {
	t.Parallel()
	d := database{sqlchecks.SQLite, "sqlite", sqliteFile(t), nil}
	d.store(t)
	plain := d.connect(t)
	counted := &connector{driver: plain.Driver(), source: d.source}
	db := sql.OpenDB(counted)
	defer db.Close()
	s, ctx := sqlchecks.New(db, d.Dialect), t.Context()
	cost := func(want string, call func() error) {
		t.Helper()
		counted.reads.Store(0)
		counted.writes.Store(0)
		require.NoError(t, call())
		assert.Equal(t, want, fmt.Sprint(counted.reads.Load(), " reads, ", counted.writes.Load(), " writes"))
	}
	claim := func(owner string, limit, want int) func() error {
		return func() error {
			claimed, _, err := s.Claim(ctx, owner, time.Hour, limit, false)
			assert.Len(t, claimed, want)
			return err
		}
	}
	for _, waiting := range []int{0, 1000} {
		for i := range waiting {
			n := attempt(fmt.Sprint("waits", i), fmt.Sprint("waits", i))
			n.Due = time.Hour
			create(t, s, n)
		}
		order := fmt.Sprint(waiting)
		var c checks.Check
		cost("1 reads, 0 writes", claim("idle", 16, 0))
		cost("3 reads, 2 writes", func() (err error) { c, err = s.Create(ctx, attempt(order, order)); return err })
		cost("1 reads, 0 writes", func() error { _, err := s.Get(ctx, order); return err })
		cost("2 reads, 1 writes", claim(order, 16, 1))
		cost("0 reads, 1 writes", func() error { return s.Renew(ctx, order, order, time.Hour) })
		cost("0 reads, 1 writes", func() error { return s.Release(ctx, order, order, 0) })
		cost("2 reads, 1 writes", claim(order, 16, 1))
		cost("1 reads, 1 writes", func() (err error) { c, err = s.Update(ctx, c, order, never); return err })
		cost("0 reads, 1 writes", func() error { return s.Delete(ctx, order, c.Version) })
	}
}

// Others claim what a worker has read, before it can claim it itself, and more is due.
func TestClaim_ReadsAgainWhenOthersWereFaster(t *testing.T) {
	t.Parallel()
	d := database{sqlchecks.SQLite, "sqlite", sqliteFile(t), nil}
	other := d.store(t)
	for _, name := range []string{"A", "B"} {
		create(t, other, attempt(name, name))
		passes(t, other, 2*time.Millisecond)
	}
	db := sql.OpenDB(&connector{driver: d.connect(t).Driver(), source: d.source, write: sync.OnceFunc(func() {
		assert.Equal(t, []string{"A"}, claim(t, other, "other", lease, 1, false))
	})})
	defer db.Close()
	assert.Equal(t, []string{"B"}, claim(t, sqlchecks.New(db, d.Dialect), "late", lease, 1, false))
}

// connector makes connections that count their statements, and call write before each that writes.
type connector struct {
	driver        driver.Driver
	source        string
	reads, writes atomic.Int64
	write         func()
}

func (c *connector) Driver() driver.Driver { return c.driver }

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.source)
	return &countingConn{conn, c}, err
}

type countingConn struct {
	driver.Conn
	count *connector
}

func (c *countingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

func (c *countingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if strings.HasPrefix(query, "SELECT") {
		c.count.reads.Add(1)
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *countingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.count.writes.Add(1)
	if c.count.write != nil {
		c.count.write()
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}
