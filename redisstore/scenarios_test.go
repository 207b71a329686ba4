//go:build unix

package redisstore_test

// What is promised when Redis fails, and what happens: each scenario on servers of its own. The test command runs the
// quick ones once. All of them, three times, with the table of docs/reliability.md:
//
//	make infrastructure

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/redisstore"
)

var runs = flag.Int("infrastructure", 0, "run every scenario so many times, the long ones, too, and print their table")

// A scenario fails its test when something else happens than is promised.
type scenario struct {
	name, promised string
	quick          bool
	run            func(t *testing.T) happened
}

// happened is what a scenario came to: how often fn ran and its value was stored for good, how many calls of others
// failed, and how long it took from the fault until the store worked again.
type happened struct {
	mints, failed int
	took          time.Duration
	note          string
}

func (h happened) String() string {
	text := fmt.Sprintf("%s, %d failed", plural(h.mints, "mint"), h.failed)
	if h.note != "" {
		text += ", " + h.note
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	outcomes, begun := map[string][]happened{}, map[string]bool{}
	scenarios := slices.Concat(clusterScenarios, sentinelScenarios, serverScenarios, encryptionScenarios)
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios {
			if *runs == 0 && !s.quick {
				continue
			}
			for range max(*runs, 1) {
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					mu.Lock()
					begun[s.name] = true
					mu.Unlock()
					h := s.run(t)
					mu.Lock()
					defer mu.Unlock()
					outcomes[s.name] = append(outcomes[s.name], h)
				})
			}
		}
	})
	if *runs == 0 {
		return
	}
	fmt.Println("| what fails | promised | what happened | works again after |\n|---|---|---|--:|")
	for _, s := range scenarios {
		var texts []string
		var took []time.Duration
		for _, h := range outcomes[s.name] {
			texts = append(texts, h.String())
			took = append(took, h.took)
		}
		switch {
		case !begun[s.name]: // not chosen
			continue
		case len(texts) == 0:
			fmt.Printf("| %s | %s | FAILED | |\n", s.name, s.promised)
			continue
		}
		slices.Sort(took)
		if slices.Sort(texts); texts[0] == texts[len(texts)-1] {
			texts = texts[:1]
		}
		fmt.Printf("| %s | %s | %d × %s | %.1f–%.1f s |\n", s.name, s.promised, len(took), strings.Join(texts, "; "),
			took[0].Seconds(), took[len(took)-1].Seconds())
	}
}

// A mint is an Update under way while others wait for its lock.
type mint struct {
	t       *testing.T
	mints   atomic.Int32
	entered chan struct{}
	finish  chan struct{}
	done    chan error
	waiters []chan error
}

const minted = "minted"

// startMint begins an Update of s, whose fn ends when it is let to, and as many that wait.
func startMint(t *testing.T, s *redisstore.Store, waiting ...*redisstore.Store) *mint {
	t.Helper()
	m := &mint{t: t, entered: make(chan struct{}), finish: make(chan struct{}), done: make(chan error, 1)}
	var once sync.Once
	fn := func(ctx context.Context, _ []byte) ([]byte, time.Duration, error) {
		m.mints.Add(1)
		once.Do(func() { close(m.entered) })
		select {
		case <-m.finish:
			return []byte(minted), time.Hour, nil
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
	go func() {
		_, err := s.Update(context.Background(), key, fn)
		m.done <- err
	}()
	select {
	case <-m.entered:
	case err := <-m.done:
		require.NoError(t, err)
		require.Fail(t, "fn did not run")
	}
	for _, s := range waiting {
		done := make(chan error, 1)
		m.waiters = append(m.waiters, done)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			value, err := s.Update(ctx, key, fn)
			if err == nil && string(value) != minted {
				err = fmt.Errorf("got %q", value)
			}
			done <- err
		}()
	}
	if len(waiting) > 0 {
		time.Sleep(500 * time.Millisecond) // so that they wait for the lock and not for their start
	}
	return m
}

// through lets a mint go on for so long after a fault, and says what came of it.
func (m *mint) through(fault func(), work time.Duration) happened {
	m.t.Helper()
	began := time.Now()
	fault()
	time.Sleep(work)
	close(m.finish)
	h := happened{}
	if err := receive(m.t, m.done, "the mint does not end"); err != nil {
		h.note = "the holder's: " + kind(err)
	}
	h.took = time.Since(began)
	for _, w := range m.waiters {
		if err := receive(m.t, w, "a waiter does not end"); err != nil {
			h.failed++
			m.t.Logf("a waiter: %v", err)
		}
	}
	h.mints = int(m.mints.Load())
	return h
}

func kind(err error) string {
	if errors.Is(err, redisstore.ErrLockLost) {
		return "ErrLockLost"
	}
	return err.Error()
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(3 * time.Minute):
		require.Fail(t, what)
		panic("not reached")
	}
}

