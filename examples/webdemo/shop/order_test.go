package shop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOrdersInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	s := &Shop{orders: map[string]*order{}, launches: map[string]*launch{}}
	first := s.newOrder(visitor{"ann"})
	first.created = first.created.Add(-time.Second)
	for range keepOrders {
		s.newOrder(visitor{"ann"})
	}
	assert.Len(t, s.orders, keepOrders)
	assert.NotContains(t, s.orders, first.number, "the oldest goes")

	for _, o := range s.orders {
		o.created = time.Now().Add(-keepFor - time.Second)
	}
	s.launches["old"] = &launch{began: time.Now().Add(-keepFor - time.Second)}
	s.newOrder(visitor{"ann"})
	assert.Len(t, s.orders, 1)
	assert.Empty(t, s.launches)
}
