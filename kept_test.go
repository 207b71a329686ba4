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
	for i := range 2 * maxKept {
		n.keep(fmt.Sprint("user", i), &nonceFetch{started: now})
	}
	assert.Len(t, n.kept, maxKept)
	assert.NotNil(t, n.take("user0"))
	assert.Nil(t, n.take(fmt.Sprint("user", 2*maxKept-1)), "memory was full")

	now = now.Add(nonceUse)
	n.keep("late1", &nonceFetch{started: now})
	n.keep("late2", &nonceFetch{started: now})
	assert.Len(t, n.kept, 2, "stale tickets make room")
}
