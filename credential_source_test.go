package webanklive_test

// A credential that comes from somebody else's token service, and a Client that is the token service of others.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestWithCredentialSource_MintsNothing(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	central := &clienttest.Source{Held: webanklive.Credential{AccessToken: token, SignTicket: sign}}
	c := clienttest.NewClient(t, srv, webanklive.WithCredentialSource(central))
	query := clienttest.Complete(t, srv.Platform, c, clienttest.Order, livetest.Passing())
	_, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	assert.Equal(t, 1, central.Asked, "the answer is remembered")
	assert.Zero(t, srv.Calls(livetest.AccessToken)+srv.Calls(livetest.SignTicket))
	assert.Empty(t, central.Invalidated)
}

func TestCredentialSource_IsToldOfARefusalAndItsNextCredentialIsUsed(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	old := webanklive.Credential{AccessToken: token, SignTicket: sign}
	central := &clienttest.Source{Held: old}
	c := clienttest.NewClient(t, srv, webanklive.WithCredentialSource(central))
	clienttest.Credential(t, c)
	underway := srv.CallbackQuery(clienttest.Order, "0", "")

	srv.Revoke()
	token, sign = srv.Rotate()
	central.Next = &webanklive.Credential{AccessToken: token, SignTicket: sign}
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)
	assert.Equal(t, []webanklive.Credential{old}, central.Invalidated)
	assert.Zero(t, srv.Calls(livetest.AccessToken))

	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.NoError(t, err, "the client remembers the previous SIGN ticket when the source keeps none")
}

func TestCredentialSource_ThatKeepsARefusedCredentialIsNotAskedInALoop(t *testing.T) {
	t.Parallel()
	central := &clienttest.Source{Held: webanklive.Credential{AccessToken: "dead", SignTicket: "dead"}}
	c, srv := clienttest.NewServed(t, webanklive.WithCredentialSource(central))
	for calls := range 20 {
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, fmt.Sprint("user", calls)))
		clienttest.RequireClass(t, err, webanklive.ErrCredential)
		assert.Equal(t, calls+1, srv.Calls(livetest.NonceTicket))
	}
	assert.Len(t, central.Invalidated, 1)
	assert.Equal(t, 2, central.Asked)
}

func TestCredentialSource_IsNamedByItsErrors(t *testing.T) {
	t.Parallel()
	down := errors.New("central service down")
	for name, tc := range map[string]struct {
		source *clienttest.Source
		text   string
	}{
		"its own":         {&clienttest.Source{Err: down}, "credential source: central service down"},
		"a context's end": {&clienttest.Source{Err: context.DeadlineExceeded}, "credential source: context deadline exceeded"},
		"a *url.Error":    {&clienttest.Source{Err: &url.Error{Op: "Get", URL: "https://token.example/?key=KEY", Err: down}}, "credential source: central service down"},
		"one of ours":     {&clienttest.Source{Err: &webanklive.Error{Op: "get access token", Code: "999999"}}, "get access token: code 999999"},
		"no ticket":       {&clienttest.Source{Held: webanklive.Credential{AccessToken: "t"}}, "no SIGN ticket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := clienttest.NewServed(t, webanklive.WithCredentialSource(tc.source))
			_, err := c.Credential(t.Context())
			clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
			require.ErrorContains(t, err, tc.text)
			assert.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's own context did not end")
			assert.NotContains(t, err.Error(), "KEY")
			if errors.Is(tc.source.Err, down) {
				require.ErrorIs(t, err, down)
			}
		})
	}
}

func TestCredentialSource_ThatHandsOutExpiredCredentialsIsAnError(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	token, sign := srv.Rotate()
	central := &clienttest.Source{Held: webanklive.Credential{AccessToken: token, SignTicket: sign, ExpiresAt: time.Now().Add(-time.Hour)}}
	c := clienttest.NewClient(t, srv, webanklive.WithCredentialSource(central))
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
	clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
	require.ErrorContains(t, err, "credential source: what it handed out has expired")
}

func TestClient_IsASourceForOthers(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	central := clienttest.NewClient(t, srv)
	var asSource webanklive.CredentialSource = central
	c := clienttest.NewClient(t, srv, webanklive.WithCredentialSource(asSource))
	before := clienttest.Credential(t, c)

	srv.Revoke()
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
	require.NoError(t, err, "the refusal reaches the central client, which mints")
	after := clienttest.Credential(t, c)
	assert.NotEqual(t, before.AccessToken, after.AccessToken)
	assert.Equal(t, before.SignTicket, after.PreviousSignTicket)
	assert.Len(t, srv.Mints(), 2)
}

func TestInvalidate_OfAnotherCredentialChangesNothing(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	clienttest.Credential(t, c)
	c.Invalidate(t.Context(), webanklive.Credential{AccessToken: "the last one", SignTicket: "of yesterday"})
	clienttest.Credential(t, c)
	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
}

func TestInvalidate_OfEveryCredentialCostsNoStormOfMints(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	for range 20 {
		got := clienttest.Credential(t, c)
		c.Invalidate(t.Context(), got)
	}
	clienttest.Credential(t, c)
	assert.Len(t, srv.Mints(), 2, "the first, and the one after it was invalidated")
}

func TestCredentialSource_AnErrorOfItsClientKeepsItsClassAndIsNotWrappedAgain(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.Fail(livetest.AccessToken, livetest.Fault{Code: "400105"}, -1)
	central := clienttest.NewClient(t, srv)
	_, want := central.Credential(t.Context())
	clienttest.RequireClass(t, want, webanklive.ErrCredential)
	_, err := clienttest.NewClient(t, srv, webanklive.WithCredentialSource(central)).Credential(t.Context())
	clienttest.RequireClass(t, err, webanklive.ErrCredential)
	assert.False(t, webanklive.Retryable(err))
	assert.Equal(t, want.Error(), err.Error())
}

func TestCredential_IsHandedOnAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	text, err := json.Marshal(webanklive.Credential{AccessToken: "A", SignTicket: "S", PreviousSignTicket: "P", RefreshAt: at, ExpiresAt: at})
	require.NoError(t, err)
	assert.JSONEq(t, `{"access_token":"A","sign_ticket":"S","previous_sign_ticket":"P","refresh_at":"2026-03-04T05:06:07Z",
		"expires_at":"2026-03-04T05:06:07Z"}`, string(text))
	text, err = json.Marshal(webanklive.Credential{AccessToken: "A", SignTicket: "S"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"access_token":"A","sign_ticket":"S"}`, string(text))
}
