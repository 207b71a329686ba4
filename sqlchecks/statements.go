package sqlchecks

// The statements, which are the same for all databases, and how values are written and read.

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/webanklive/webanklive/checks"
)

const (
	columns = `order_no, user_id, session, state, code, live_rate, biz_seq_no, evidence, is_signed, is_concluded, tries,
		version, created_at, returned_at, decided_at`
	fields = `{now} AS at_ms, COALESCE(due_at, 0) AS due_at, ` + columns
	from   = ` FROM webanklive_checks WHERE `

	// held is true when the owner has the claim and its lease is not over.
	held = `order_no = ? AND claimed_by = ? AND claimed_until > {now}`

	// due finds the checks that can be claimed, those that have waited longest first. The index has the decided checks and the
	// others in two ranges. Claimed checks stay in the index and are skipped; there are few of them at a time.
	due = `due_at <= {now} AND claimed_until <= {now} ORDER BY webanklive_checks.due_at`

	updated = `UPDATE webanklive_checks SET state = ?, code = ?, live_rate = ?, biz_seq_no = ?, evidence = ?,
		is_signed = ?, is_concluded = ?, tries = ?, version = version + 1, returned_at = ?, decided_at = ?, decided = ?,
		due_at = {now} + ?, under_way = CASE WHEN ? = 1 THEN NULL ELSE under_way END`
)

// statements are those of one dialect.
type statements struct {
	present, get, underWay, forget, insert, attempts, update, updateClaimed, waiting, due, take, renew, held, release, remove string
}

func statementsOf(d Dialect) statements {
	return statements{
		present:  d.statement(`SELECT due_at, decided, claimed_by, claimed_until, under_way, ` + columns + from + `1 = 0`),
		get:      d.statement(`SELECT ` + fields + from + `order_no = ?`),
		underWay: d.statement(`SELECT ` + fields + from + `user_id = ? AND decided = 0 AND created_at > {now} - ? ORDER BY created_at DESC LIMIT 1`),
		forget:   d.statement(`UPDATE webanklive_checks SET under_way = NULL WHERE under_way = ? AND created_at <= {now} - ?`),
		insert: d.statement(`INSERT INTO webanklive_checks (` + columns + `, decided, due_at, claimed_by, claimed_until, under_way)
			VALUES (?, ?, ?, ?, '', '', '', '', 0, 0, 0, 1, {now}, 0, 0, 0, {now} + ?, '', 0, ?)`),
		attempts: d.statement(`SELECT created_at, (SELECT COUNT(*)` + from + `user_id = ? AND created_at > {now} - ?)` + from + `order_no = ?`),
		update:   d.statement(updated + ` WHERE order_no = ? AND version = ?`),
		updateClaimed: d.statement(updated + `, claimed_by = '', claimed_until = 0
			WHERE order_no = ? AND version = ? AND claimed_by = ? AND claimed_until > {now}`),
		waiting: d.statement(`SELECT {now}, (SELECT due_at` + from + `decided = 0 AND ` + due + ` LIMIT 1), (SELECT due_at` + from + `decided = 1 AND ` + due + ` LIMIT 1)`),
		due:     d.statement(`SELECT ` + fields + from + `decided = ? AND ` + due + ` LIMIT ?`),
		take: d.statement(`UPDATE webanklive_checks SET claimed_by = ?, claimed_until = {now} + ?
			WHERE order_no = ? AND version = ? AND due_at <= {now} AND claimed_until <= {now}`),
		renew:   d.statement(`UPDATE webanklive_checks SET claimed_until = {now} + ? WHERE ` + held),
		held:    d.statement(`SELECT 1` + from + held),
		release: d.statement(`UPDATE webanklive_checks SET claimed_by = '', claimed_until = 0, due_at = {now} + ? WHERE ` + held),
		remove:  d.statement(`DELETE` + from + `order_no = ? AND version = ?`),
	}
}

// row is a check as it was read, the database's time then, and when the check is due.
type row struct {
	now, due int64
	check    checks.Check
}

// find returns the check that a query is for, or ErrNotFound.
func (s *Store) find(ctx context.Context, query string, args ...any) (row, error) {
	found, err := s.read(ctx, query, args...)
	if err != nil {
		return row{}, err
	}
	if len(found) == 0 {
		return row{}, checks.ErrNotFound
	}
	return found[0], nil
}

// read returns the rows of a query. It holds no connection when it returns, so that a pool of one is enough.
func (s *Store) read(ctx context.Context, query string, args ...any) (all []row, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r row
		var signed, concluded, created, returned, decided int64
		c := &r.check
		err := rows.Scan(&r.now, &r.due, &c.OrderNo, &c.UserID, &c.Session, &c.State, &c.Code, &c.LiveRate, &c.BizSeqNo, &c.Evidence,
			&signed, &concluded, &c.Tries, &c.Version, &created, &returned, &decided)
		if err != nil {
			return nil, err
		}
		c.Signed, c.Concluded = signed != 0, concluded != 0
		c.CreatedAt, c.ReturnedAt, c.DecidedAt = instant(created), instant(returned), instant(decided)
		all = append(all, r)
	}
	return all, rows.Err()
}

// compareAndSet runs a statement that changes one row, or none when its condition does not hold: ErrConflict.
func (s *Store) compareAndSet(ctx context.Context, query string, args ...any) error {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed == 0 {
		err = checks.ErrConflict
	}
	return err
}

// ms returns d in milliseconds, rounded up, so that a lease is never shorter than asked for.
func ms(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// dueIn returns d in milliseconds, or NULL for never: in SQL, a time plus NULL is NULL.
func dueIn(d time.Duration) sql.NullInt64 { return sql.NullInt64{Int64: ms(d), Valid: d >= 0} }

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// stamp is the reverse of instant: the zero time, which lies before 1970, becomes 0.
func stamp(t time.Time) int64 { return max(t.UnixMilli(), 0) }

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// text replaces the characters of a platform's text that a database refuses: they must not prevent the writing of a verdict.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
