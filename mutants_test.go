//go:build go1.25

package webanklive_test

// Rules that only a defect made on purpose showed to be untested: see internal/mutants.

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestOrderThatDiffersInCaseIsAnotherOrder(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := newClient(t, srv)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	query := srv.CallbackQuery("ORDER1", "0", "95")
	_, err = c.VerifyCallback(t.Context(), query, "ORDER1")
	require.NoError(t, err)
	_, err = c.VerifyCallback(t.Context(), query, "order1")
	assert.ErrorIs(t, err, webanklive.ErrBadCallback)
}

func TestRefusalAfterMediaWereWrittenIsNotRepeated(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := newClient(t, srv)
	srv.AddResult("order1", livetest.Passing())
	srv.Fail(livetest.LiveResult, livetest.Fault{Body: `{"photo":"/9j/4AAQ","code":"15"}`, ContentType: "application/json"}, 1)
	_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: "order1", Photo: io.Discard})
	require.ErrorIs(t, err, webanklive.ErrCredential)
	assert.Equal(t, 1, srv.Calls(livetest.LiveResult))
}

// dyingSource hands out credentials that live for ten seconds.
type dyingSource struct {
	webanklive.CredentialSource
	asked int
}

func (s *dyingSource) Credential(context.Context) (webanklive.Credential, error) {
	s.asked++
	return webanklive.Credential{
		AccessToken: fmt.Sprint("token", s.asked), SignTicket: "ticket", ExpiresAt: time.Now().Add(10 * time.Second),
	}, nil
}

func (s *dyingSource) Invalidate(context.Context, webanklive.Credential) {}

func TestCredentialOfASourceIsNotUsedPastItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, source := livetest.New(), &dyingSource{}
		c := newMemoryClient(t, p, webanklive.WithCredentialSource(source))
		_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "order1"}) // tells the platform's time
		require.Error(t, err)
		before, err := c.Credential(t.Context())
		require.NoError(t, err)
		time.Sleep(11 * time.Second)
		after, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.NotEqual(t, before.AccessToken, after.AccessToken)
	})
}

func TestInvalidatingAnotherCredentialChangesNothing(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := newClient(t, srv)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	c.Invalidate(t.Context(), webanklive.Credential{AccessToken: "the last one", SignTicket: "of yesterday"})
	_, err = c.Credential(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
}

func TestMaskedCredentialShowsNoPieceOfASecret(t *testing.T) {
	t.Parallel()
	text := fmt.Sprintf("%+v", webanklive.Credential{AccessToken: "qqqqqqqqqq", SignTicket: "wwwwwwwwww", PreviousSignTicket: "jjjjjjjjjj"})
	for _, letter := range []string{"q", "w", "j"} {
		assert.NotContains(t, text[len("webanklive"):], letter)
	}
}

func TestTenRepeatsAreTheMost(t *testing.T) {
	t.Parallel()
	_, err := webanklive.NewClient("app", "secret", webanklive.WithMaxRetries(10))
	require.NoError(t, err)
	_, err = webanklive.NewClient("app", "secret", webanklive.WithMaxRetries(11))
	assert.ErrorIs(t, err, webanklive.ErrInvalidRequest)
}

func TestClockThatAgreesWithTheDateOfAReplyStaysAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(900 * time.Millisecond) // the Date of a reply has whole seconds
		minted := time.Now()
		p := livetest.New()
		c := newMemoryClient(t, p)
		got, err := c.Credential(t.Context())
		require.NoError(t, err)
		assert.Equal(t, minted.Add(59*time.Minute).UTC(), got.ExpiresAt)
	})
}
