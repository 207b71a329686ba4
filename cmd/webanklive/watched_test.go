package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// A mint that nobody waits for any more would leave the fleet with a dying token if the command ended first.
func TestWatchedStore_InterruptedCommandStillPutsItsMintIntoIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.srv.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte { cancel(); return body }}, 1)
	b.srv.Fail(livetest.SignTicket, livetest.Fault{Delay: time.Second}, 1)
	o := b.runIn(ctx, "result", "passed1")
	assert.Equal(t, exitInterrupted, o.exit)
	assert.Contains(t, o.errOut, "finishing the credential", "why Ctrl-C takes a while")
	assert.Contains(t, b.stored(t), "sign_ticket", "when the command is back, the credential is in the store")
	b.run(t, exitDone, "result", "passed1")
	assert.Len(t, b.srv.Mints(), 1)
}

// A credential for this process alone, and one that another command is making, are nothing to wait for.
func TestWatchedStore_CommandThatEndsEarlyWaitsForItsOwnMintAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	b.srv.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte {
		asked <- struct{}{}
		<-answer
		return body
	}}, 2)
	other := make(chan outcome, 1)
	go func() { other <- b.runIn(t.Context(), "doctor") }()
	<-asked
	locked := b.env["WEBANK_STORE"]
	t.Cleanup(func() { // a command that waited for the lock gives up in the background, and may still be writing
		dir := strings.TrimPrefix(locked, "file:")
		assert.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, 10*time.Second, 10*time.Millisecond)
	})
	for name, store := range map[string]string{"locked": locked, "none": ""} {
		began := time.Now()
		b.with("WEBANK_STORE", store).run(t, exitLater, "result", "passed1", "--timeout", "300ms")
		assert.Less(t, time.Since(began), 4*time.Second, name)
	}
	close(answer)
	assert.Zero(t, (<-other).exit)
}

// A mistyped store, prefix or app ID finds nothing, and must not end the fleet's token.
func TestWatchedStore_EmptyOneIsNotStartedByAccident(t *testing.T) {
	t.Parallel()
	fleet := &watchedStore{CredentialStore: webanklive.NewMemoryStore()}
	update := func() error {
		_, err := fleet.Update(t.Context(), "key", func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte("{}"), 0, nil })
		return err
	}
	require.ErrorIs(t, update(), errEmptyStore)
	fleet.mayStart = true
	require.NoError(t, update())
	fleet.mayStart = false
	require.NoError(t, update(), "a refresh of what is there")
}
