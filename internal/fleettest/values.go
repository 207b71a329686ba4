package fleettest

// One value in a store, and what was logged of it.

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

// Put is an UpdateFunc that stores value.
func Put(value string, ttl time.Duration) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte(value), ttl, nil }
}

// Refuse is an UpdateFunc that must not run.
func Refuse(t *testing.T, why string) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.Fail(t, why)
		return nil, 0, errors.New(why)
	}
}

// Store stores a value that does not expire.
func Store(t *testing.T, s webanklive.CredentialStore, key, value string) {
	t.Helper()
	stored, err := s.Update(context.Background(), key, Put(value, 0))
	require.NoError(t, err)
	require.Equal(t, value, string(stored), "another value came first")
}

// WantValue checks what Load returns.
func WantValue(t *testing.T, s webanklive.CredentialStore, key, want string) {
	t.Helper()
	value, err := s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Equal(t, want, string(value))
}

// WantRefusal checks that Load and Update fail with an error that contains text and is no reason to mint, and that Update's
// function does not run. It returns both errors.
func WantRefusal(t *testing.T, s webanklive.CredentialStore, key, text string) error {
	t.Helper()
	_, loadErr := s.Load(context.Background(), key)
	_, updateErr := s.Update(context.Background(), key, Refuse(t, "fn ran"))
	for _, err := range []error{loadErr, updateErr} {
		require.ErrorContains(t, err, text)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
		assert.NotContains(t, err.Error(), "MARKER")
	}
	return errors.Join(loadErr, updateErr)
}
