//go:build unix

package sqlchecks_test

// The rules of a store, on each database.

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/checkstest"
	"github.com/webanklive/webanklive/sqlchecks"
)

const (
	never = -1
	lease = 30 * time.Second
)

// attempt is a check of a user that is due at once and may be repeated.
func attempt(orderNo, userID string) checks.NewCheck {
	return checks.NewCheck{OrderNo: orderNo, UserID: userID, Session: "session", UnderWay: time.Hour, Attempts: 10}
}

func create(t *testing.T, s checks.Store, n checks.NewCheck) checks.Check {
	t.Helper()
	c, err := s.Create(t.Context(), n)
	require.NoError(t, err)
	return c
}

func update(t *testing.T, s checks.Store, c checks.Check, change func(*checks.Check)) checks.Check {
	t.Helper()
	change(&c)
	c, err := s.Update(t.Context(), c, "", 0)
	require.NoError(t, err)
	return c
}

func get(t *testing.T, s checks.Store, orderNo string) checks.Check {
	t.Helper()
	c, err := s.Get(t.Context(), orderNo)
	require.NoError(t, err)
	return c
}

func claim(t *testing.T, s checks.Store, owner string, lease time.Duration, limit int, undecided bool) (orders []string) {
	t.Helper()
	claimed, now, err := s.Claim(t.Context(), owner, lease, limit, undecided)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), now, time.Minute, "the store's time")
	for _, c := range claimed {
		orders = append(orders, c.OrderNo)
	}
	return orders
}

// passes waits until the database's clock has moved on by d.
func passes(t *testing.T, s checks.Store, d time.Duration) {
	t.Helper()
	_, began, err := s.Claim(t.Context(), "nobody", time.Millisecond, 0, false)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, now, err := s.Claim(t.Context(), "nobody", time.Millisecond, 0, false)
		return err == nil && now.Sub(began) > d
	}, 30*time.Second, 5*time.Millisecond)
}

// TestStore_KeepsTheRules runs what every database must do.
func TestStore_KeepsTheRules(t *testing.T) {
	t.Parallel()
	onEach(t, map[string]test{
		"checkstest": func(t *testing.T, d database) {
			checkstest.Run(t, func(t *testing.T) checks.Store { return d.another(t).store(t) })
		},
		"Create_RefusesInItsOrder":                    createRefusesInItsOrder,
		"Create_IgnoresOneUnderWayThatIsOld":          createIgnoresOneUnderWayThatIsOld,
		"Create_CountsTheLast24Hours":                 createCountsTheLast24Hours,
		"Create_LetsOneOfManyThrough":                 createLetsOneOfManyThrough,
		"Store_ComparesBytes":                         storeComparesBytes,
		"Store_RefusesNamesThatNotEveryDatabaseKeeps": storeRefusesNamesThatNotEveryDatabaseKeeps,
		"Update_StoresWhateverThePlatformSays":        updateStoresWhateverThePlatformSays,
		"Claim_TakesFinalAndUndecidedInOneOrder":      claimTakesFinalAndUndecidedInOneOrder,
		"Claim_TakesWhatItRead":                       claimTakesWhatItRead,
		"Renew_MayBeRepeatedWithinAMillisecond":       renewMayBeRepeatedWithinAMillisecond,
		"Claim_GivesEachCheckToOneWorker":             claimGivesEachCheckToOneWorker,
		"Store_NeedsOneConnection":                    storeNeedsOneConnection,
		"Store_IsSharedByProcesses":                   storeIsSharedByProcesses,
		"Migrate_MayRunAnywhereAtOnce":                migrateMayRunAnywhereAtOnce,
		"Migrate_SaysWhatTheTableLacks":               migrateSaysWhatTheTableLacks,
		"Schema_IsWhatMigrateRuns":                    schemaIsWhatMigrateRuns,
		"Errors_QuoteNoValue":                         errorsQuoteNoValue,
		"Errors_AreTheContexts":                       errorsAreTheContexts,
		"Claim_AsksAnIndex":                           claimAsksAnIndex,
	})
}

// What checkstest does not say of refusals: which comes first, and that an attempt which is too old to refuse still counts.
func createRefusesInItsOrder(t *testing.T, d database) {
	s, ctx := d.store(t), t.Context()
	create(t, s, attempt("A", "u"))
	_, err := s.Create(ctx, attempt("A", "u"))
	assert.Equal(t, checks.ErrExists, err, "also when the user has one under way")
	_, err = s.Create(ctx, checks.NewCheck{OrderNo: "B", UserID: "u", Attempts: 1})
	assert.Equal(t, checks.ErrTooMany, err)
	create(t, s, checks.NewCheck{OrderNo: "B", UserID: "u", Attempts: 2})
}

