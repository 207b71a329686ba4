//go:build go1.25

package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func run(t *testing.T, cfg config) (o *outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { o = simulate(t.Context(), cfg) })
	t.Logf("%+v: %d calls, %d mints, longest %v", cfg, o.calls, len(o.mints), o.longest)
	return o
}

func TestHundredReplicasShareOneCredentialForADay(t *testing.T) {
	t.Parallel()
	o := run(t, config{replicas: 100, hours: 24, every: 30 * time.Minute})
	assert.Greater(t, o.calls, 4000)
	assert.Zero(t, o.refused+o.callbacks+o.unknown+o.outage+o.failed)
	assert.GreaterOrEqual(t, len(o.mints), 65)
	assert.LessOrEqual(t, len(o.mints), 80)
	assert.Zero(t, o.tooSoon())
	assert.Less(t, o.longest, time.Second, "nobody waits for a refresh")
}

func TestHundredReplicasSurviveABadDay(t *testing.T) {
	t.Parallel()
	o := run(t, config{replicas: 100, hours: 24, every: 30 * time.Minute, faults: true})
	assert.Greater(t, o.calls, 4000)
	assert.Zero(t, o.refused, "API calls")
	assert.Zero(t, o.callbacks, "callbacks signed with a ticket that the replica could know")
	assert.LessOrEqual(t, o.failed, 10, "the killed process takes its calls along")
	assert.LessOrEqual(t, len(o.mints), 65+24+24, "the foreign process costs a mint each hour")
	assert.Zero(t, o.tooSoon())
}

func TestReplicasThatRefreshForThemselvesBreakEachOther(t *testing.T) {
	t.Parallel()
	o := run(t, config{replicas: 20, hours: 2, every: 2 * time.Minute, alone: true})
	assert.Greater(t, len(o.mints), 200)
	assert.NotZero(t, o.callbacks)
}

func TestTableNamesWhatItCounts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printTable(&out, []row{{"name", config{}, &outcome{calls: 7, mints: make([]time.Time, 3)}}})
	assert.Regexp(t, `name +7 +0 +0 +0 +0 +0 +3 +2 +0s`, out.String())
}
