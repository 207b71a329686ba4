package sqlchecks

// What is tried again, and what an error may say.

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

// Errors told apart without a driver: by PostgreSQL's SQLSTATE, which stands first, or by the text of the other two.
var (
	// another transaction: a deadlock, a serialization failure, a locked file, a value of a unique column that came first.
	byAnother = regexp.MustCompile(`^(40001|40P01|23505) |Error (1213|1020|1062)\b|(database|table) is locked|UNIQUE constraint failed`)

	// Errors about a value quote it: those of data, of constraints, and of MySQL's without a class.
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

// prevented reports whether another transaction is why a statement failed, which then had no effect.
func prevented(err error) bool {
	_, text := classified(err)
	return byAnother.MatchString(text)
}

// failed returns the error of an operation. It says what the driver said, unless that quotes a value; then nothing of the
// driver's error is in it.
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
