package checkstest

// The rules of a checks.Store.

import (
	"errors"
	"sync"
	"time"

	"github.com/webanklive/webanklive/checks"
)

var rules = []rule{
	{"Create returns the check that Get returns", func(b *bench) {
		n := checks.NewCheck{OrderNo: name("L"), UserID: "Ann_-9", Session: name("s"), Due: time.Hour}
		c := b.add(n)
		want := checks.Check{OrderNo: n.OrderNo, UserID: n.UserID, Session: n.Session, State: checks.Launched, CreatedAt: c.CreatedAt, Version: 1}
		b.same("Create", c, want)
		b.same("Get", b.get(n.OrderNo), want)
		if c.CreatedAt.IsZero() || !c.CreatedAt.Equal(c.CreatedAt.Truncate(time.Millisecond)) {
			b.Errorf("CreatedAt is %v, want the store's time in milliseconds", c.CreatedAt)
		}
	}},
	{"an order number is used once", func(b *bench) {
		c := b.create()
		b.refuses("Create of an order number that exists", checks.NewCheck{OrderNo: c.OrderNo, UserID: name("u")}, checks.ErrExists)
		b.same("the first one", b.get(c.OrderNo), c)
	}},
	{"one check of a user is under way", func(b *bench) {
		c := b.add(checks.NewCheck{UserID: "ann"})
		refused := filled(checks.NewCheck{UserID: "ann"})
		got := b.refuses("a second Create", refused, checks.ErrUnderWay)
		b.same("the check under way, which it returns", got, c)
		_, err := b.store.Get(b.ctx, refused.OrderNo)
		b.fails("Get of what was refused", err, checks.ErrNotFound)
		c = b.update(with(c, func(c *checks.Check) { c.State = checks.Returned }), 0)
		got = b.refuses("a Create while the first is Returned", checks.NewCheck{UserID: "ann"}, checks.ErrUnderWay)
		b.same("the check under way, as it is now", got, c)
		b.add(checks.NewCheck{UserID: "Ann"}) // another user
	}},
	{"a final check is not under way", func(b *bench) {
		for _, state := range []checks.State{checks.Passed, checks.NotPassed, checks.OtherWay, checks.Abandoned} {
			b.end(b.add(checks.NewCheck{UserID: "ann"}), state)
		}
		b.add(checks.NewCheck{UserID: "ann"})
	}},
	{"an old check is not under way", func(b *bench) {
		b.add(checks.NewCheck{UserID: "ann"})
		for end := time.Now().Add(b.patience); ; time.Sleep(20 * time.Millisecond) {
			c, err := b.store.Create(b.ctx, filled(checks.NewCheck{UserID: "ann", UnderWay: short}))
			if err == nil {
				b.refuses("a Create while the new one is under way", checks.NewCheck{UserID: "ann"}, checks.ErrUnderWay)
				b.end(c, checks.Abandoned)
				return
			}
			if b.fails("Create while an old one is not final", err, checks.ErrUnderWay); time.Now().After(end) {
				b.Errorf("the old check is under way for ever")
				return
			}
		}
	}},
	{"of several Creates for one user one succeeds", func(b *bench) {
		errs := together(8, func(int) error {
			_, err := b.store.Create(b.ctx, filled(checks.NewCheck{UserID: "ann"}))
			return err
		})
		b.oneSucceeds("Creates", errs, checks.ErrUnderWay)
	}},
	{"a user has so many attempts in a day", func(b *bench) {
		var last checks.Check
		for range 3 {
			last = b.end(b.add(checks.NewCheck{UserID: "ann", Attempts: 3}), checks.NotPassed)
		}
		refused := filled(checks.NewCheck{UserID: "ann", Attempts: 3})
		b.refuses("the fourth Create", refused, checks.ErrTooMany)
		_, err := b.store.Get(b.ctx, refused.OrderNo)
		b.fails("Get of what was refused", err, checks.ErrNotFound)
		b.add(checks.NewCheck{UserID: "Ann", Attempts: 3}) // another user
		b.fine("Delete", b.store.Delete(b.ctx, last.OrderNo, last.Version))
		b.add(checks.NewCheck{UserID: "ann", Attempts: 3})
	}},
	{"a check that is not there is ErrNotFound", func(b *bench) {
		c := b.add(checks.NewCheck{OrderNo: "Lqwerty" + name("")})
		for _, orderNo := range []string{name("L"), "l" + c.OrderNo[1:], c.OrderNo + " ", c.OrderNo[:len(c.OrderNo)-1]} {
			_, err := b.store.Get(b.ctx, orderNo)
			b.fails("Get of another order number", err, checks.ErrNotFound)
		}
		_, err := b.store.Update(b.ctx, checks.Check{OrderNo: name("L"), State: checks.Returned, Version: 1}, "", 0)
		b.fails("Update", err, checks.ErrNotFound)
	}},
	{"Update writes what it says, and stamps the times once", func(b *bench) {
		c := b.create()
		r := c
		r.State, r.Code, r.Signed, r.Tries = checks.Returned, "0", true, 2
		r.UserID, r.Session, r.CreatedAt = "not written", "not written", time.Time{}
		r = b.update(r, 0)
		want := c
		want.State, want.Code, want.Signed, want.Tries, want.Version, want.ReturnedAt = checks.Returned, "0", true, 2, 2, r.ReturnedAt
		b.same("after the return", r, want)
		b.same("Get", b.get(c.OrderNo), want)
		if r.ReturnedAt.Before(c.CreatedAt) {
			b.Errorf("ReturnedAt is %v, CreatedAt %v", r.ReturnedAt, c.CreatedAt)
		}
		time.Sleep(5 * time.Millisecond)
		r.Tries = 3
		r = b.update(r, 0)
		want.Tries, want.Version = 3, 3
		b.same("ReturnedAt stays", r, want)

		r.State, r.Code, r.LiveRate, r.BizSeqNo, r.Evidence, r.Tries = checks.Passed, "0", "分数为空", "b1", checks.EvidencePending, 0
		d := b.update(r, -1)
		want.State, want.LiveRate, want.BizSeqNo, want.Evidence, want.Tries, want.Version = checks.Passed, "分数为空", "b1", checks.EvidencePending, 0, 4
		want.DecidedAt = d.DecidedAt
		b.same("after the verdict", d, want)
		if d.DecidedAt.Before(d.ReturnedAt) || d.DecidedAt.IsZero() {
			b.Errorf("DecidedAt is %v, ReturnedAt %v", d.DecidedAt, d.ReturnedAt)
		}
		time.Sleep(5 * time.Millisecond)
		d.Concluded, d.Evidence = true, checks.EvidenceKept
		want.Concluded, want.Evidence, want.Version = true, checks.EvidenceKept, 5
		b.same("DecidedAt stays", b.update(d, -1), want)
	}},
	{"Update of an old version is ErrConflict", func(b *bench) {
		c := b.create()
		u := b.update(with(c, func(c *checks.Check) { c.State = checks.Returned }), 0)
		_, err := b.store.Update(b.ctx, with(c, func(c *checks.Check) { c.State = checks.Abandoned }), "", 0)
		b.fails("Update of version 1", err, checks.ErrConflict)
		b.same("the check", b.get(c.OrderNo), u)
	}},
	{"of several Updates of one version one succeeds", func(b *bench) {
		c := b.create()
		errs := together(8, func(i int) error {
			_, err := b.store.Update(b.ctx, with(c, func(c *checks.Check) { c.Tries = i + 1 }), "", 0)
			return err
		})
		b.oneSucceeds("Updates", errs, checks.ErrConflict)
		if u := b.get(c.OrderNo); u.Version != 2 {
			b.Errorf("the version is %d, want 2", u.Version)
		}
	}},
	{"a verdict is never changed", func(b *bench) {
		c := b.end(with(b.create(), func(c *checks.Check) { c.Code, c.LiveRate, c.BizSeqNo = "-5016", "12", "b1" }), checks.NotPassed)
		for what, change := range map[string]func(*checks.Check){
			"another verdict":       func(c *checks.Check) { c.State = checks.Passed },
			"back to Returned":      func(c *checks.Check) { c.State = checks.Returned },
			"another code":          func(c *checks.Check) { c.Code = "0" },
			"another score":         func(c *checks.Check) { c.LiveRate = "99" },
			"another serial number": func(c *checks.Check) { c.BizSeqNo = "b2" },
		} {
			_, err := b.store.Update(b.ctx, with(c, change), "", 0)
			b.fails(what, err, checks.ErrConflict)
		}
		b.same("the check", b.get(c.OrderNo), c)
		b.update(with(c, func(c *checks.Check) { c.Concluded = true }), -1)
	}},
	{"Claim claims what is due", func(b *bench) {
		b.add(checks.NewCheck{UserID: name("u"), Due: time.Hour})
		never := b.create()
		b.update(never, -1)
		later := b.create()
		b.update(later, time.Hour)
		due := b.create()
		_, c := b.claimOne(long)
		b.same("the claimed check", c, due)
	}},
	{"Claim takes those that wait longest, up to limit", func(b *bench) {
		var orders []string
		for range 5 {
			orders = append(orders, b.create().OrderNo)
			time.Sleep(5 * time.Millisecond)
		}
		_, first := b.claim(long, 2)
		_, rest := b.claim(long, 10)
		if len(first) != 2 || len(rest) != 3 {
			b.Errorf("Claim with limit 2 returned %d, and then %d, want 2 and 3", len(first), len(rest))
			return
		}
		for _, c := range first {
			if c.OrderNo != orders[0] && c.OrderNo != orders[1] {
				b.Errorf("Claim took a check that waits less long than another")
			}
		}
	}},
	{"Claim leaves decided checks alone when it is told to", func(b *bench) {
		c := b.create()
		c.State = checks.Passed
		b.update(c, 0)
		open := b.create()
		claimed, _, err := b.store.Claim(b.ctx, name("o"), long, 10, true)
		b.fine("Claim", err)
		if len(claimed) != 1 || claimed[0].OrderNo != open.OrderNo {
			b.Errorf("Claim of undecided checks returned %d", len(claimed))
		}
		if _, c := b.claimOne(long); c.State != checks.Passed {
			b.Errorf("Claim returned state %s", c.State)
		}
	}},
	{"Claim tells the store's time", func(b *bench) {
		c := b.create()
		_, now, err := b.store.Claim(b.ctx, name("o"), long, 10, false)
		b.fine("Claim", err)
		if age := now.Sub(c.CreatedAt); age < 0 || age > b.patience {
			b.Errorf("the store's time is %v after CreatedAt", age)
		}
	}},
	{"a claimed check is not claimed again before its lease ends", func(b *bench) {
		b.create()
		b.claimOne(long)
		b.notClaimable("it is claimed")
		b.notClaimable("it is claimed")
	}},
	{"of several Claims one gets a check", func(b *bench) {
		for range 20 {
			b.create()
		}
		var mu sync.Mutex
		seen := map[string]int{}
		errs := together(6, func(int) error {
			for range 40 {
				claimed, _, err := b.store.Claim(b.ctx, name("o"), long, 3, false)
				if err != nil {
					return err
				}
				mu.Lock()
				for _, c := range claimed {
					seen[c.OrderNo]++
				}
				done := len(seen) == 20
				mu.Unlock()
				if done {
					return nil
				}
			}
			return nil
		})
		b.fine("Claim", errors.Join(errs...))
		for _, times := range seen {
			if times != 1 {
				b.Errorf("a check was claimed %d times", times)
			}
		}
		if len(seen) != 20 {
			b.Errorf("%d checks were claimed, want 20", len(seen))
		}
	}},
	{"a claim ends with its lease, and its owner notices", func(b *bench) {
		c := b.create()
		old, _ := b.claimOne(short)
		next := b.free(c.OrderNo)
		_, err := b.store.Update(b.ctx, with(c, func(c *checks.Check) { c.Tries = 7 }), old, 0)
		b.fails("Update by the former owner", err, checks.ErrConflict)
		b.fails("Renew by the former owner", b.store.Renew(b.ctx, c.OrderNo, old, long), checks.ErrConflict)
		b.fails("Release by the former owner", b.store.Release(b.ctx, c.OrderNo, old, 0), checks.ErrConflict)
		b.same("the check", b.get(c.OrderNo), c)
		b.notClaimable("the new owner holds it")
		b.fine("Renew by the new owner", b.store.Renew(b.ctx, c.OrderNo, next, long))
	}},
	{"a lease that is over is lost, also when nobody took the check", func(b *bench) {
		c := b.create()
		owner, _ := b.claimOne(short)
		time.Sleep(short + 300*time.Millisecond)
		b.fails("Renew", b.store.Renew(b.ctx, c.OrderNo, owner, long), checks.ErrConflict)
		_, err := b.store.Update(b.ctx, c, owner, 0)
		b.fails("Update", err, checks.ErrConflict)
		b.free(c.OrderNo)
	}},
	{"Renew prolongs a claim", func(b *bench) {
		c := b.create()
		owner, _ := b.claimOne(short)
		b.fine("Renew", b.store.Renew(b.ctx, c.OrderNo, owner, long))
		time.Sleep(short + 300*time.Millisecond)
		b.notClaimable("its lease was renewed")
		b.fine("Release", b.store.Release(b.ctx, c.OrderNo, owner, 0))
		owner, _ = b.claimOne(long)
		b.fine("Renew", b.store.Renew(b.ctx, c.OrderNo, owner, short))
		b.free(c.OrderNo) // the new lease counts from now, not from the end of the old one
	}},
	{"only its owner ends a claim", func(b *bench) {
		c := b.create()
		owner, _ := b.claimOne(long)
		_, err := b.store.Update(b.ctx, c, name("o"), 0)
		b.fails("Update by another", err, checks.ErrConflict)
		b.fails("Renew by another", b.store.Renew(b.ctx, c.OrderNo, name("o"), long), checks.ErrConflict)
		b.fails("Release by another", b.store.Release(b.ctx, c.OrderNo, name("o"), 0), checks.ErrConflict)
		b.notClaimable("its owner holds it")
		b.fine("Release by its owner", b.store.Release(b.ctx, c.OrderNo, owner, 0))
		b.fails("a second Release", b.store.Release(b.ctx, c.OrderNo, owner, 0), checks.ErrConflict)
	}},
	{"Update by the owner ends the claim and sets when the check is due", func(b *bench) {
		c := b.create()
		for _, due := range []time.Duration{0, time.Hour} {
			owner, claimed := b.claimOne(long)
			u, err := b.store.Update(b.ctx, claimed, owner, due)
			b.fine("Update", err)
			b.fails("Renew after Update", b.store.Renew(b.ctx, c.OrderNo, owner, long), checks.ErrConflict)
			c = u
		}
		b.notClaimable("it is due in an hour")
		c = b.update(c, short)
		b.notClaimable("it is due in a moment")
		owner := b.free(c.OrderNo)
		_, err := b.store.Update(b.ctx, c, owner, -1)
		b.fine("Update", err)
		b.notClaimable("it is never due")
	}},
	{"Update without an owner leaves the claim", func(b *bench) {
		c := b.create()
		owner, _ := b.claimOne(long)
		u := b.update(with(c, func(c *checks.Check) { c.State = checks.Returned }), 0)
		b.notClaimable("its owner holds it")
		_, err := b.store.Update(b.ctx, with(c, func(c *checks.Check) { c.State = checks.Abandoned }), owner, 0)
		b.fails("Update of the version that was claimed", err, checks.ErrConflict)
		b.fine("Release", b.store.Release(b.ctx, c.OrderNo, owner, 0))
		_, got := b.claimOne(long)
		b.same("the check", got, u)
	}},
	{"Release sets when the check is due, and nothing else", func(b *bench) {
		c := b.create()
		owner, _ := b.claimOne(long)
		b.fine("Release", b.store.Release(b.ctx, c.OrderNo, owner, short))
		b.same("the check", b.get(c.OrderNo), c)
		b.notClaimable("it is due in a moment")
		owner = b.free(c.OrderNo)
		b.fine("Release", b.store.Release(b.ctx, c.OrderNo, owner, time.Hour))
		b.notClaimable("it is due in an hour")
	}},
	{"Delete removes the version that it names", func(b *bench) {
		c := b.add(checks.NewCheck{UserID: "ann"})
		u := b.update(c, 0)
		b.fails("Delete of an old version", b.store.Delete(b.ctx, c.OrderNo, c.Version), checks.ErrConflict)
		b.same("the check", b.get(c.OrderNo), u)
		b.fine("Delete", b.store.Delete(b.ctx, c.OrderNo, u.Version))
		_, err := b.store.Get(b.ctx, c.OrderNo)
		b.fails("Get", err, checks.ErrNotFound)
		b.fine("Delete of what is not there", b.store.Delete(b.ctx, c.OrderNo, u.Version))
		b.notClaimable("it is gone")
		b.add(checks.NewCheck{UserID: "ann"}) // nothing of it is under way
	}},
}

// with returns c changed.
func with(c checks.Check, change func(*checks.Check)) checks.Check {
	change(&c)
	return c
}

// together runs work n times at once.
func together(n int, work func(i int) error) []error {
	errs := make([]error, n)
	var running sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		running.Add(1)
		go func() {
			defer running.Done()
			<-start
			errs[i] = work(i)
		}()
	}
	close(start)
	running.Wait()
	return errs
}
