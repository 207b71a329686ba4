package webanklive_test

// Stores that break the rules of a CredentialStore, and the key that a store gets.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// quotingStore is a store whose errors quote the value, once it fails.
type quotingStore struct {
	webanklive.CredentialStore
	fails bool
}

func (s *quotingStore) Load(ctx context.Context, key string) ([]byte, error) {
	return s.quote(s.CredentialStore.Load(ctx, key))
}

func (s *quotingStore) Update(ctx context.Context, key string, fn webanklive.UpdateFunc) ([]byte, error) {
	return s.quote(s.CredentialStore.Update(ctx, key, fn))
}

func (s *quotingStore) quote(value []byte, err error) ([]byte, error) {
	if s.fails && err == nil {
		return nil, fmt.Errorf("bad value '%s'", value)
	}
	return value, err
}

func TestCredentialStore_WhatItsErrorsQuoteIsScrubbed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	store := &quotingStore{CredentialStore: webanklive.NewMemoryStore()}
	c, p := clienttest.NewInMemory(t, webanklive.WithCredentialStore(store), webanklive.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
	held := clienttest.Credential(t, c)

	store.fails = true
	p.Revoke()
	_, refused := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorIs(t, refused, webanklive.ErrUnavailable)
	assert.ErrorContains(t, refused, "bad value", "the store was asked")
	everything := clienttest.EveryPrint(refused) + clienttest.EveryPrint(c.Status().LastError) + log.String()
	assert.NotContains(t, everything, held.AccessToken)
	assert.NotContains(t, everything, held.SignTicket)
}

// oddStore returns from Update without having run its function.
type oddStore struct{ webanklive.CredentialStore }

func (oddStore) Update(context.Context, string, webanklive.UpdateFunc) ([]byte, error) {
	return nil, nil
}

func TestCredentialStore_ThatBreaksItsContractIsAnError(t *testing.T) {
	t.Parallel()
	c := clienttest.NewClient(t, livetest.NewServer(t), webanklive.WithCredentialStore(oddStore{webanklive.NewMemoryStore()}))
	_, err := c.Credential(t.Context())
	clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "did not run the function")
}

// keyStore notes the keys that it is asked for.
type keyStore struct {
	webanklive.CredentialStore
	keys map[string]bool
}

func (s *keyStore) Load(ctx context.Context, key string) ([]byte, error) {
	s.keys[key] = true
	return nil, errors.New("down")
}

func TestStoreKey_IsTheAppIDAndTheHostHoweverItIsSpelt(t *testing.T) {
	t.Parallel()
	s := &keyStore{keys: map[string]bool{}}
	for _, at := range [][2]string{
		{"app", "https://api.example"}, {"app", "https://API.Example:443/"}, {"app", "https://api.example./"}, // the same
		{"app", "https://api.example:8443"}, {"app", "https://api.example/sandbox"},
		{"app", "https://API.example./sandbox/"}, // as the one before
		{"app", "https://other.example"},
		{"app/1", "https://api.example"},
	} {
		c, err := webanklive.NewClient(at[0], "hunter2", webanklive.WithBaseURLs(at[1], at[1]), webanklive.WithCredentialStore(s))
		require.NoError(t, err)
		_, err = c.Credential(t.Context())
		require.ErrorContains(t, err, "credential store: down")
	}
	assert.Equal(t, map[string]bool{
		"app@api.example": true, "app@api.example:8443": true, "app@api.example/sandbox": true, "app@other.example": true,
		"app%2F1@api.example": true,
	}, s.keys)
}
