// Package sqlchecks keeps the checks of package checks in PostgreSQL, MySQL or MariaDB, or SQLite, through database/sql:
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // the driver is the caller's choice; this package imports none
//	err = sqlchecks.Migrate(ctx, db, sqlchecks.PostgreSQL)
//	store := sqlchecks.New(db, sqlchecks.PostgreSQL)
//	s, err := checks.New(client, store, checks.Config{…})
//
// All checks are rows of one table, webanklive_checks. [Migrate] creates the table; [Schema] returns the statements, for
// databases whose changes are reviewed. The package needs PostgreSQL 12, MySQL 5.7, MariaDB 10.4 or SQLite 3.24, or newer.
// It needs a connection to the primary: a replica that lags would answer that a check is not there. The user needs SELECT,
// INSERT, UPDATE and DELETE on the table.
//
// # How it works
//
// A check is read by its primary key. It is written by one UPDATE whose WHERE has the version that was read, so of two
// writers one gets [checks.ErrConflict]. Claims work in the same way: a plain SELECT reads the candidates from an index,
// then one UPDATE for each candidate claims it, unless another process has. When nothing is due, Claim is one statement.
// Only Create is a transaction of several statements. No row is locked between two calls, and the three databases run the
// same statements.
//
// A unique column keeps a user from having two checks under way: it holds the user while a check is not final, and NULL
// afterwards. The statement that writes a verdict clears it.
//
// # Time
//
// Every time in the table is in milliseconds since 1970 by the database's clock, UTC, whatever the time zones of the
// server, the session and the process are. All processes that share an SQLite file share its machine's clock.
//
// # Failures
//
// A statement that the database aborts because of another transaction (a deadlock, a serialization failure, a locked
// SQLite file) is repeated, ten times at most within about two seconds. Every other error is returned at once, and package
// checks takes it for temporary. After a restart of the database, database/sql replaces the connections that broke. A
// statement that was in flight then fails, and it is unknown whether the database ran it.
//
// Errors quote no order number, user, session or value: of a database's error about a value they give only its number.
package sqlchecks
