package webanklive

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestClock_IsCorrectedByAsLittleAsAReplyDemands(t *testing.T) {
	t.Parallel()
	local := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for date, want := range map[string]time.Duration{
		"":                            0,
		"yesterday":                   0,
		local.Format(http.TimeFormat): 0,
		local.Add(29 * time.Second).Format(http.TimeFormat): 0,                         // within what is borne
		local.Add(time.Hour).Format(http.TimeFormat):        time.Hour - 2*time.Second, // received two seconds after it was sent
		local.Add(-time.Hour).Format(http.TimeFormat):       -time.Hour + time.Second,  // the Date has whole seconds
		time.Time{}.Format(http.TimeFormat):                 0,                         // of another age
		local.AddDate(7000, 0, 0).Format(http.TimeFormat):   0,
	} {
		k := &clock{local: func() time.Time { return local }, log: slog.New(slog.DiscardHandler)}
		k.hear(t.Context(), date, local, local.Add(2*time.Second))
		assert.Equal(t, local.Add(want), k.now(), date)
	}
}
