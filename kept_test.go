package webanklive

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTicketsForCallersWhoLeftTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	now := time.Now()
	n := &nonceTickets{now: func() time.Time { return now }, kept: map[string]*nonceFetch{}}
	left := func() *nonceFetch { return &nonceFetch{started: now, abandoned: time.NewTimer(time.Hour)} }
	for i := range 2 * maxKept {
		n.keep(fmt.Sprint("user", i), left())
	}
	assert.Len(t, n.kept, maxKept)
	newer := left()
	n.keep("user1", newer)
	assert.Same(t, newer, n.take("user1"), "a user who is there already needs no room")
	assert.NotNil(t, n.take("user0"))
	assert.Nil(t, n.take(fmt.Sprint("user", 2*maxKept-1)), "memory was full")

	now = now.Add(nonceUse)
	for _, user := range []string{"late0", "late1", "late2"} {
		n.keep(user, left())
	}
	assert.Len(t, n.kept, 3, "stale tickets make room")
}
