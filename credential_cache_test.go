//go:build go1.25

package webanklive

// The state tables of credential_cache.go as data: testdata/credential.json.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// step is one thing that happens, and what must be true afterwards. What a step does not name is not checked.
type step struct {
	Do    string
	By    string // a duration
	Value string // bytes

	Token, Previous, Stored, Took, Error *string
	Mints, Loads, Refused                *int
}

func TestCredentialCache_FollowsItsStateTable(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/credential.json")
	require.NoError(t, err)
	var cases []struct {
		Name  string
		Steps []step
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	for _, tc := range cases {
		t.Run(tc.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMachine()
				for i, s := range tc.Steps {
					m.run(t, fmt.Sprintf("step %d: %s", i+1, s.Do), s)
				}
				time.Sleep(fillTimeout) // what still runs ends by itself, or synctest reports a deadlock
			})
		})
	}
}

// A machine is one process's cache on a scripted store and platform.
type machine struct {
	cache *credentialCache
	store *scriptedStore
	jump  time.Duration

	remembered string // what the store held

	mu      sync.Mutex
	minting string // how the next mint goes
	live    string // the token that the platform accepts
	minted  int    // by anybody, so that the third is T3
	mints   int    // tried by this process
	refused int
}

func newMachine() *machine {
	m := &machine{store: &scriptedStore{CredentialStore: NewMemoryStore()}}
	clock := &clock{local: func() time.Time { return time.Now().Add(m.jump) }, log: slog.New(slog.DiscardHandler)}
	m.cache = newTestCache(m.store, clock, m.mint)
	return m
}

func (m *machine) mint(ctx context.Context, _ string) (record, error) {
	m.mu.Lock()
	how := m.minting
	m.mints++
	m.minted++
	n := m.minted
	m.mu.Unlock()
	switch how {
	case "fails":
		return record{}, &Error{Op: opToken, class: ErrUnavailable}
	case "fails halfway":
		return record{}, &Error{Op: opSign, class: ErrUnavailable}
	case "is refused":
		return record{}, &Error{Op: opToken, Code: "400103"}
	case "hangs":
		<-ctx.Done()
		return record{}, &Error{Op: opToken, Err: ctx.Err()}
	case "takes 5s":
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return record{}, &Error{Op: opToken, Err: ctx.Err()}
		}
	}
	return m.newRecord(n), nil
}

func (m *machine) newRecord(n int) record {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live != "nothing" {
		m.live = fmt.Sprint("T", n)
	}
	now := m.cache.clock.now().Round(0)
	return record{
		Credential: Credential{
			AccessToken: fmt.Sprint("T", n), SignTicket: fmt.Sprint("S", n),
			RefreshAt: now.Add(20 * time.Minute), ExpiresAt: now.Add(59 * time.Minute),
		},
		mintedAt: now,
	}
}

// call plays one API call, which the platform refuses unless it is made with the live token.
func (m *machine) call(ctx context.Context) (used *record, err error) {
	err = m.cache.withCredential(ctx, func(h *record) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if used = h; h.AccessToken == m.live {
			return nil
		}
		m.refused++
		return &Error{Code: "15"}
	})
	return used, err
}

