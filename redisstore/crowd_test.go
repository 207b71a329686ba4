//go:build unix

package redisstore_test

// Many clients on one Redis: what they cost it, and how soon they are served.

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

// A crowd is many clients that start at once on an empty store.
func crowd(t *testing.T, addr string, n int, work time.Duration) (served time.Duration, failed, mints int) {
	t.Helper()
	stores := make([]*redisstore.Store, n)
	for i := range stores {
		stores[i] = redisstore.New(newClient(t, addr, func(o *redis.Options) { o.PoolSize = 2 }))
	}
	var ready sync.WaitGroup
	for _, s := range stores { // each has a connection
		ready.Add(1)
		go func() {
			defer ready.Done()
			_, _ = s.Load(context.Background(), key)
		}()
	}
	ready.Wait()
	var ran, failures atomic.Int32
	var end atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, s := range stores {
		all.Add(1)
		go func() {
			defer all.Done()
			<-start
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := s.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
				if current != nil {
					return nil, 0, nil
				}
				ran.Add(1)
				time.Sleep(work)
				end.Store(time.Now().UnixNano())
				return []byte(minted), time.Hour, nil
			})
			if err != nil {
				failures.Add(1)
			}
		}()
	}
	close(start)
	all.Wait()
	return time.Since(time.Unix(0, end.Load())), int(failures.Load()), int(ran.Load())
}

func TestUpdate_ServesAThousandThatStartTogether(t *testing.T) {
	t.Parallel()
	n := 200
	if *runs > 0 {
		n = 1000
	}
	srv := startServer(t, "--maxclients", "5000")
	p := startProxy(t, srv.Addr())
	p.set(func() { p.delay = 25 * time.Millisecond })
	rdb := srv.client()
	before := commandStats(t, rdb)
	began := time.Now()
	served, failed, mints := crowd(t, p.addr(), n, 500*time.Millisecond)
	took := time.Since(began)
	after := commandStats(t, rdb)
	evals := after["eval"] + after["evalsha"] - before["eval"] - before["evalsha"]
	assert.Zero(t, failed)
	assert.Equal(t, 1, mints)
	assert.Less(t, evals, 8*n, "a few commands each")
	t.Logf("%d clients, 50 ms away, a mint of 500 ms: all served %v after the mint, %.1f scripts each, %v in all",
		n, served.Round(10*time.Millisecond), float64(evals)/float64(n), took.Round(10*time.Millisecond))
}

// commandStats returns how often each command was called, those of scripts included.
func commandStats(t *testing.T, rdb *redis.Client) map[string]int {
	t.Helper()
	stats := map[string]int{}
	info, err := rdb.Info(context.Background(), "commandstats").Result()
	require.NoError(t, err)
	for line := range strings.Lines(info) {
		name, rest, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if found {
			calls, _, _ := strings.Cut(rest, ",")
			stats[name], err = strconv.Atoi(calls)
			require.NoError(t, err)
		}
	}
	return stats
}

// TestClient_AThousandShareARedis measures what clients of the SDK that share a Redis, 50 ms away, ask of it. It runs only with
// -infrastructure.
func TestClient_AThousandShareARedis(t *testing.T) { //nolint:paralleltest // it counts what a quiet server is asked
	if *runs == 0 {
		return
	}
	const n = 1000
	srv := livetest.NewServer(t)
	redisServer := startServer(t, "--maxclients", "5000")
	p := startProxy(t, redisServer.Addr())
	p.set(func() { p.delay = 25 * time.Millisecond })
	clients := make([]*webanklive.Client, n)
	for i := range clients {
		clients[i] = newSDKClient(t, srv, redisstore.New(p.client(func(o *redis.Options) { o.PoolSize = 4 })))
	}
	stats := redisServer.client()
	call := func(ctx context.Context, c *webanklive.Client) error {
		_, err := c.Credential(ctx)
		return err
	}
	phase := func(name string, rounds int, every time.Duration) {
		before, mints := commandStats(t, stats), len(srv.Mints())
		began := time.Now()
		var failed atomic.Int32
		var mu sync.Mutex
		var took []time.Duration
		for range rounds {
			var all sync.WaitGroup
			round := time.Now()
			for _, c := range clients {
				all.Add(1)
				go func() {
					defer all.Done()
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					if err := call(ctx, c); err != nil {
						failed.Add(1)
					}
					mu.Lock()
					took = append(took, time.Since(round))
					mu.Unlock()
				}()
			}
			all.Wait()
			if every > 0 {
				time.Sleep(every)
			}
		}
		all := time.Since(began)
		after := commandStats(t, stats)
		slices.Sort(took)
		gets := after["get"] - before["get"]
		scripts := after["eval"] + after["evalsha"] - before["eval"] - before["evalsha"]
		t.Logf("%s: %.0f s, %d scripts, %d GETs (those of scripts included), %.0f a second; calls took %v at most, half of them %v; %d failed, %d mints",
			name, all.Seconds(), scripts, gets, float64(scripts+gets)/all.Seconds(), took[len(took)-1].Round(10*time.Millisecond),
			took[len(took)/2].Round(10*time.Millisecond), failed.Load(), len(srv.Mints())-mints)
	}
	phase("cold start", 1, 0)
	phase("idle, each called once a second", 60, time.Second)
	srv.Advance(23 * time.Minute)
	var orders atomic.Int32
	call = func(_ context.Context, c *webanklive.Client) error { // the reply tells what time it is
		return launch(t, c, "order"+strconv.Itoa(int(orders.Add(1))))
	}
	phase("rotation that all notice at once", 10, time.Second)
}
