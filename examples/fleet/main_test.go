//go:build go1.25

package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/webanklive/webanklive/internal/fleetsim"
)

func simulate(t *testing.T, cfg fleetsim.Config) (o *fleetsim.Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { o = fleetsim.Simulate(t.Context(), cfg) })
	t.Logf("%d replicas, faults %v: %d calls, %d mints, longest %v", cfg.Replicas, cfg.Faults, o.Calls, len(o.Mints), o.Longest)
	return o
}

func TestSimulate_HundredReplicasShareOneCredentialForADay(t *testing.T) {
	t.Parallel()
	o := simulate(t, fleetsim.Config{Replicas: 100, Hours: 24, Every: 30 * time.Minute})
	assert.Greater(t, o.Calls, 4000)
	assert.Zero(t, o.Refused+o.Callbacks+o.Unknown+o.Outage+o.Killed)
	assert.GreaterOrEqual(t, len(o.Mints), 65)
	assert.LessOrEqual(t, len(o.Mints), 80)
	assert.Zero(t, o.TooSoon())
	assert.Less(t, o.Longest, time.Second, "nobody waits for a refresh")
}

func TestSimulate_HundredReplicasSurviveABadDay(t *testing.T) {
	t.Parallel()
	o := simulate(t, fleetsim.Config{Replicas: 100, Hours: 24, Every: 30 * time.Minute, Faults: true})
	assert.Greater(t, o.Calls, 4000)
	assert.Zero(t, o.Refused, "API calls")
	assert.Zero(t, o.Callbacks, "callbacks signed with a ticket that the replica could know")
	assert.LessOrEqual(t, o.Killed, 10, "the killed process takes its calls along")
	assert.LessOrEqual(t, len(o.Mints), 65+24+24, "the foreign process costs a mint each hour")
	assert.Zero(t, o.TooSoon())
}

func TestSimulate_ReplicasThatRefreshForThemselvesBreakEachOther(t *testing.T) {
	t.Parallel()
	o := simulate(t, fleetsim.Config{Replicas: 20, Hours: 2, Every: 2 * time.Minute, Alone: true})
	assert.Greater(t, len(o.Mints), 200)
	assert.NotZero(t, o.Callbacks)
}

func TestPrintTable_NamesWhatItCounts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printTable(&out, []row{{"name", fleetsim.Config{}, &fleetsim.Outcome{Calls: 7, Mints: make([]time.Time, 3)}}})
	assert.Regexp(t, `name +7 +0 +0 +0 +0 +0 +3 +2 +0s`, out.String())
}
