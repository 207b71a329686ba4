package sqlchecks

// Which statements are tried again, and what an error may say.

import (
	"cmp"
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

// How errors are told apart without a driver: by the SQLSTATE of PostgreSQL, which stands first in the text that classified
// returns, or by the error text of the other databases.
var (
	// Errors because of another transaction: a deadlock, a serialization failure, a locked file, or a value of a unique column
	// that the other transaction wrote first.
	byAnother = regexp.MustCompile(`^(40001|40P01|23505) |Error (1213|1020|1062)\b|(database|table) is locked|UNIQUE constraint failed`)

	// Errors about a value quote the value: those of the classes 22 (data) and 23 (constraints), and MySQL's without a class.
	aboutValue  = regexp.MustCompile(`^2[23]|Error \d+ \((22|23|HY)|Error \d+:`)
	mysqlNumber = regexp.MustCompile(`Error \d+`)
)

// classified returns the SQLSTATE of an error of PostgreSQL, and the text in which the expressions above look.
func classified(err error) (state, text string) {
	var server interface{ SQLState() string }
	if errors.As(err, &server) {
		state = server.SQLState()
	}
	return state, state + " " + err.Error()
}

// prevented reports whether a statement failed because of another transaction, and so had no effect.
func prevented(err error) bool {
	_, text := classified(err)
	return byAnother.MatchString(text)
}

// failed returns the error of an operation. It wraps the driver's error unless that quotes a value; then it has only the
// number of that error.
func failed(operation string, err error) error {
	if state, text := classified(err); aboutValue.MatchString(text) {
		return fmt.Errorf("sqlchecks: %s: the database refuses a value: %s", operation, cmp.Or(state, mysqlNumber.FindString(text)))
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
