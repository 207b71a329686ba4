//go:build unix

package redisstore_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // to see that it is not used
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/redisstore"
)

// A program under GODEBUG=fips140=only may use neither SHA-1 nor nonces of its own.
func TestStore_NeedsNothingThatFIPS140Forbids(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test binary
	cmd.Env = append(os.Environ(), "REDISSTORE_TEST_FIPS="+startServer(t).Addr(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// useUnderFIPS140 is the main function of the process that TestStore_NeedsNothingThatFIPS140Forbids starts.
func useUnderFIPS140(addr string) {
	func() {
		defer func() {
			if recover() == nil {
				panic("SHA-1 can be used")
			}
		}()
		_ = sha1.Sum(nil) //nolint:gosec // to see that it cannot be used
	}()
	aead, err := withOwnNonces()
	if err != nil {
		panic(err)
	}
	s := redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithEncryption(aead), redisstore.WithLease(fleetLease))
	_, err = s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		time.Sleep(fleetLease * 5 / 4) // it is extended
		return []byte(secret), 0, nil
	})
	if err == nil {
		_, err = s.Load(context.Background(), key)
	}
	if err != nil {
		panic(err)
	}
	os.Exit(0)
}

func withOwnNonces() (cipher.AEAD, error) {
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// steps are what the guide has deployed one after the other, process by process.
func steps(t *testing.T, name string) [][]redisstore.Option {
	t.Helper()
	k, o, n := newAEAD(t, 1), newAEAD(t, 2), newAEAD(t, 3)
	on := [][]redisstore.Option{
		nil,
		{redisstore.WithDecryption(k)},
		{redisstore.WithEncryption(k), redisstore.WithPlaintext()},
		{redisstore.WithEncryption(k)},
	}
	switch name {
	case "on":
		return on
	case "off":
		off := slices.Clone(on)
		slices.Reverse(off)
		return off
	}
	return [][]redisstore.Option{
		{redisstore.WithEncryption(o)},
		{redisstore.WithEncryption(o), redisstore.WithDecryption(n)},
		{redisstore.WithEncryption(n), redisstore.WithDecryption(o)},
		{redisstore.WithEncryption(n)},
	}
}

func TestStore_OpensWhatItsOptionsSayAndNothingElse(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := t.Context()
	k, other := newAEAD(t, 1), newAEAD(t, 2)
	write := func(opts ...redisstore.Option) string {
		drop(t, rdb, valueKey)
		fleettest.Store(t, redisstore.New(rdb, opts...), key, secret)
		return rdb.Get(ctx, valueKey).Val()
	}
	plain, sealed, foreign := write(), write(redisstore.WithEncryption(k)), write(redisstore.WithEncryption(other))
	for name, tc := range map[string]struct {
		opts                   []redisstore.Option
		plain, sealed, foreign bool
	}{
		"nothing":                  {nil, true, false, false},
		"WithPlaintext alone":      {[]redisstore.Option{redisstore.WithPlaintext()}, true, false, false},
		"WithDecryption":           {[]redisstore.Option{redisstore.WithDecryption(k)}, true, true, false},
		"WithDecryption of two":    {[]redisstore.Option{redisstore.WithDecryption(other, k)}, true, true, true},
		"WithEncryption":           {[]redisstore.Option{redisstore.WithEncryption(k)}, false, true, false},
		"and WithPlaintext":        {[]redisstore.Option{redisstore.WithPlaintext(), redisstore.WithEncryption(k)}, true, true, false},
		"and WithDecryption":       {[]redisstore.Option{redisstore.WithDecryption(other), redisstore.WithEncryption(k)}, false, true, true},
		"the last of a kind wins":  {[]redisstore.Option{redisstore.WithEncryption(other), redisstore.WithEncryption(k)}, false, true, false},
		"the last WithDecryption,": {[]redisstore.Option{redisstore.WithDecryption(other), redisstore.WithDecryption(k)}, true, true, false},
	} {
		for stored, opens := range map[string]bool{plain: tc.plain, sealed: tc.sealed, foreign: tc.foreign} {
			require.NoError(t, rdb.Set(ctx, valueKey, stored, 0).Err())
			s := redisstore.New(rdb, tc.opts...)
			if opens {
				fleettest.WantValue(t, s, key, secret)
				continue
			}
			_, err := s.Load(ctx, key)
			require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
		}
	}
}

// A program under GODEBUG=fips140=only may not choose nonces itself; what such an AEAD seals has the same form.
func TestWithEncryption_TakesAnAEADThatChoosesItsNonces(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	own, err := withOwnNonces()
	require.NoError(t, err)
	for _, pair := range [][2]cipher.AEAD{{own, own}, {own, newAEAD(t, 1)}, {newAEAD(t, 1), own}} {
		drop(t, rdb, valueKey)
		fleettest.Store(t, redisstore.New(rdb, redisstore.WithEncryption(pair[0])), key, secret)
		fleettest.WantValue(t, redisstore.New(rdb, redisstore.WithEncryption(pair[1])), key, secret)
	}
}

// The client's values are JSON; a store keeps any.
func TestStore_KeepsPlainValuesThatBeginLikeOthers(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	for _, opts := range [][]redisstore.Option{nil, {redisstore.WithDecryption(newAEAD(t, 1))}} {
		for _, want := range []string{"\x00", "\x00\x00a", "\x00\x01a", "\x01", "\x01" + strings.Repeat("a", 60), "\x02a", "{}"} {
			s := redisstore.New(rdb, opts...)
			fleettest.Store(t, s, key, want)
			fleettest.WantValue(t, s, key, want)
		}
	}
}

func TestWithEncryption_SealsTheValueAndRefusesEveryOther(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := t.Context()
	sealed := func(n byte) *redisstore.Store { return redisstore.New(rdb, redisstore.WithEncryption(newAEAD(t, n))) }
	s := sealed(1)
	fleettest.Store(t, s, key, secret)
	fleettest.WantValue(t, s, key, secret)
	first := rdb.Get(ctx, valueKey).Val()
	assert.NotContains(t, first, secret)
	assert.NotContains(t, first, secret[:8])

	fleettest.Store(t, s, key, secret)
	assert.NotEqual(t, first, rdb.Get(ctx, valueKey).Val(), "a nonce was used twice")

	for name, tc := range map[string]struct {
		s      *redisstore.Store
		stored string
	}{
		"another encryption key": {sealed(2), first},
		"no encryption key":      {redisstore.New(rdb), first},
		"not encrypted":          {s, secret},
		"empty":                  {s, ""},
		"cut short":              {s, first[:len(first)-1]},
		"cut in the nonce":       {s, first[:5]},
		"another version":        {s, "\x02" + first[1:]},
		"one bit":                {s, first[:20] + string(first[20]^1) + first[21:]},
	} {
		require.NoError(t, rdb.Set(ctx, valueKey, tc.stored, 0).Err())
		require.ErrorIs(t, fleettest.WantRefusal(t, tc.s, key, redisstore.ErrCannotOpen.Error()), redisstore.ErrCannotOpen, name)
		assert.Equal(t, tc.stored, rdb.Get(ctx, valueKey).Val(), name)
		assert.Zero(t, rdb.Exists(ctx, lockKey).Val(), name)
	}

	drop(t, rdb, valueKey) // the way out when the encryption key is lost
	fleettest.Store(t, sealed(2), key, "minted anew")

	require.NoError(t, rdb.Set(ctx, "webanklive:{another-key}", first, 0).Err())
	_, err := s.Load(ctx, "another-key")
	require.ErrorIs(t, err, redisstore.ErrCannotOpen, "the value of one key was accepted for another")
}

func newAEAD(t *testing.T, n byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{n}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}
