// Package sqlchecks keeps the checks of package checks in PostgreSQL, MySQL or MariaDB, or SQLite, through database/sql:
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // the driver is the caller's choice; this package imports none
//	err = sqlchecks.Migrate(ctx, db, sqlchecks.PostgreSQL)
//	store := sqlchecks.New(db, sqlchecks.PostgreSQL)
//	s, err := checks.New(client, store, checks.Config{…})
//
// All checks are rows of one table, webanklive_checks. [Migrate] creates it; [Schema] prints it for databases whose
// changes are reviewed. It needs PostgreSQL 12, MySQL 5.7, MariaDB 10.4 or SQLite 3.24, or newer, and a connection to
// the primary: a replica that lags would answer that a check is not there. The user needs SELECT, INSERT, UPDATE and
// DELETE on the table.
//
// # How it works
//
// A check is read by its primary key and written by one UPDATE that names the version it was read in, so that of two
// writers one gets [checks.ErrConflict]. Claims are taken in the same way: a plain SELECT reads the candidates from an
// index, then one UPDATE for each takes it if nobody else did; when nothing is due, Claim is one statement. Only Create
// is a transaction of several. No row is locked between two calls, and the three databases run the same statements.
//
// One check under way for a user is a unique column that holds the user while the check is not final, and NULL
// afterwards. The statement that writes a verdict clears it.
//
// # Time
//
// Every time in the table is in milliseconds since 1970 by the database's clock, UTC, whatever the time zones of the
// server, the session and the process are. All processes that share an SQLite file share its machine's clock.
//
// # Failures
//
// A statement that the database gave up because of another transaction (a deadlock, a serialization failure, a locked
// SQLite file) is repeated, ten times at most within about two seconds. Everything else is returned at once, and is
// temporary for package checks. After the database's restart, database/sql replaces the connections that broke; a
// statement that was under way meanwhile fails, and nobody can know whether it was done.
//
// Errors quote no order number, user, session or value: of an error about a value they carry the number alone.
package sqlchecks
