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
		number:     at.UnixMilli(),
		mintedAt:   at,
	}
}

func TestRecordAfter_KeepsTheNewestTicketThatLives(t *testing.T) {
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

func TestRecordAfter_HasAHigherNumberWhateverTheClocksSaid(t *testing.T) {
	t.Parallel()
	now := time.Now()
	assert.Equal(t, now.UnixMilli(), minted("2", now, time.Hour).after(now, nil, minted("1", now.Add(-time.Minute), time.Hour)).number)
	ahead := minted("1", now.Add(2*time.Hour), time.Hour)
	next := minted("2", now, time.Hour).after(now, ahead, minted("0", now, time.Hour))
	assert.Equal(t, ahead.number+1, next.number)
	assert.Equal(t, now, next.mintedAt, "only the order is mended, not the times")
	assert.Equal(t, now.UnixMilli()+1, minted("2", now, time.Hour).after(now, minted("1", now, time.Hour)).number)
}

func TestRecord_ComesBackAsItWasStored(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Round(0)
	want := minted("2", now, time.Hour).after(now, minted("1", now.Add(time.Minute), time.Hour))
	want.unplanned = true
	value, err := want.encode()
	require.NoError(t, err)
	got, err := decodeRecord(value)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestRecord_WithoutANumberCountsByItsTime(t *testing.T) {
	t.Parallel()
	at := time.Now().UTC().Round(0)
	old := minted("1", at, time.Hour)
	old.number = 0
	value, err := old.encode()
	require.NoError(t, err)
	require.NotContains(t, string(value), "number")
	got, err := decodeRecord(value)
	require.NoError(t, err)
	assert.Equal(t, at.UnixMilli(), got.number)
	for _, number := range []string{"-1", "9223372036854775807", `"1"`} {
		_, err = decodeRecord(bytes.Replace(value, []byte(`{`), []byte(`{"number":`+number+`,`), 1))
		require.ErrorIs(t, err, errUnreadableRecord, number)
	}
}

func TestRecord_UselessBytesAreToldFromNewerOnes(t *testing.T) {
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
