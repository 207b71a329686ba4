package sqlchecks

// What is tried again, and what an error may say.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

const (
	tries   = 10                     // of a step that another transaction prevented
	longest = 400 * time.Millisecond // between two of them
	longKey = 255                    // bytes of an order number, user, session or owner
)

var outcomes = []error{checks.ErrExists, checks.ErrNotFound, checks.ErrConflict, checks.ErrUnderWay, checks.ErrTooMany}

// repeat runs step, which changes nothing when it fails, until no other transaction prevents it. Errors of package
// checks are returned as they are.
func (s *Store) repeat(ctx context.Context, operation string, step func() error) error {
	for try, pause := 1, 5*time.Millisecond; ; try, pause = try+1, min(2*pause, longest) {
		err := step()
		if err == nil || slices.ContainsFunc(outcomes, func(outcome error) bool { return errors.Is(err, outcome) }) {
			return err
		}
		if try == tries || !prevented(err) {
			return failed(operation, err)
		}
		select {
		case <-ctx.Done():
			return failed(operation, ctx.Err())
		case <-time.After(rand.N(pause) + pause/2): //nolint:gosec // it only spreads
		}
	}
}

// sqlState returns the SQLSTATE that a driver for PostgreSQL tells of a server's error, or "".
func sqlState(err error) string {
	var server interface{ SQLState() string }
	if errors.As(err, &server) {
		return server.SQLState()
	}
	return ""
}

// The texts of errors by which the other drivers can be understood without importing them.
var (
	mysqlError  = regexp.MustCompile(`Error (\d+)`)
	sqliteError = regexp.MustCompile(`database is locked|table is locked|UNIQUE constraint failed`)
)

// prevented reports whether another transaction is why a statement failed, which then had no effect: a deadlock, a
// serialization failure, a snapshot that is too old, a locked file, or a value of a unique column that came first.
func prevented(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", "23505":
		return true
	case "":
	default:
		return false
	}
	if found := mysqlError.FindStringSubmatch(err.Error()); found != nil {
		return found[1] == "1213" || found[1] == "1020" || found[1] == "1062"
	}
	return sqliteError.MatchString(err.Error())
}

// aboutValue finds errors of MySQL that quote what they are about: of data, of constraints, and those without a class.
var aboutValue = regexp.MustCompile(`Error \d+ \((22|23|HY)|Error \d+:`)

// failed returns the error of an operation. It says what the driver said, unless that is about a value: such texts, and
// what else is in such an error, quote it.
func failed(operation string, err error) error {
	if state := sqlState(err); strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23") {
		return fmt.Errorf("sqlchecks: %s: the database refuses a value: SQLSTATE %s", operation, state)
	}
	if aboutValue.MatchString(err.Error()) {
		return fmt.Errorf("sqlchecks: %s: the database refuses: %s", operation, mysqlError.FindString(err.Error()))
	}
	return fmt.Errorf("sqlchecks: %s: %w", operation, err)
}

// storable refuses names that not every database could keep and compare byte by byte.
func storable(operation string, names ...string) error {
	for _, name := range names {
		if len(name) > longKey || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			return fmt.Errorf("sqlchecks: %s: %w: an order number, user, session or owner is longer than %d bytes or no UTF-8 text",
				operation, webanklive.ErrInvalidRequest, longKey)
		}
	}
	return nil
}