func (m *machine) run(t *testing.T, name string, s step) {
	by, _ := time.ParseDuration(s.By)
	var got *record
	var err error
	begin := time.Now()
	ctx := t.Context()
	switch s.Do {
	case "get":
		got, err = m.cache.get(ctx)
	case "get for 1s":
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		got, err = m.cache.get(ctx)
	case "call":
		got, err = m.call(ctx)
	case "reread":
		got, err = m.cache.reread(ctx)
	case "advance":
		time.Sleep(by)
	case "local clock jumps":
		m.jump += by
	case "hear":
		local := m.cache.clock.local()
		m.cache.clock.hear(t.Context(), time.Now().Add(by).UTC().Format(http.TimeFormat), local, local)
	case "invalidate":
		if got, err = m.cache.get(ctx); err == nil {
			m.cache.invalidate(t.Context(), got)
		}
	case "refresh":
		err = m.cache.refresh(ctx)
	case "other machine mints":
		m.otherMachineMints(t)
	case "foreign process mints":
		m.mu.Lock()
		m.live = "foreign"
		m.mu.Unlock()
	case "everything is refused":
		m.mu.Lock()
		m.live = "nothing"
		m.mu.Unlock()
	case "minting fails", "minting fails halfway", "minting is refused", "minting hangs", "minting works", "minting takes 5s":
		m.mu.Lock()
		m.minting = s.Do[len("minting "):]
		m.mu.Unlock()
	case "store up", "store down", "store hangs", "store takes nothing", "store answers after 8s":
		m.store.set(s.Do[len("store "):])
	case "store loses everything":
		m.store.CredentialStore = NewMemoryStore()
	case "remember what is stored":
		m.remembered = m.store.raw()
	case "store holds what was remembered":
		m.store.put(t, []byte(m.remembered))
	case "store holds":
		m.store.put(t, []byte(s.Value))
	default:
		require.Fail(t, "unknown step", name)
	}
	took := time.Since(begin)
	synctest.Wait() // for what runs behind the calls

	if s.Error != nil {
		require.ErrorContains(t, err, *s.Error, name)
	} else {
		require.NoError(t, err, name)
	}
	if s.Token != nil {
		assert.Equal(t, *s.Token, got.AccessToken, name)
	}
	if s.Previous != nil {
		assert.Equal(t, *s.Previous, got.previous(m.cache.clock.now()), name)
	}
	if s.Stored != nil {
		assert.Equal(t, *s.Stored, m.store.token(), name)
	}
	if s.Took != nil {
		assert.Equal(t, *s.Took, took.String(), name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for what, pair := range map[string][2]*int{
		"mints": {s.Mints, &m.mints}, "refused": {s.Refused, &m.refused}, "loads": {s.Loads, &m.store.loads},
	} {
		if pair[0] != nil {
			assert.Equal(t, *pair[0], *pair[1], "%s: %s", name, what)
		}
	}
}

func (m *machine) otherMachineMints(t *testing.T) {
	m.mu.Lock()
	m.minted++
	n := m.minted
	m.mu.Unlock()
	minted := m.newRecord(n)
	before, _ := decodeRecord([]byte(m.store.raw()))
	value, err := minted.after(m.cache.clock.now(), before).encode()
	require.NoError(t, err)
	m.store.put(t, value)
}

// scriptedStore is a memory store that fails on demand.
type scriptedStore struct {
	CredentialStore
	mu    sync.Mutex
	state string
	loads int
}

func (s *scriptedStore) set(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

func (s *scriptedStore) broken(ctx context.Context, load bool) (string, error) {
	s.mu.Lock()
	if load {
		s.loads++
	}
	state := s.state
	s.mu.Unlock()
	switch state {
	case "down":
		return state, errors.New("connection refused")
	case "hangs":
		<-ctx.Done()
		return state, ctx.Err()
	}
	return state, nil
}

func (s *scriptedStore) Load(ctx context.Context, key string) ([]byte, error) {
	state, err := s.broken(ctx, true)
	if err != nil {
		return nil, err
	}
	value, err := s.CredentialStore.Load(ctx, key)
	if state == "answers after 8s" {
		time.Sleep(8 * time.Second)
	}
	return value, err
}

func (s *scriptedStore) Update(ctx context.Context, key string, fn UpdateFunc) ([]byte, error) {
	state, err := s.broken(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.CredentialStore.Update(ctx, key, func(ctx context.Context, current []byte) ([]byte, time.Duration, error) {
		next, ttl, err := fn(ctx, current)
		if err == nil && next != nil && state == "takes nothing" {
			err = errors.New("the lock was lost")
		}
		return next, ttl, err
	})
}

func (s *scriptedStore) put(t *testing.T, value []byte) {
	_, err := s.CredentialStore.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Duration, error) {
		return value, 0, nil
	})
	require.NoError(t, err)
}

func (s *scriptedStore) raw() string {
	value, _ := s.CredentialStore.Load(context.Background(), "key")
	return string(value)
}

// token returns the token in the store, or the bytes there if they are no record.
func (s *scriptedStore) token() string {
	raw := s.raw()
	if rec, err := decodeRecord([]byte(raw)); err == nil {
		return rec.AccessToken
	}
	return raw
}

func TestCredentialCache_KeepsTheNewestAndARefusalThatCameDuringAFill(t *testing.T) {
	t.Parallel()
	c, now := newWarmCache(), time.Now()
	older, newer := minted("1", now.Add(-time.Minute), time.Hour), minted("2", now, time.Hour)
	c.keep(newer, now, &fill{})
	c.keep(older, now, &fill{})
	require.Same(t, newer, c.held)

	c.refused = true // while a fill is under way that began before
	c.keep(minted("2", now, time.Hour), now, &fill{held: newer})
	assert.True(t, c.refused, "what it read is the one that was refused")
	c.keep(minted("2", now, time.Hour), now, &fill{held: newer, refused: true})
	assert.False(t, c.refused, "a source may insist")
	c.refused = true
	c.keep(minted("3", now.Add(time.Second), time.Hour), now, &fill{held: newer})
	assert.False(t, c.refused, "another one is not refused")
}

// newWarmCache returns a cache that mints from nothing, for an hour.
func newWarmCache() *credentialCache {
	clock := &clock{local: time.Now, log: slog.New(slog.DiscardHandler)}
	return newTestCache(NewMemoryStore(), clock, func(context.Context, string) (record, error) {
		now := clock.now()
		return record{
			Credential: Credential{AccessToken: "T", SignTicket: "S", RefreshAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
			mintedAt:   now,
		}, nil
	})
}

// newTestCache returns a cache on store that mint fills.
func newTestCache(store CredentialStore, clock *clock, mint func(context.Context, string) (record, error)) *credentialCache {
	c := &credentialCache{clock: clock, limit: &mintLimit{clock: clock}, log: clock.log, redact: newRedactor("secret")}
	c.origin = &storeOrigin{
		store: store, key: "key", mint: mint, clock: clock, limit: c.limit, log: clock.log,
		observe: func(ctx context.Context, _ Activity, _ ...string) (context.Context, func(Outcome)) {
			return ctx, func(Outcome) {}
		},
	}
	return c
}

//nolint:paralleltest // allocations are counted in the whole process
func TestCredentialCache_AWarmReadAllocatesNothing(t *testing.T) {
	c := newWarmCache()
	ctx := context.Background()
	_, err := c.get(ctx)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.get(ctx) }))
}

func TestCredentialCache_FillLooksAgainBeforeItBegins(t *testing.T) {
	t.Parallel()
	m := newMachine()
	_, err := m.cache.get(t.Context())
	require.NoError(t, err)
	<-m.cache.start(t.Context()) // as of a caller who looked before that
	assert.Equal(t, 1, m.store.loads)
}
