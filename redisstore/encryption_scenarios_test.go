//go:build unix

package redisstore_test

// Encryption turned on, rotated and turned off under a fleet that works and refreshes all the time.

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/redisstore"
)

var encryptionScenarios = []scenario{
	{"encryption turned on by a rolling deployment", "nobody fails", true, func(t *testing.T) happened { return deploy(t, "on") }},
	{"encryption keys rotated by a rolling deployment", "nobody fails", true, func(t *testing.T) happened { return deploy(t, "rotate") }},
	{"encryption turned off by a rolling deployment", "nobody fails", true, func(t *testing.T) happened { return deploy(t, "off") }},
	{"encryption turned on in one step", "the replicas without the key fail; no mint over the fleet's value", true, inOneStep},
}

// deploy takes six replicas through the steps, one replica after the other. Each step is followed by a refresh, as the
// guide says. Between any two changes every replica reads, and one refreshes.
func deploy(t *testing.T, name string) happened {
	rdb := startServer(t).client()
	all := steps(t, name)
	replicas := make([]*redisstore.Store, 6)
	for i := range replicas {
		replicas[i] = redisstore.New(rdb, all[0]...)
	}
	h := happened{}
	reads := 0
	newest := ""
	refresh := func(by int) {
		h.mints++
		newest = "value " + strconv.Itoa(h.mints)
		_, err := replicas[by].Update(context.Background(), key, fleettest.Put(newest, time.Hour))
		if err != nil {
			h.failed++
			t.Logf("refresh: %v", err)
		}
	}
	read := func() {
		for _, s := range replicas {
			reads++
			if value, err := s.Load(context.Background(), key); err != nil || string(value) != newest {
				h.failed++
				t.Logf("read: %q, %v", value, err)
			}
		}
	}
	began := time.Now()
	refresh(0)
	for step := 1; step < len(all); step++ {
		for i := range replicas {
			replicas[i] = redisstore.New(rdb, all[step]...)
			read()
			for by := range replicas { // whoever refreshes: one that is deployed, or one that is not
				refresh(by)
				read()
			}
		}
	}
	assert.Zero(t, h.failed)
	h.note = fmt.Sprintf("%d reads", reads)
	h.took = time.Since(began)
	return h
}

func inOneStep(t *testing.T) happened {
	rdb := startServer(t).client()
	fleettest.Store(t, redisstore.New(rdb), key, "before")
	sealing := redisstore.New(rdb, redisstore.WithEncryption(newAEAD(t, 1)))
	_, err := sealing.Update(context.Background(), key, fleettest.Refuse(t, "fn ran over a value that cannot be opened"))
	require.ErrorIs(t, err, redisstore.ErrCannotOpen)
	_, err = sealing.Load(context.Background(), key)
	require.ErrorIs(t, err, redisstore.ErrCannotOpen)
	wantValue(t, redisstore.New(rdb), "before")
	return happened{failed: 2, note: "ErrCannotOpen"}
}
