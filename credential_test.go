package webanklive

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func minted(name string, at time.Time, life time.Duration) *record {
	return &record{
		Credential: Credential{AccessToken: "T" + name, SignTicket: "S" + name, RefreshAt: at.Add(life / 3), ExpiresAt: at.Add(life)},
		mintedAt:   at,
	}
}

func TestSuccessorKeepsTheNewestTicketThatLives(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old, older, dead := minted("1", now.Add(-20*time.Minute), time.Hour), minted("0", now.Add(-40*time.Minute), time.Hour),
		minted("2", now.Add(-10*time.Minute), time.Minute)
	for name, tc := range map[string]struct {
		before []*record
		want   string
	}{
		"nobody before":        {nil, ""},
		"nothing held":         {[]*record{nil, nil}, ""},
		"one":                  {[]*record{nil, old}, "S1"},
		"two, the newest wins": {[]*record{old, older}, "S1"},
		"in either order":      {[]*record{older, old}, "S1"},
		"the newest is dead":   {[]*record{dead, older}, "S0"},
		"all are dead":         {[]*record{dead}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := minted("3", now, time.Hour).after(now, tc.before...)
			assert.Equal(t, tc.want, next.PreviousSignTicket)
			assert.Equal(t, tc.want, next.previous(now))
		})
	}
}

func TestSuccessorIsTheNewestWhateverTheClocksSaid(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ahead := minted("1", now.Add(2*time.Hour), time.Hour)
	next := minted("2", now, time.Hour).after(now, ahead, nil)
	assert.True(t, next.mintedAt.After(ahead.mintedAt))
	assert.Equal(t, now.Add(time.Hour), next.ExpiresAt, "only the order is mended, not the life")
	same := minted("2", now, time.Hour).after(now, minted("1", now, time.Hour))
	assert.True(t, same.mintedAt.After(now))
}

func TestStoredRecordComesBackAsItWas(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Round(0)
	want := minted("2", now, time.Hour).after(now, minted("1", now.Add(-time.Minute), time.Hour))
	value, err := want.encode()
	require.NoError(t, err)
	got, err := decodeRecord(value)
	require.NoError(t, err)
	assert.Equal(t, &want, got)
}

func TestUselessBytesAreToldFromNewerOnes(t *testing.T) {
	t.Parallel()
	value, err := minted("1", time.Now(), time.Hour).encode()
	require.NoError(t, err)
	_, err = decodeRecord(bytes.Replace(value, []byte(`"version":1`), []byte(`"version":0`), 1))
	require.ErrorIs(t, err, errUnreadableRecord, "of an older version, however complete")
	for value, want := range map[string]error{
		``: errUnreadableRecord, `{`: errUnreadableRecord, `[]`: errUnreadableRecord, `null`: errUnreadableRecord,
		`{"version":0}`: errUnreadableRecord, `{"version":-1}`: errUnreadableRecord, `{"version":1}`: errUnreadableRecord,
		`{"version":1,"access_token":7}`:                                             errUnreadableRecord,
		`{"version":1,"access_token":"T","sign_ticket":"S","minted_at":"yesterday"}`: errUnreadableRecord,
		`{"version":2}`: errNewerRecord, `{"version":99,"access_token":7}`: errNewerRecord,
	} {
		_, err := decodeRecord([]byte(value))
		require.ErrorIs(t, err, want, value)
		assert.NotContains(t, err.Error(), "T", "nothing of the bytes")
	}
}
