package checks

// A store in this process's memory, for tests, demos and programs that run once.

import (
	"context"
	"slices"
	"sync"
	"time"
)

// NewMemoryStore returns a [Store] in this process's memory. It keeps every check until Run removes it, and each Claim looks
// through all of them.
func NewMemoryStore() Store { return &memoryStore{rows: map[string]*row{}} }

type memoryStore struct {
	mu   sync.Mutex
	rows map[string]*row // by order number
}

type row struct {
	Check
	due   time.Time // zero: never
	owner string
	until time.Time // the end of owner's lease
}

func (m *memoryStore) Create(_ context.Context, n NewCheck) (Check, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows[n.OrderNo] != nil {
		return Check{}, ErrExists
	}
	now, attempts := clock(), 0
	for _, r := range m.rows {
		if r.UserID != n.UserID {
			continue
		}
		if !r.State.Final() && now.Sub(r.CreatedAt) < n.UnderWay {
			return r.Check, ErrUnderWay
		}
		if now.Sub(r.CreatedAt) < 24*time.Hour {
			attempts++
		}
	}
	if attempts >= n.Attempts {
		return Check{}, ErrTooMany
	}
	r := &row{
		Check: Check{OrderNo: n.OrderNo, UserID: n.UserID, Session: n.Session, State: Launched, CreatedAt: now, Version: 1},
		due:   now.Add(n.Due),
	}
	m.rows[n.OrderNo] = r
	return r.Check, nil
}

func (m *memoryStore) Get(_ context.Context, orderNo string) (Check, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rows[orderNo]; r != nil {
		return r.Check, nil
	}
	return Check{}, ErrNotFound
}

func (m *memoryStore) Update(_ context.Context, c Check, owner string, due time.Duration) (Check, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, now := m.rows[c.OrderNo], clock()
	switch {
	case r == nil:
		return Check{}, ErrNotFound
	case r.Version != c.Version, owner != "" && !r.claimedBy(owner, now):
		return Check{}, ErrConflict
	case r.State.Final() && (r.State != c.State || r.Code != c.Code || r.LiveRate != c.LiveRate || r.BizSeqNo != c.BizSeqNo):
		return Check{}, ErrConflict
	}
	if c.State == Returned && r.ReturnedAt.IsZero() {
		r.ReturnedAt = now
	}
	if c.State.Final() && r.DecidedAt.IsZero() {
		r.DecidedAt = now
	}
	r.State, r.Code, r.LiveRate, r.BizSeqNo = c.State, c.Code, c.LiveRate, c.BizSeqNo
	r.Evidence, r.Signed, r.Concluded, r.Tries = c.Evidence, c.Signed, c.Concluded, c.Tries
	r.Version++
	r.dueIn(due, now)
	if owner != "" {
		r.owner = ""
	}
	return r.Check, nil
}

func (m *memoryStore) Claim(_ context.Context, owner string, lease time.Duration, limit int, undecided bool) ([]Check, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := clock()
	var due []*row
	for _, r := range m.rows {
		free := r.owner == "" || !now.Before(r.until)
		if free && !r.due.IsZero() && !r.due.After(now) && !(undecided && r.State.Final()) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *row) int { return a.due.Compare(b.due) })
	var claimed []Check
	for _, r := range due[:min(limit, len(due))] {
		r.owner, r.until = owner, now.Add(lease)
		claimed = append(claimed, r.Check)
	}
	return claimed, now, nil
}

func (m *memoryStore) Renew(_ context.Context, orderNo, owner string, lease time.Duration) error {
	return m.claimed(orderNo, owner, func(r *row, now time.Time) { r.until = now.Add(lease) })
}

func (m *memoryStore) Release(_ context.Context, orderNo, owner string, due time.Duration) error {
	return m.claimed(orderNo, owner, func(r *row, now time.Time) {
		r.owner = ""
		r.dueIn(due, now)
	})
}

// claimed runs fn on a check that owner has claimed.
func (m *memoryStore) claimed(orderNo, owner string, fn func(r *row, now time.Time)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, now := m.rows[orderNo], clock()
	if r == nil || !r.claimedBy(owner, now) {
		return ErrConflict
	}
	fn(r, now)
	return nil
}

func (m *memoryStore) Delete(_ context.Context, orderNo string, version int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[orderNo]
	if r != nil && r.Version != version {
		return ErrConflict
	}
	delete(m.rows, orderNo)
	return nil
}

func (r *row) claimedBy(owner string, now time.Time) bool {
	return r.owner == owner && now.Before(r.until)
}

func (r *row) dueIn(due time.Duration, now time.Time) {
	r.due = time.Time{}
	if due >= 0 {
		r.due = now.Add(due)
	}
}

// clock returns the store's time, in milliseconds as every store has it.
func clock() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
