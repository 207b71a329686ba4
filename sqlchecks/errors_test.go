//go:build unix

package sqlchecks_test

// What goes wrong: databases that are away, transactions that prevent each other, errors that would quote a value.

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/sqlchecks"
)

func errorsQuoteNoValue(t *testing.T, d database) {
	s, db := d.store(t), d.connect(t)
	const marker = "MARKER-session"
	n := attempt("A", "u")
	n.Session = marker
	create(t, s, n)
	// A constraint that this package does not know makes the database quote the row that it refuses.
	_, err := db.Exec("CREATE UNIQUE INDEX more ON webanklive_checks (session)")
	require.NoError(t, err)
	n.OrderNo, n.UserID = "B", "v"
	_, err = s.Create(t.Context(), n)
	require.Error(t, err)
	for e := err; e != nil; {
		assert.NotContains(t, fmt.Sprintf("%v %#v", e, e), marker)
		unwrapped, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = unwrapped.Unwrap()
	}
	_, err = s.Get(t.Context(), "B")
	assert.Equal(t, checks.ErrNotFound, err)
}

func errorsAreTheContexts(t *testing.T, d database) {
	s := d.store(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "A")
	assert.ErrorIs(t, err, context.Canceled)
	_, err = s.Create(ctx, attempt("A", "u"))
	assert.ErrorIs(t, err, context.Canceled)
	_, _, err = s.Claim(ctx, "a", lease, 1, false)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = s.Get(t.Context(), "A")
	assert.Equal(t, checks.ErrNotFound, err, "the pool is of use")
}

// answers waits until a call succeeds, because a server that has just started may still recover.
func answers(t *testing.T, call func() error) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) { assert.NoError(t, call()) }, 30*time.Second, 20*time.Millisecond)
}

// A server that was restarted has closed all connections of the pool, those that wait for use, too.
func TestStore_SurvivesTheServersRestart(t *testing.T) {
	t.Parallel()
	for _, dialect := range []sqlchecks.Dialect{sqlchecks.PostgreSQL, sqlchecks.MySQL} {
		t.Run(dialect.String(), func(t *testing.T) {
			t.Parallel()
			d := start(t, dialect)
			s, ctx := d.store(t), t.Context()
			c := create(t, s, attempt("A", "u"))
			require.Equal(t, []string{"A"}, claim(t, s, "a", time.Hour, 1, false))
			for range 2 {
				d.server.Kill()
				_, err := s.Get(ctx, "A")
				require.Error(t, err)
				require.NotErrorIs(t, err, checks.ErrNotFound)
				d.server.Start()

				answers(t, func() error { _, err := s.Get(ctx, "A"); return err })
				assert.Equal(t, c, get(t, s, "A"))
				require.NoError(t, s.Renew(ctx, "A", "a", time.Hour), "the claim is the database's")
			}
			for range 2 { // idle connections, and a restart between two calls
				d.server.Kill()
				d.server.Start()
				answers(t, func() error { return s.Renew(ctx, "A", "a", time.Hour) })
			}
			_, err := s.Update(ctx, c, "a", 0)
			require.NoError(t, err)
		})
	}
}

// Without busy_timeout SQLite does not wait for a lock: the store does.
func TestStore_WaitsForALockedSQLiteFile(t *testing.T) {
	t.Parallel()
	d := database{sqlchecks.SQLite, "sqlite", "file:" + filepath.Join(t.TempDir(), "checks.db"), nil}
	s, ctx := d.store(t), t.Context()
	locker, err := d.connect(t).Conn(ctx)
	require.NoError(t, err)
	_, err = locker.ExecContext(ctx, "BEGIN IMMEDIATE")
	require.NoError(t, err)
	timer := time.AfterFunc(100*time.Millisecond, func() { _, _ = locker.ExecContext(ctx, "COMMIT") })
	defer timer.Stop()
	create(t, s, attempt("A", "u"))

	_, err = locker.ExecContext(ctx, "BEGIN IMMEDIATE")
	require.NoError(t, err)
	_, err = s.Create(ctx, attempt("B", "v"))
	assert.ErrorContains(t, err, "database is locked")
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = s.Create(short, attempt("B", "v"))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
