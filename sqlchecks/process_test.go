//go:build unix

package sqlchecks_test

// Several processes in one database: this test binary, started again.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/sqlchecks"
)

// process is what a further process does: it migrates, starts checks of users that others start checks of, too, and
// works on whatever is due until everything is final. It prints the orders that it made and the verdicts that it wrote.
func process(driver, source string) int {
	dialect := map[string]sqlchecks.Dialect{"pgx": sqlchecks.PostgreSQL, "mysql": sqlchecks.MySQL, "sqlite": sqlchecks.SQLite}[driver]
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, err := sql.Open(driver, source)
	if err == nil {
		err = sqlchecks.Migrate(ctx, db, dialect)
	}
	if err == nil {
		err = work(ctx, sqlchecks.New(db, dialect), fmt.Sprint(os.Getpid()))
	}
	if err != nil {
		fmt.Println("FAILED", err)
		return 1
	}
	return 0
}

const users = 25

func work(ctx context.Context, s checks.Store, name string) error {
	for user := range users {
		n := attempt(fmt.Sprint(name, "-", user), fmt.Sprint("user", user))
		n.Attempts = 1
		switch _, err := s.Create(ctx, n); {
		case err == nil:
			fmt.Println("made", n.UserID)
		case !errors.Is(err, checks.ErrUnderWay) && !errors.Is(err, checks.ErrTooMany):
			return err
		}
	}
	for round := 0; ; round++ {
		owner := fmt.Sprint(name, "/", round)
		claimed, _, err := s.Claim(ctx, owner, time.Minute, 5, true)
		if err != nil || len(claimed) == 0 {
			return err
		}
		for _, c := range claimed {
			if err := s.Renew(ctx, c.OrderNo, owner, time.Minute); err != nil {
				return err
			}
			c.State = checks.Passed
			if _, err := s.Update(ctx, c, owner, never); err != nil {
				return err
			}
			fmt.Println("verdict", c.UserID)
		}
	}
}

func storeIsSharedByProcesses(t *testing.T, d database) {
	outputs := make([]strings.Builder, 3)
	var running []*exec.Cmd
	for i := range outputs {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SQLCHECKS_TEST_DRIVER="+d.driver, "SQLCHECKS_TEST_SOURCE="+d.source)
		cmd.Stdout, cmd.Stderr = &outputs[i], os.Stderr
		require.NoError(t, cmd.Start())
		running = append(running, cmd)
	}
	var said strings.Builder
	for i, cmd := range running {
		assert.NoError(t, cmd.Wait())
		said.WriteString(outputs[i].String())
	}
	lines := map[string]int{}
	for line := range strings.Lines(said.String()) {
		lines[strings.TrimSpace(line)]++
	}
	for user := range users {
		assert.Equal(t, 1, lines[fmt.Sprint("made user", user)], "one of three is under way: %s", said.String())
		assert.Equal(t, 1, lines[fmt.Sprint("verdict user", user)], "written once")
	}
	assert.Len(t, lines, 2*users, said.String())
}