func createIgnoresOneUnderWayThatIsOld(t *testing.T, d database) {
	s := d.store(t)
	first := create(t, s, attempt("A", "u"))
	passes(t, s, 20*time.Millisecond)
	next := attempt("B", "u")
	next.UnderWay = 20 * time.Millisecond
	create(t, s, next)
	other, err := s.Create(t.Context(), attempt("C", "u"))
	assert.Equal(t, checks.ErrUnderWay, err)
	assert.Equal(t, "B", other.OrderNo)
	update(t, s, first, func(c *checks.Check) { c.State = checks.Abandoned })
	_, err = s.Create(t.Context(), attempt("C", "u"))
	assert.Equal(t, checks.ErrUnderWay, err, "the end of the old one ends no other")
}

func createCountsTheLast24Hours(t *testing.T, d database) {
	s := d.store(t)
	c := create(t, s, attempt("A", "u"))
	update(t, s, c, func(c *checks.Check) { c.State = checks.NotPassed })
	db := d.connect(t)
	again := attempt("B", "u")
	again.Attempts = 1
	_, err := db.Exec("UPDATE webanklive_checks SET created_at = created_at - 86390000")
	require.NoError(t, err)
	_, err = s.Create(t.Context(), again)
	assert.Equal(t, checks.ErrTooMany, err)
	_, err = db.Exec("UPDATE webanklive_checks SET created_at = created_at - 20000")
	require.NoError(t, err)
	create(t, s, again)
}

func createLetsOneOfManyThrough(t *testing.T, d database) {
	stores := []*sqlchecks.Store{d.store(t), d.store(t), d.store(t)}
	for _, underWay := range []time.Duration{time.Hour, 0} { // 0: the attempts limit them
		var all sync.WaitGroup
		results := make([]error, 12)
		for i := range results {
			all.Go(func() {
				n := attempt(fmt.Sprintf("%v-%d", underWay, i), fmt.Sprint(underWay))
				n.UnderWay, n.Attempts = underWay, 1
				_, results[i] = stores[i%len(stores)].Create(t.Context(), n)
			})
		}
		all.Wait()
		made := 0
		for _, err := range results {
			if err == nil {
				made++
				continue
			}
			want := checks.ErrUnderWay
			if underWay == 0 {
				want = checks.ErrTooMany
			}
			assert.Equal(t, want, err)
		}
		assert.Equal(t, 1, made)
	}
}

