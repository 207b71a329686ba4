//go:build unix

package sqlchecks_test

// The table, and what the database does to find what is due.

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/sqlchecks"
)

func migrateMayRunAnywhereAtOnce(t *testing.T, d database) {
	var all sync.WaitGroup
	for range 6 {
		db := d.connect(t)
		all.Go(func() {
			assert.NoError(t, sqlchecks.Migrate(t.Context(), db, d.Dialect))
			assert.NoError(t, sqlchecks.Migrate(t.Context(), db, d.Dialect))
		})
	}
	all.Wait()
	s := sqlchecks.New(d.connect(t), d.Dialect)
	made := create(t, s, attempt("A", "u"))
	require.NoError(t, sqlchecks.Migrate(t.Context(), d.connect(t), d.Dialect))
	assert.Equal(t, made, get(t, s, "A"), "kept")
}

func migrateSaysWhatTheTableLacks(t *testing.T, d database) {
	db := d.connect(t)
	_, err := db.Exec("CREATE TABLE webanklive_checks (order_no VARCHAR(255))")
	require.NoError(t, err)
	err = sqlchecks.Migrate(t.Context(), db, d.Dialect)
	require.ErrorContains(t, err, "sqlchecks: migrate: ")
	assert.Contains(t, err.Error(), "column")
}

func schemaIsWhatMigrateRuns(t *testing.T, d database) {
	db := d.connect(t)
	for _, statement := range strings.SplitAfter(sqlchecks.Schema(d.Dialect), ";\n") {
		if statement != "" {
			_, err := db.Exec(statement)
			require.NoError(t, err)
		}
	}
	require.NoError(t, sqlchecks.Migrate(t.Context(), db, d.Dialect))
	create(t, sqlchecks.New(db, d.Dialect), attempt("A", "u"))
}

// The plans with 4,000 checks, most of them not due: every table and index that is read, and whether by a range.
func claimAsksAnIndex(t *testing.T, d database) {
	s, db := d.store(t), d.connect(t)
	create(t, s, attempt("0", "0"))
	tx, err := db.Begin()
	require.NoError(t, err)
	for i := 1; i < 4000; i++ {
		_, err := tx.Exec(fmt.Sprintf(`INSERT INTO webanklive_checks SELECT '%[1]d', '%[1]d', session, state, code, live_rate, biz_seq_no,
			evidence, is_signed, is_concluded, tries, version, created_at, returned_at, decided_at, %[1]d %% 2, due_at + %[1]d * 100000,
			claimed_by, claimed_until, NULL FROM webanklive_checks WHERE order_no = '0'`, i))
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
	for _, statement := range []string{"ANALYZE webanklive_checks", "ANALYZE TABLE webanklive_checks"} {
		_, _ = db.Exec(statement)
	}
	for query, args := range sqlchecks.Queries(d.Dialect) {
		plan := explain(t, d, query, args)
		t.Log(query, "\n"+plan)
		switch d.Dialect {
		case sqlchecks.PostgreSQL:
			assert.NotContains(t, plan, "Seq Scan")
			assert.NotContains(t, plan, "Sort Key")
			assert.NotRegexp(t, `Filter:.*due_at`, plan, "a range of the index")
		case sqlchecks.MySQL:
			assert.NotContains(t, plan, "webanklive_checks,ALL")
			assert.NotContains(t, plan, "webanklive_checks,index,", "the whole index")
			assert.NotContains(t, plan, "filesort")
		case sqlchecks.SQLite:
			assert.NotContains(t, plan, "SCAN webanklive_checks")
			assert.NotContains(t, plan, "TEMP B-TREE")
		}
		assert.Contains(t, plan, "webanklive_checks")
	}
}

// explain returns the plan of a query, a line for each step, with its fields between commas.
func explain(t *testing.T, d database, query string, args []any) string {
	t.Helper()
	db := d.connect(t)
	prefix := "EXPLAIN "
	if d.Dialect == sqlchecks.SQLite {
		prefix = "EXPLAIN QUERY PLAN "
	}
	rows, err := db.Query(prefix+query, args...)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var plan strings.Builder
	for rows.Next() {
		fields, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range into {
			into[i] = &fields[i]
		}
		require.NoError(t, rows.Scan(into...))
		for i, field := range fields {
			if bytes, ok := field.([]byte); ok {
				field = string(bytes)
			}
			if i > 0 {
				plan.WriteString(",")
			}
			fmt.Fprint(&plan, field)
		}
		plan.WriteString("\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
