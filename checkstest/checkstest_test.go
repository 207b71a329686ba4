package checkstest

// Tests of the tests: the memory store passes, and each deliberate mistake is noticed.

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/webanklive/webanklive/checks"
)

// TestMain runs more tests at once than there are processors, because most of them wait for the end of a lease.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	m.Run()
}

func TestRun_PassesTheMemoryStore(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) checks.Store { return checks.NewMemoryStore() })
}

func TestRun_PassesAStoreWithoutMistakes(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) checks.Store { return newFlawed("") })
}

// mistakes are ways to break a store.
var mistakes = []string{
	"an order number is used twice",
	"under way is not looked at",
	"under way is not unique", // two Creates at once look, and then both insert
	"under way never gets old",
	"what is under way is returned as it was launched",
	"a refused check is kept",
	"a final check stays under way",
	"attempts are not counted",
	"attempts of everybody are counted",
	"users fold case",
	"orders fold case",
	"the version is not checked",
	"a verdict can be changed",
	"a code can be changed",
	"DecidedAt is stamped again",
	"ReturnedAt is not stamped",
	"the session is overwritten",
	"due is not looked at",
	"never due is due now",
	"limit is not looked at",
	"the newest is claimed first",
	"undecided is not looked at",
	"a claim excludes nobody",
	"claims race", // look, then take
	"leases never end",
	"a lease that is over still counts for its owner",
	"leases are judged by the caller's clock", // which is an hour ahead in every other process
	"Renew does nothing",
	"Renew adds to the old end",
	"the owner is not checked",
	"Update leaves the claim",
	"Update without an owner ends the claim",
	"Release changes the version",
	"Release makes it due at once",
	"Delete ignores the version",
}

// TestRules_NoticeEveryMistake breaks all stores at once: the rules mostly wait.
func TestRules_NoticeEveryMistake(t *testing.T) {
	t.Parallel()
	noticed := make([]atomic.Int32, len(mistakes))
	var running sync.WaitGroup
	for i, mistake := range mistakes {
		for _, r := range rules {
			running.Add(1)
			go func() {
				defer running.Done()
				rec := &recorder{}
				defer func() {
					if rec.failed {
						noticed[i].Add(1)
					}
				}()
				r.check(&bench{tb: rec, ctx: t.Context(), store: newFlawed(mistake), patience: 2 * time.Second})
			}()
		}
	}
	running.Wait()
	for i, mistake := range mistakes {
		assert.NotZero(t, noticed[i].Load(), "no rule noticed: %s", mistake)
	}
}

// recorder is a tb that remembers a failure.
type recorder struct{ failed bool }

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) FailNow() {
	r.failed = true
	runtime.Goexit()
}

// flawed is a store with one mistake, or none. It is written apart from the memory store, so that the two check each
// other.
type flawed struct {
	flaw  string
	mu    sync.Mutex
	calls int
	rows  []*row
}

type row struct {
	c     checks.Check
	due   time.Time
	never bool
	owner string
	until time.Time
}

func newFlawed(flaw string) *flawed { return &flawed{flaw: flaw} }

func (f *flawed) has(flaw string) bool { return f.flaw == flaw }

// now is the store's clock; the mistake is to read that of the process that calls.
func (f *flawed) now() time.Time {
	f.calls++
	now := time.Now().UTC().Truncate(time.Millisecond)
	if f.has("leases are judged by the caller's clock") && f.calls%2 == 0 {
		now = now.Add(time.Hour)
	}
	return now
}

func (f *flawed) find(orderNo string) *row {
	for _, r := range f.rows {
		if r.c.OrderNo == orderNo || f.has("orders fold case") && strings.EqualFold(r.c.OrderNo, orderNo) {
			return r
		}
	}
	return nil
}

func (f *flawed) Create(_ context.Context, n checks.NewCheck) (checks.Check, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, attempts := f.now(), 0
	if f.find(n.OrderNo) != nil && !f.has("an order number is used twice") {
		return checks.Check{}, checks.ErrExists
	}
	for _, r := range f.rows {
		if r.c.UserID != n.UserID && !(f.has("users fold case") && strings.EqualFold(r.c.UserID, n.UserID)) && !f.has("attempts of everybody are counted") {
			continue
		}
		attempts++
		same := r.c.UserID == n.UserID || f.has("users fold case")
		young := now.Sub(r.c.CreatedAt) < n.UnderWay || f.has("under way never gets old")
		if same && young && (!r.c.State.Final() || f.has("a final check stays under way")) && !f.has("under way is not looked at") {
			underWay := r.c
			if f.has("what is under way is returned as it was launched") {
				underWay.State, underWay.Version, underWay.ReturnedAt = checks.Launched, 1, time.Time{}
			}
			if f.has("a refused check is kept") {
				f.rows = append(f.rows, &row{c: checks.Check{OrderNo: n.OrderNo, State: checks.Abandoned, Version: 1}})
			}
			return underWay, checks.ErrUnderWay
		}
	}
	if attempts >= n.Attempts && !f.has("attempts are not counted") {
		return checks.Check{}, checks.ErrTooMany
	}
	if f.has("under way is not unique") {
		f.letOthersIn()
	}
	r := &row{c: checks.Check{OrderNo: n.OrderNo, UserID: n.UserID, Session: n.Session, State: checks.Launched, CreatedAt: now, Version: 1}, due: now.Add(n.Due)}
	f.rows = append(f.rows, r)
	return r.c, nil
}

