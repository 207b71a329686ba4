package shop

// Orders: one for each attempt, used once, owned by one browser.

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/webanklive/webanklive"
)

// stage is how far an order is.
type stage string

const (
	launched  stage = "launched"  // the browser was sent to the platform, nothing came back
	waiting   stage = "waiting"   // the browser came back; the platform is being asked
	passed    stage = "passed"    // GetLiveResult said so
	notPassed stage = "notPassed" // GetLiveResult said so
	noResult  stage = "noResult"  // the platform knows of no result
	unsigned  stage = "unsigned"  // the platform's page gave up and signed nothing: another way is offered
	trouble   stage = "trouble"   // the platform could not be asked
)

// decided tells whether nothing can change the order any more. A replayed callback finds it so.
func (st stage) decided() bool { return st == passed || st == notPassed }

// evidence is how far photo and video of a passed order are.
type evidence string

const (
	coming  evidence = "coming"
	here    evidence = "here"
	missing evidence = "missing"
)

// order is one check. Shop.mu guards it; pages work on copies.
type order struct {
	number  string
	owner   visitor
	created time.Time
	stage   stage
	version int    // counts the changes, for pages that wait for one
	code    string // the platform's, of the result or of an unsigned return

	result   webanklive.LiveResult
	evidence evidence
}

// The bounds of what is kept in memory.
const (
	keepOrders = 200
	keepFor    = 30 * time.Minute
)

// newOrder registers an order number that was never used: 128 random bits behind a letter.
func (s *Shop) newOrder(owner visitor) *order {
	o := &order{number: "D" + rand.Text(), owner: owner, created: time.Now(), stage: launched, version: 1}
	s.sweep()
	s.orders[o.number] = o
	return o
}

// sweep makes room: what is old goes, and the oldest of too many.
func (s *Shop) sweep() {
	var oldest *order
	for number, o := range s.orders {
		if time.Since(o.created) > keepFor {
			delete(s.orders, number)
		} else if oldest == nil || o.created.Before(oldest.created) {
			oldest = o
		}
	}
	if len(s.orders) >= keepOrders {
		delete(s.orders, oldest.number)
	}
	for token, l := range s.launches {
		if time.Since(l.began) > keepFor {
			delete(s.launches, token)
		}
	}
}

// find returns a copy of v's order. Somebody else's is not found, so that nobody learns which numbers exist.
func (s *Shop) find(number string, v visitor) (order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil || v.id == "" || o.owner != v {
		return order{}, false
	}
	return *o, true
}

// recent returns v's newest orders.
func (s *Shop) recent(v visitor) []view {
	s.mu.Lock()
	defer s.mu.Unlock()
	var own []order
	for _, o := range s.orders {
		if o.owner == v {
			own = append(own, *o)
		}
	}
	slices.SortFunc(own, func(a, b order) int { return b.created.Compare(a.created) })
	var views []view
	for _, o := range own[:min(3, len(own))] {
		views = append(views, newView(o))
	}
	return views
}

// change applies fn to an order unless it is gone or decided; fn may change the evidence of a decided one. It reports
// whether fn ran.
func (s *Shop) change(number string, allowed func(order) bool, fn func(*order)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[number]
	if o == nil || !allowed(*o) {
		return false
	}
	fn(o)
	o.version++
	return true
}

func undecided(o order) bool { return !o.stage.decided() }
