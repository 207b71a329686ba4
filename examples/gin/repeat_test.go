package ginlive

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/webanklive/webanklive/livetest"
)

// A refresh would ask GET /liveness/start, which tells the person that there is no such check.
func TestLiveness_AStartThatFailsForNowIsPostedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.platform.Fail(livetest.NonceTicket, livetest.Fault{Status: http.StatusBadGateway}, -1)
	w := s.do("ann", http.MethodPost, "/liveness/start")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "3", w.Header().Get("Retry-After"))
	assert.Empty(t, w.Header().Get("Refresh"))
	assert.Contains(t, w.Header().Get("Content-Type"), "text/html")
	assert.Contains(t, w.Body.String(), `<form method="post">`, "the button repeats the request")
}