// letOthersIn gives up the lock for as long as calls at the same time need to come this far, on a busy machine, too.
func (f *flawed) letOthersIn() {
	f.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
	f.mu.Lock()
}

func (f *flawed) Get(_ context.Context, orderNo string) (checks.Check, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.find(orderNo); r != nil {
		return r.c, nil
	}
	return checks.Check{}, checks.ErrNotFound
}

func (f *flawed) Update(_ context.Context, c checks.Check, owner string, due time.Duration) (checks.Check, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, now := f.find(c.OrderNo), f.now()
	if r == nil {
		return checks.Check{}, checks.ErrNotFound
	}
	if r.c.Version != c.Version && !f.has("the version is not checked") || owner != "" && !f.owns(r, owner, now) {
		return checks.Check{}, checks.ErrConflict
	}
	was := r.c
	if was.State.Final() &&
		(was.State != c.State && !f.has("a verdict can be changed") ||
			(was.Code != c.Code || was.LiveRate != c.LiveRate || was.BizSeqNo != c.BizSeqNo) && !f.has("a code can be changed")) {
		return checks.Check{}, checks.ErrConflict
	}
	r.c = c
	r.c.UserID, r.c.CreatedAt, r.c.ReturnedAt, r.c.DecidedAt, r.c.Version = was.UserID, was.CreatedAt, was.ReturnedAt, was.DecidedAt, was.Version+1
	if !f.has("the session is overwritten") {
		r.c.Session = was.Session
	}
	if c.State == checks.Returned && was.ReturnedAt.IsZero() && !f.has("ReturnedAt is not stamped") {
		r.c.ReturnedAt = now
	}
	if c.State.Final() && (was.DecidedAt.IsZero() || f.has("DecidedAt is stamped again")) {
		r.c.DecidedAt = now
	}
	f.setDue(r, due, now)
	if owner != "" && !f.has("Update leaves the claim") || f.has("Update without an owner ends the claim") {
		r.owner = ""
	}
	return r.c, nil
}

func (f *flawed) Claim(_ context.Context, owner string, lease time.Duration, limit int, undecided bool) ([]checks.Check, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	var due []*row
	for _, r := range f.rows {
		taken := r.owner != "" && (now.Before(r.until) || f.has("leases never end")) && !f.has("a claim excludes nobody")
		isDue := !r.never && !r.due.After(now) || f.has("due is not looked at")
		if !taken && isDue && !(undecided && r.c.State.Final() && !f.has("undecided is not looked at")) {
			due = append(due, r)
		}
	}
	slices.SortStableFunc(due, func(a, b *row) int {
		if f.has("the newest is claimed first") {
			a, b = b, a
		}
		return a.due.Compare(b.due)
	})
	if len(due) > limit && !f.has("limit is not looked at") {
		due = due[:limit]
	}
	if f.has("claims race") {
		f.letOthersIn()
	}
	var claimed []checks.Check
	for _, r := range due {
		r.owner, r.until = owner, now.Add(lease)
		claimed = append(claimed, r.c)
	}
	return claimed, now, nil
}

func (f *flawed) Renew(_ context.Context, orderNo, owner string, lease time.Duration) error {
	return f.mine(orderNo, owner, func(r *row, now time.Time) {
		switch {
		case f.has("Renew does nothing"):
		case f.has("Renew adds to the old end"):
			r.until = r.until.Add(lease)
		default:
			r.until = now.Add(lease)
		}
	})
}

func (f *flawed) Release(_ context.Context, orderNo, owner string, due time.Duration) error {
	return f.mine(orderNo, owner, func(r *row, now time.Time) {
		r.owner = ""
		if f.has("Release changes the version") {
			r.c.Version++
		}
		if f.has("Release makes it due at once") {
			due = 0
		}
		f.setDue(r, due, now)
	})
}

func (f *flawed) Delete(_ context.Context, orderNo string, version int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.find(orderNo)
	if r == nil {
		return nil
	}
	if r.c.Version != version && !f.has("Delete ignores the version") {
		return checks.ErrConflict
	}
	f.rows = slices.DeleteFunc(f.rows, func(other *row) bool { return other == r })
	return nil
}

func (f *flawed) mine(orderNo, owner string, do func(r *row, now time.Time)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, now := f.find(orderNo), f.now()
	if r == nil || !f.owns(r, owner, now) {
		return fmt.Errorf("%w: not claimed", checks.ErrConflict)
	}
	do(r, now)
	return nil
}

func (f *flawed) owns(r *row, owner string, now time.Time) bool {
	if f.has("the owner is not checked") {
		return true
	}
	return r.owner == owner && (now.Before(r.until) || f.has("a lease that is over still counts for its owner"))
}

func (f *flawed) setDue(r *row, due time.Duration, now time.Time) {
	r.due, r.never = now.Add(due), due < 0 && !f.has("never due is due now")
}
