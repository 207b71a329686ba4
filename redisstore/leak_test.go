//go:build unix

package redisstore_test

// Where the secrets of a client end up in Redis: in one value, sealed when encryption is on, and in nothing else.

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

const marker = "MaRk3r"

func TestStore_ShowsTheCredentialToMonitorAsAValueOnly(t *testing.T) {
	t.Parallel()
	aead := newAEAD(t, 1)
	for name, tc := range map[string]struct {
		opts []redisstore.Option
		open func(key string, stored []byte) ([]byte, error)
	}{
		"plain": {nil, func(_ string, stored []byte) ([]byte, error) { return stored, nil }},
		"sealed": {[]redisstore.Option{redisstore.WithEncryption(aead)}, func(key string, stored []byte) ([]byte, error) {
			if len(stored) < 13 || stored[0] != 1 {
				return nil, fmt.Errorf("begins with %q", stored[:1])
			}
			return aead.Open(nil, stored[1:13], stored[13:], []byte(key))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redisServer := startServer(t)
			rdb := redisServer.client()
			seen, stop := monitor(t, redisServer)
			platform, log := useEverything(t, redisServer, tc.opts...)

			keys, err := rdb.Keys(t.Context(), "*").Result()
			require.NoError(t, err)
			require.Len(t, keys, 1)
			assert.NotContains(t, keys[0], marker)
			storeKey := keys[0][strings.Index(keys[0], "{")+1 : len(keys[0])-1]
			stored, err := rdb.Get(t.Context(), keys[0]).Bytes()
			require.NoError(t, err)
			value, err := tc.open(storeKey, stored)
			require.NoError(t, err)
			require.True(t, isCredential(value), "the marker was stored")
			stop()

			written := 0
			for _, line := range strings.Split(seen.String(), "\n") {
				for i, argument := range arguments(t, line) {
					if plain, err := tc.open(storeKey, []byte(argument)); err == nil && isCredential(plain) {
						written++
						require.Equal(t, keys[0], arguments(t, line)[max(i, 2)-valueAfterKey(line)], "a value stands behind its key")
						if name == "plain" {
							continue
						}
					}
					assert.NotContains(t, strings.ToLower(argument), strings.ToLower(marker), "argument %d of %.80s", i, line)
				}
			}
			require.GreaterOrEqual(t, written, 2*3, "mints that MONITOR showed, as the script's argument and as the script's SET")
			require.GreaterOrEqual(t, len(platform.Mints()), 3)
			require.Contains(t, platform.Requests(livetest.AccessToken)[0].Query.Get("secret"), marker, "the marker was sent")
			require.Contains(t, log, "minted a credential")
			assert.NotContains(t, log, marker)
		})
	}
}

// useEverything mints, refreshes, is refused, restarts and meets an outage of a second Redis. It returns what was logged.
func useEverything(t *testing.T, redisServer *server, opts ...redisstore.Option) (*livetest.Server, string) {
	t.Helper()
	srv, log := livetest.NewServer(t), &logtest.Log{}
	srv.SetMarker(marker)
	logger := log.Logger()
	newClient := func(at *server) *webanklive.Client {
		s := redisstore.New(at.client(), append(opts, redisstore.WithLogger(logger))...)
		return newSDKClient(t, srv, s, webanklive.WithLogger(logger))
	}
	c := newClient(redisServer)
	require.NoError(t, launch(t, c, "minted"))
	first, err := c.Credential(t.Context())
	require.NoError(t, err)
	srv.Advance(30 * time.Minute)
	require.NoError(t, launch(t, c, "hearsTheClock"))
	require.NoError(t, launch(t, c, "refreshes"))
	require.Eventually(t, func() bool {
		second, err := c.Credential(t.Context())
		return err == nil && second.SignTicket != first.SignTicket
	}, soon, 5*time.Millisecond)
	srv.Advance(10 * time.Minute) // a credential younger than a minute cannot have been refused
	srv.Revoke()
	require.NoError(t, launch(t, c, "refused"))
	require.NoError(t, launch(t, newClient(redisServer), "restarted"))

	broken := startServer(t)
	c = newClient(broken)
	broken.Kill()
	err = launch(t, c, "outage")
	require.ErrorIs(t, err, webanklive.ErrUnavailable)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), marker)
	return srv, log.String()
}

// isCredential reports whether value is a stored credential with the marker in it.
func isCredential(value []byte) bool {
	return bytes.HasPrefix(value, []byte(`{"version":1,`)) && bytes.Contains(value, []byte(marker))
}

// valueAfterKey is how far a value stands behind its key: EVALSHA has the lock's token and the time to live between.
func valueAfterKey(line string) int {
	if strings.Contains(line, " lua] ") {
		return 1
	}
	return 3
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// arguments takes a line of MONITOR apart.
func arguments(t *testing.T, line string) (arguments []string) {
	t.Helper()
	for _, text := range quoted.FindAllString(line, -1) {
		argument, err := strconv.Unquote(text)
		require.NoError(t, err, line)
		arguments = append(arguments, argument)
	}
	return arguments
}
