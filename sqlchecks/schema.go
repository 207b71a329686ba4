package sqlchecks

// What differs between the databases, the table, and how it is created.

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dialect is the kind of a database.
type Dialect int

// The databases that a [Store] can be in.
const (
	PostgreSQL Dialect = iota + 1
	MySQL              // also MariaDB
	SQLite
)

// String returns the name of d.
func (d Dialect) String() string {
	if d.known() {
		return [...]string{"PostgreSQL", "MySQL", "SQLite"}[d-1]
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

func (d Dialect) known() bool { return d >= PostgreSQL && d <= SQLite }

// clock is the database's time in milliseconds since 1970, as an expression. Its value is the same during a whole statement:
// otherwise it could not be looked up in an index. It depends on no time zone.
func (d Dialect) clock() string {
	switch d {
	case PostgreSQL:
		return `CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint)`
	case MySQL:
		return `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`
	default:
		return `CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)`
	}
}

// statement makes a statement of this package the database's own: {now} becomes its clock, ? its placeholders.
func (d Dialect) statement(query string) string {
	query = strings.ReplaceAll(query, "{now}", d.clock())
	if d != PostgreSQL {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// Columns of type {key} compare bytes and stand in indexes; MySQL's text types would compare "a" and "a " as equal even
// with a binary collation. Columns of type {text} are for people.
const table = `CREATE TABLE IF NOT EXISTS webanklive_checks (
	order_no      {key} NOT NULL PRIMARY KEY,
	user_id       {key} NOT NULL,
	session       {key} NOT NULL, -- SHA-256 in hex
	state         {key} NOT NULL, -- launched, returned; final: passed, not_passed, other_way, abandoned
	code          {text} NOT NULL, -- the platform's
	live_rate     {text} NOT NULL,
	biz_seq_no    {text} NOT NULL,
	evidence      {key} NOT NULL, -- empty, pending, kept, missing
	is_signed     SMALLINT NOT NULL, -- 1: the callback was signed
	is_concluded  SMALLINT NOT NULL, -- 1: the program has heard the verdict
	tries         BIGINT NOT NULL,
	version       BIGINT NOT NULL, -- grows with every write of the check
	created_at    BIGINT NOT NULL, -- times: milliseconds since 1970, UTC, by the database's clock; 0: not yet
	returned_at   BIGINT NOT NULL,
	decided_at    BIGINT NOT NULL,
	decided       SMALLINT NOT NULL, -- 1: the state is final
	due_at        BIGINT, -- when there is work to do; NULL: never
	claimed_by    {key} NOT NULL, -- the worker that works on the check, until claimed_until
	claimed_until BIGINT NOT NULL,
	under_way     {key}, -- the user until the check is final, then NULL: one under way for each user
	CONSTRAINT webanklive_checks_under_way UNIQUE (under_way){indexes}
)`

// schema returns the statements that create what is not there.
func (d Dialect) schema() []string {
	const due, user = `(decided, due_at)`, `(user_id, created_at)`
	types := map[Dialect][2]string{
		PostgreSQL: {`text COLLATE "C"`, `text COLLATE "C"`},
		MySQL:      {`VARBINARY(255)`, `BLOB`},
		SQLite:     {`TEXT COLLATE BINARY`, `TEXT`},
	}[d]
	create := strings.NewReplacer("{key}", types[0], "{text}", types[1]).Replace(table)
	if d == MySQL { // it has no CREATE INDEX IF NOT EXISTS
		indexes := ",\n\tINDEX webanklive_checks_due " + due + ",\n\tINDEX webanklive_checks_user " + user
		return []string{strings.Replace(create, "{indexes}", indexes, 1) + " ENGINE=InnoDB"}
	}
	return []string{
		strings.Replace(create, "{indexes}", "", 1),
		`CREATE INDEX IF NOT EXISTS webanklive_checks_due ON webanklive_checks ` + due,
		`CREATE INDEX IF NOT EXISTS webanklive_checks_user ON webanklive_checks ` + user,
	}
}

// Schema returns the statements that [Migrate] runs, each with its semicolon, for a database whose changes are reviewed.
func Schema(d Dialect) string {
	d.mustBeKnown()
	return strings.Join(d.schema(), ";\n") + ";\n"
}

// Migrate creates the table and its indexes. When they exist it changes nothing and needs no right but SELECT; a table that
// lacks a column is an error. Any number of processes may call it at once, on an empty database, too: they wait for each
// other by an advisory lock of PostgreSQL or MySQL, or by the write lock of the SQLite file. An SQLite file is switched to
// write-ahead logging and stays so. Like [New], Migrate panics for mistakes in the program.
func Migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	s := New(db, d)
	return s.repeat(ctx, "migrate", func() error {
		conn, err := db.Conn(ctx) // locks belong to a connection
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if d == SQLite {
			if _, err := conn.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
				return err
			}
		}
		if _, err := conn.ExecContext(ctx, s.present); err == nil {
			return nil
		}
		if err := d.create(ctx, conn); err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, s.present)
		return err
	})
}

// create runs the schema's statements on conn, under a lock.
func (d Dialect) create(ctx context.Context, conn *sql.Conn) (err error) {
	statements, done, undone := []string{`BEGIN IMMEDIATE`}, `COMMIT`, `ROLLBACK`
	switch d {
	case PostgreSQL:
		statements = []string{`BEGIN`, `SELECT pg_advisory_xact_lock(hashtext('webanklive_checks'))`}
	case MySQL: // each CREATE TABLE is a transaction of its own; the name of a lock is valid for the whole server
		const name = `CONCAT('webanklive_checks.', MD5(DATABASE()))`
		done = `DO RELEASE_LOCK(` + name + `)`
		statements, undone = []string{`DO GET_LOCK(` + name + `, 60)`}, done
	}
	defer func() {
		if err != nil { // ctx may have ended
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, _ = conn.ExecContext(late, undone)
		}
	}()
	for _, statement := range slices.Concat(statements, d.schema(), []string{done}) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (d Dialect) mustBeKnown() {
	if !d.known() {
		panic("sqlchecks: " + d.String() + " is no dialect of this package")
	}
}