// recovers calls Load and Update until both work, and returns how long that took. The value must be the one stored.
func recovers(t *testing.T, s *redisstore.Store, want string) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		value, err := s.Load(context.Background(), key)
		if err == nil {
			require.Equal(t, want, string(value))
			_, err = s.Update(context.Background(), key, fleettest.Put(want, time.Hour))
		}
		if err == nil {
			return time.Since(began)
		}
		require.NotErrorIs(t, err, webanklive.ErrNoCredential, "an outage looked like a reason to mint")
		require.Less(t, time.Since(began), 2*time.Minute, "%v", err)
		time.Sleep(50 * time.Millisecond)
	}
}

// storesOn returns stores with a client each.
func storesOn(n int, connect func() redis.UniversalClient, opts ...redisstore.Option) []*redisstore.Store {
	stores := make([]*redisstore.Store, n)
	for i := range stores {
		stores[i] = redisstore.New(connect(), opts...)
	}
	return stores
}

// mintsOnce has one store mint, for so long after a fault, while five others wait: all get its value.
func mintsOnce(t *testing.T, connect func() redis.UniversalClient, lease time.Duration, fault func(), work time.Duration) happened {
	t.Helper()
	stores := storesOn(6, connect, redisstore.WithLease(lease))
	h := startMint(t, stores[0], stores[1:]...).through(fault, work)
	assert.Equal(t, oneMint, promise(h))
	wantValue(t, redisstore.New(connect()), minted)
	return h
}

// extended is mintsOnce without a fault, for longer than the lease would last if it were not extended.
func extended(t *testing.T, connect func() redis.UniversalClient) happened {
	t.Helper()
	return mintsOnce(t, connect, fleetLease, func() {}, fleetLease*5/4)
}

// promise is the text of the promise that h keeps.
func promise(h happened) string {
	if h.note == "" && h.failed == 0 {
		return plural(h.mints, "mint") + ", nobody fails"
	}
	return h.String()
}

// A replicated is a Redis that fails over by itself.
type replicated interface {
	connect() redis.UniversalClient
	primary() *server // of the tests' key
}

// idle has the primary fail while nobody works.
func idle(t *testing.T, r replicated, fault func(*server)) happened {
	t.Helper()
	s := redisstore.New(r.connect(), redisstore.WithLease(failoverLease))
	primary := r.primary()
	seed(t, s, primary)
	fault(primary)
	return happened{took: recovers(t, s, "before")}
}

// inAMint has the primary fail during a mint, whose lock a replica has.
func inAMint(t *testing.T, r replicated, lease time.Duration, fault func(*server), work time.Duration) happened {
	t.Helper()
	primary := r.primary()
	seed(t, redisstore.New(r.connect()), primary)
	return mintsOnce(t, r.connect, lease, func() {
		waitReplicated(t, primary)
		fault(primary)
	}, work)
}

// seed stores a value and waits until a replica of the primary has it.
func seed(t *testing.T, s *redisstore.Store, primary *server) {
	t.Helper()
	fleettest.Store(t, s, key, "before")
	waitReplicated(t, primary)
}

func waitReplicated(t *testing.T, primary *server) {
	t.Helper()
	rdb := primary.client()
	require.Eventually(t, func() bool {
		n, err := rdb.Do(context.Background(), "WAIT", 1, 1000).Int()
		return err == nil && n >= 1
	}, soon, 10*time.Millisecond)
}

// wantValue asserts what a client finds. A new one may meet the node that hangs first, and then has to try again.
func wantValue(t *testing.T, s *redisstore.Store, want string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := s.Load(context.Background(), key)
		assert.NotErrorIs(t, err, webanklive.ErrNoCredential)
		return err == nil
	}, soon, 10*time.Millisecond)
	fleettest.WantValue(t, s, key, want)
}
