package livetest

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPlatform_ForgetsOldLaunchesButNoAddedResult(t *testing.T) {
	t.Parallel()
	p := New()
	launch := func(i int) {
		p.remember("session"+strconv.Itoa(i), &order{who: p.first, number: "A" + strconv.Itoa(i)})
	}
	launch(0)
	launch(1)
	p.AddResult("A1", Passing())
	for i := 2; i < maxLaunched+2; i++ {
		launch(i)
	}
	assert.NotContains(t, p.first.orders, "A0")
	assert.True(t, p.first.orders["A1"].hasValue, "added after its launch")
	assert.Contains(t, p.first.orders, "A2", "the oldest that is remembered")
	assert.Len(t, p.sessions, maxLaunched)
}
