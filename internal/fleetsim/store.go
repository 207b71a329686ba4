//go:build go1.25

package fleetsim

// A store for the simulated fleet, which stands for Redis: it has a lease, can be down, and can lose its value.

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
)

const lease = 15 * time.Second

var (
	errStoreDown = errors.New("connection refused")
	errKilled    = errors.New("the process was killed")
)

// sharedStore keeps one value, which is all that one app ID needs.
type sharedStore struct {
	mu     sync.Mutex
	down   bool
	value  []byte
	until  time.Time // when value expires
	holder *process  // who holds the lock
}

// process is a replica's handle on the store. When the process is killed, its lock is free once the lease is over.
type process struct {
	store *sharedStore
	ctx   context.Context // ends when the process is killed
	died  time.Time
}

func (p *process) Load(context.Context, string) ([]byte, error) {
	time.Sleep(time.Millisecond)
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return nil, errStoreDown
	case s.value == nil || !time.Now().Before(s.until):
		return nil, webanklive.ErrNoCredential
	}
	return s.value, nil
}

func (p *process) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	if err := p.lock(ctx); err != nil {
		return nil, err
	}
	defer p.unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()

	current, err := p.Load(ctx, key)
	if err != nil && !errors.Is(err, webanklive.ErrNoCredential) {
		return nil, err
	}
	next, ttl, err := fn(ctx, current)
	switch {
	case p.ctx.Err() != nil:
		return nil, errKilled
	case err != nil:
		return nil, err
	case next == nil:
		return current, nil
	}
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errStoreDown
	}
	s.value, s.until = next, time.Now().Add(ttl)
	return next, nil
}

func (p *process) lock(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s := p.store
		s.mu.Lock()
		switch {
		case s.down:
			s.mu.Unlock()
			return errStoreDown
		case s.holder == nil || !s.holder.died.IsZero() && time.Since(s.holder.died) >= lease:
			s.holder = p
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

// unlock does nothing for a process that was killed: its lease has to run out.
func (p *process) unlock() {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.died.IsZero() && s.holder == p {
		s.holder = nil
	}
}

func (p *process) die() {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.died = time.Now()
}

// set takes the store down or up again.
func (s *sharedStore) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *sharedStore) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// flush removes the value, and returns its SIGN ticket for the simulation's accounts.
func (s *sharedStore) flush() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stored struct {
		SignTicket string `json:"sign_ticket"`
	}
	if err := json.Unmarshal(s.value, &stored); err != nil {
		panic(err) // there is one from the first call on
	}
	s.value = nil
	return stored.SignTicket
}