func storeComparesBytes(t *testing.T, d database) {
	s, ctx := d.store(t), t.Context()
	names := []string{"a", "A", "a ", " a", "ä", "a\u0308", "ａ", "ß", "ss", "用户", "%", "_", `\`, "'", "👩", "a\t", "", strings.Repeat("x", 255)}
	for _, name := range names {
		create(t, s, attempt(name, name))
	}
	assert.Len(t, claim(t, s, "owner", lease, 100, false), len(names))
	for _, name := range names {
		assert.Equal(t, name, get(t, s, name).UserID)
		c, err := s.Create(ctx, attempt("another", name))
		assert.Equal(t, checks.ErrUnderWay, err)
		assert.Equal(t, name, c.UserID)
	}
	for _, owner := range []string{"OWNER", "owner ", "öwner", ""} {
		assert.Equal(t, checks.ErrConflict, s.Renew(ctx, "a", owner, lease), owner)
	}
	require.NoError(t, s.Renew(ctx, "a", "owner", lease))
}

func storeRefusesNamesThatNotEveryDatabaseKeeps(t *testing.T, d database) {
	s, ctx := d.store(t), t.Context()
	for _, bad := range []string{strings.Repeat("x", 256), "a\x00", "\xff"} {
		for _, n := range []checks.NewCheck{{OrderNo: bad}, {UserID: bad}, {Session: bad}} {
			_, err := s.Create(ctx, n)
			assert.ErrorIs(t, err, webanklive.ErrInvalidRequest)
			assert.NotContains(t, err.Error(), bad)
		}
		_, _, err := s.Claim(ctx, bad, lease, 1, false)
		assert.ErrorIs(t, err, webanklive.ErrInvalidRequest)

		// They are in no row, so the database need not be asked.
		_, err = s.Get(ctx, bad)
		assert.Equal(t, checks.ErrNotFound, err)
		_, err = s.Update(ctx, checks.Check{OrderNo: bad}, "", 0)
		assert.Equal(t, checks.ErrNotFound, err)
		_, err = s.Update(ctx, checks.Check{OrderNo: "A"}, bad, 0)
		assert.Equal(t, checks.ErrConflict, err)
		assert.Equal(t, checks.ErrConflict, s.Renew(ctx, bad, "owner", lease))
		assert.Equal(t, checks.ErrConflict, s.Release(ctx, "A", bad, 0))
		assert.NoError(t, s.Delete(ctx, bad, 1))
	}
}

func updateStoresWhateverThePlatformSays(t *testing.T, d database) {
	s := d.store(t)
	c := create(t, s, attempt("A", "u"))
	c = update(t, s, c, func(c *checks.Check) {
		c.State, c.Code, c.LiveRate, c.BizSeqNo = checks.Passed, "0", "9\x005", "\xff 用户 👩 "+strings.Repeat("x", 2000)
	})
	assert.Equal(t, "9\uFFFD5", c.LiveRate)
	assert.Equal(t, "\uFFFD 用户 👩 "+strings.Repeat("x", 2000), c.BizSeqNo)
	assert.Equal(t, c, get(t, s, "A"))
}

// What checkstest does not say of the order: that final and undecided checks wait in one line.
func claimTakesFinalAndUndecidedInOneOrder(t *testing.T, d database) {
	s := d.store(t)
	assert.Empty(t, claim(t, s, "0", lease, 10, false), "an empty table")
	for _, name := range []string{"3", "1", "2"} {
		create(t, s, attempt(name, name))
		passes(t, s, 2*time.Millisecond)
	}
	final := update(t, s, get(t, s, "3"), func(c *checks.Check) { c.State = checks.Passed }) // due again, now
	_, err := s.Update(t.Context(), get(t, s, "2"), "", never)
	require.NoError(t, err)

	assert.Empty(t, claim(t, s, "a", lease, 0, false))
	assert.Equal(t, []string{"1"}, claim(t, s, "b", lease, 10, true), "undecided")
	require.NoError(t, s.Release(t.Context(), "1", "b", 0))
	assert.Equal(t, []string{"3"}, claim(t, s, "c", lease, 1, false), "the one that waits longest, final or not")
	assert.Equal(t, []string{"1"}, claim(t, s, "d", lease, 10, false))
	assert.Equal(t, final, get(t, s, "3"), "a claim changes nothing that is shown")
}

func claimTakesWhatItRead(t *testing.T, d database) {
	s := d.store(t)
	read := create(t, s, attempt("A", "u"))
	now := update(t, s, read, func(c *checks.Check) { c.State = checks.Returned })
	assert.Equal(t, checks.ErrConflict, s.ClaimAsRead(t.Context(), read, "a"), "it would work on what is no longer so")
	assert.NoError(t, s.ClaimAsRead(t.Context(), now, "a"))
	assert.Equal(t, checks.ErrConflict, s.ClaimAsRead(t.Context(), now, "b"), "another was faster")
}

func renewMayBeRepeatedWithinAMillisecond(t *testing.T, d database) {
	s, ctx := d.store(t), t.Context()
	create(t, s, attempt("A", "u"))
	require.Equal(t, []string{"A"}, claim(t, s, "a", lease, 1, false))
	for range 30 {
		require.NoError(t, s.Renew(ctx, "A", "a", lease))
	}
	assert.Equal(t, checks.ErrConflict, s.Renew(ctx, "B", "a", lease))
}

func claimGivesEachCheckToOneWorker(t *testing.T, d database) {
	const many = 60
	s := d.store(t)
	for i := range many {
		create(t, s, attempt(fmt.Sprint(i), fmt.Sprint(i)))
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	owners := map[string]string{}
	for w := range 4 {
		s := d.store(t)
		all.Go(func() {
			for round := 0; ; round++ {
				owner := fmt.Sprint(w, "-", round)
				claimed, _, err := s.Claim(t.Context(), owner, time.Minute, 7, false)
				if !assert.NoError(t, err) || len(claimed) == 0 {
					return
				}
				mu.Lock()
				for _, c := range claimed {
					assert.Empty(t, owners[c.OrderNo], "claimed twice")
					owners[c.OrderNo] = owner
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	assert.Len(t, owners, many)
}

func storeNeedsOneConnection(t *testing.T, d database) {
	d.store(t)
	db := d.connect(t)
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := sqlchecks.New(db, d.Dialect)
	c, err := s.Create(ctx, attempt("A", "u"))
	require.NoError(t, err)
	_, err = s.Create(ctx, attempt("B", "u"))
	require.Equal(t, checks.ErrUnderWay, err)
	_, _, err = s.Claim(ctx, "a", lease, 1, false)
	require.NoError(t, err)
	require.NoError(t, s.Renew(ctx, "A", "a", lease))
	_, err = s.Update(ctx, c, "a", 0)
	require.NoError(t, err)
	require.Equal(t, checks.ErrConflict, s.Delete(ctx, "A", 1))
	require.NoError(t, sqlchecks.Migrate(ctx, db, d.Dialect))
}

func TestNew_PanicsForMistakes(t *testing.T) {
	t.Parallel()
	assert.Panics(t, func() { sqlchecks.New(nil, sqlchecks.SQLite) })
	assert.Panics(t, func() { sqlchecks.New(&sql.DB{}, 0) })
	assert.Panics(t, func() { sqlchecks.New(&sql.DB{}, 4) })
	assert.Panics(t, func() { sqlchecks.Schema(4) })
	assert.Equal(t, "PostgreSQL MySQL SQLite Dialect(4)",
		fmt.Sprint(sqlchecks.PostgreSQL, " ", sqlchecks.MySQL, " ", sqlchecks.SQLite, " ", sqlchecks.Dialect(4)))
}
