//go:build unix

package main

// The promise of this example, on real infrastructure: three replicas as processes behind a proxy without sticky sessions,
// real PostgreSQL and Redis, a fake platform, and scripted browsers, on a bad day. Whoever passed is recorded as passed,
// nobody else is, each verdict is written once, and each evidence file is there once.

import (
	"context"
	"database/sql"
	"flag"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

var long = flag.Bool("long", false, "200 checks, Redis away for two minutes, the platform's 502 for a minute")

// audit writes down every change of a check's state.
const audit = `CREATE TABLE audit (order_no text, before text, after text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit VALUES (OLD.order_no, OLD.state, NEW.state); RETURN NEW; END $$;
CREATE TRIGGER audit AFTER UPDATE ON webanklive_checks FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
EXECUTE FUNCTION audit()`

// TestFleet_LosesNobodyOnABadDay is the whole of it.
func TestFleet_LosesNobodyOnABadDay(t *testing.T) { //nolint:paralleltest // it keeps both cores busy
	if testing.Short() && !*long {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	people, second := 24, 50*time.Millisecond // of the scenario
	if *long {
		people, second = 200, time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	f, postgres, redis := newFleet(t)
	for range 3 { // three at once on an empty database
		f.proxy.addrs = append(f.proxy.addrs, deadAddr(t))
	}
	// A second handle on the database, which writes down every change of a state.
	db, err := sql.Open("pgx", "postgres://postgres@"+postgres.Addr()+"/postgres?sslmode=disable")
	require.NoError(t, err)
	defer db.Close()
	var replicas []*replica
	for _, addr := range f.proxy.addrs {
		replicas = append(replicas, f.start(addr))
	}
	require.Eventually(t, func() bool { return f.get("/readyz") == http.StatusOK }, time.Minute, 50*time.Millisecond)
	_, err = db.ExecContext(ctx, audit)
	require.NoError(t, err)

	// The people come one after the other, over the length of the bad day.
	kinds := []struct {
		who  func() livetest.Person
		want string
	}{
		{livetest.Passing, "passed"},
		{func() livetest.Person { return livetest.Failing("-5016") }, "not_passed"},
		{livetest.Passing, "passed"},
		{livetest.WithoutRecorder, "other_way"},
		{livetest.Passing, "passed"},
		{livetest.Quitting, ""},
	}
	began := time.Now()
	day := 270 * second
	type outcome struct{ order, state, want string }
	outcomes := make([]outcome, people)
	var visits sync.WaitGroup
	for i := range people {
		visits.Add(1)
		go func() {
			defer visits.Done()
			time.Sleep(day * time.Duration(i) / time.Duration(people))
			kind := kinds[i%len(kinds)]
			order, state, err := f.browser().check(ctx, kind.who())
			assert.NoError(t, err, "person %d, order %s", i, order)
			outcomes[i] = outcome{order, state, kind.want}
		}()
	}

	// The bad day.
	at := func(seconds int, what string, do func()) {
		time.Sleep(time.Until(began.Add(time.Duration(seconds) * second)))
		t.Logf("%6.1f s: %s", time.Since(began).Seconds(), what)
		do()
	}
	at(20, "rolling SIGTERM", func() {
		for i, r := range replicas {
			replicas[i] = r.replace(syscall.SIGTERM)
		}
	})
	at(45, "Redis away", redis.Kill)
	at(100, "kill -9 of a replica", func() { replicas[0] = replicas[0].replace(syscall.SIGKILL) })
	at(165, "Redis back", func() { redis.Start() })
	at(180, "PostgreSQL restarted", func() {
		postgres.Kill()
		postgres.Start()
	})
	var before, during int64
	at(195, "502 from the platform", func() {
		before = f.queries.Load()
		f.bad.Store(true)
	})
	at(225, "kill -9 of another", func() { replicas[1] = replicas[1].replace(syscall.SIGKILL) })
	at(255, "the platform is back", func() {
		f.bad.Store(false)
		during = f.queries.Load() - before
	})
	visits.Wait()

	want, decided := map[string]int{}, 0
	for i, o := range outcomes {
		assert.Equal(t, o.want, o.state, "person %d, order %s", i, o.order)
		if o.want != "" {
			decided++
		}
		if o.want == "passed" {
			want[o.order] = 1
		}
	}
	require.Eventually(t, func() bool { return len(f.evidence()) >= 2*len(want) }, 2*time.Minute, 100*time.Millisecond, "evidence of everybody who passed")
	took := time.Since(began)
	var passed, returned, verdicts, changed int
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE state = 'passed'), count(*) FILTER (WHERE state = 'returned') FROM webanklive_checks").Scan(&passed, &returned))
	assert.Equal(t, len(want), passed, "in the database")
	assert.Zero(t, returned, "checks without a verdict")
	require.NoError(t, db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE after <> 'returned'), count(*) FILTER (WHERE before NOT IN ('launched', 'returned')) FROM audit").Scan(&verdicts, &changed))
	assert.Equal(t, decided, verdicts, "each verdict was written once")
	assert.Zero(t, changed, "verdicts that were changed")

	for i, r := range replicas { // the logs are complete when the processes have ended
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		assert.NoError(t, <-r.done, "replica %d", i)
	}
	for name, count := range f.evidence() {
		order, _, _ := strings.Cut(name, "-")
		assert.Equal(t, 1, want[order], "evidence of %s", name)
		assert.Equal(t, 1, count, name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	assert.Empty(t, f.leaked)
	for _, o := range outcomes {
		states := f.concluded[o.order]
		if o.want == "" {
			assert.NotContains(t, states, "passed")
			continue
		}
		assert.Contains(t, states, o.want)
		for _, state := range states { // at least once, and never another
			assert.Equal(t, o.want, state, o.order)
		}
	}
	allowed := func(d time.Duration) int64 { return int64(3 * ratePerReplica * (d.Seconds() + 1 + 2)) } // a burst each, twice for a restart
	t.Logf("%d people in %v: %d passed, %d decided, %d evidence files, %d queries, %d of them while the platform answered 502; %d taps lost",
		people, took.Round(time.Second), passed, decided, len(f.evidence()), f.queries.Load(), during, f.again.Load())
	assert.Less(t, f.queries.Load(), allowed(took))
	assert.Less(t, during, allowed(60*second))
}
