//go:build unix

package redisstore_test

// Encryption: what each option opens, and the steps of the guide.

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // to see that it is not used
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/redisstore"
)

// What a program under GODEBUG=fips140=only may not use: SHA-1, and nonces of its own.
func TestNothingNeedsWhatFIPS140Forbids(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REDISSTORE_TEST_FIPS="+startServer(t).Addr(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// useUnderFIPS140 is the main function of the process that TestNothingNeedsWhatFIPS140Forbids starts.
func useUnderFIPS140(addr string) {
	if err := func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = errors.Join(err, fmt.Errorf("panic: %v", r))
			}
		}()
		func() {
			defer func() {
				if recover() == nil {
					err = errors.New("SHA-1 can be used")
				}
			}()
			_ = sha1.Sum(nil) //nolint:gosec // to see that it cannot be used
		}()
		block, err2 := aes.NewCipher(make([]byte, 32))
		if err2 != nil {
			return err2
		}
		aead, err2 := cipher.NewGCMWithRandomNonce(block)
		if err2 != nil {
			return err2
		}
		ctx := context.Background()
		s := redisstore.New(redis.NewClient(&redis.Options{Addr: addr}), redisstore.WithEncryption(aead), redisstore.WithLease(2*time.Second))
		_, err2 = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			time.Sleep(2500 * time.Millisecond) // it is extended
			return []byte(secret), 0, nil
		})
		_, err3 := s.Load(ctx, key)
		return errors.Join(err, err2, err3)
	}(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
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

func TestEncryptionStepsReadWhatTheStepsBesideThemWrite(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	for _, name := range []string{"on", "rotate", "off"} {
		all := steps(t, name)
		for i := range all[1:] {
			for _, pair := range [][2]int{{i, i}, {i, i + 1}, {i + 1, i}, {i + 1, i + 1}} {
				what := fmt.Sprintf("%s: written by step %d, read by step %d", name, pair[0], pair[1])
				writer, reader := redisstore.New(rdb, all[pair[0]]...), redisstore.New(rdb, all[pair[1]]...)
				require.NoError(t, rdb.Del(ctx, valueKey).Err())
				_, err := writer.Update(ctx, key, put(secret, 0))
				require.NoError(t, err, what)
				value, err := reader.Load(ctx, key)
				require.NoError(t, err, what)
				assert.Equal(t, secret, string(value), what)
				_, err = reader.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
					assert.Equal(t, secret, string(current), what)
					return nil, 0, nil
				})
				require.NoError(t, err, what)
			}
		}
	}
}

func TestEncryptionOptionsOpenNothingElse(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	k, other := newAEAD(t, 1), newAEAD(t, 2)
	write := func(opts ...redisstore.Option) string {
		require.NoError(t, rdb.Del(ctx, valueKey).Err())
		_, err := redisstore.New(rdb, opts...).Update(ctx, key, put(secret, 0))
		require.NoError(t, err)
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
			value, err := redisstore.New(rdb, tc.opts...).Load(ctx, key)
			if opens {
				require.NoError(t, err, name)
				assert.Equal(t, secret, string(value), name)
			} else {
				require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
			}
		}
	}
}

// A program under GODEBUG=fips140=only may not choose nonces itself; what such an AEAD seals has the same form.
func TestEncryptionWithAnAEADThatChoosesItsNonces(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	require.NoError(t, err)
	own, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	for _, pair := range [][2]cipher.AEAD{{own, own}, {own, newAEAD(t, 1)}, {newAEAD(t, 1), own}} {
		require.NoError(t, rdb.Del(ctx, valueKey).Err())
		_, err := redisstore.New(rdb, redisstore.WithEncryption(pair[0])).Update(ctx, key, put(secret, 0))
		require.NoError(t, err)
		value, err := redisstore.New(rdb, redisstore.WithEncryption(pair[1])).Load(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, secret, string(value))
	}
}

// The client's values are JSON; a store keeps any.
func TestPlainValuesThatBeginLikeOthers(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	for _, opts := range [][]redisstore.Option{nil, {redisstore.WithDecryption(newAEAD(t, 1))}} {
		for _, want := range []string{"\x00", "\x00\x00a", "\x00\x01a", "\x01", "\x01" + strings.Repeat("a", 60), "\x02a", "{}"} {
			s := redisstore.New(rdb, opts...)
			_, err := s.Update(ctx, key, put(want, 0))
			require.NoError(t, err)
			value, err := s.Load(ctx, key)
			require.NoError(t, err)
			assert.Equal(t, want, string(value))
		}
	}
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	rdb := startServer(t).client()
	ctx := context.Background()
	sealed := func(n byte) *redisstore.Store { return redisstore.New(rdb, redisstore.WithEncryption(newAEAD(t, n))) }
	s := sealed(1)
	_, err := s.Update(ctx, key, put(secret, 0))
	require.NoError(t, err)
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	require.Equal(t, secret, string(value))
	first := rdb.Get(ctx, valueKey).Val()
	assert.NotContains(t, first, secret)
	assert.NotContains(t, first, secret[:8])

	_, err = s.Update(ctx, key, put(secret, 0))
	require.NoError(t, err)
	assert.NotEqual(t, first, rdb.Get(ctx, valueKey).Val(), "a nonce was used twice")

	unreadable := map[string]func() (*redisstore.Store, string){
		"another encryption key": func() (*redisstore.Store, string) { return sealed(2), first },
		"no encryption key":      func() (*redisstore.Store, string) { return redisstore.New(rdb), first },
		"not encrypted":          func() (*redisstore.Store, string) { return s, secret },
		"empty":                  func() (*redisstore.Store, string) { return s, "" },
		"cut short":              func() (*redisstore.Store, string) { return s, first[:len(first)-1] },
		"cut in the nonce":       func() (*redisstore.Store, string) { return s, first[:5] },
		"another version":        func() (*redisstore.Store, string) { return s, "\x02" + first[1:] },
		"one bit":                func() (*redisstore.Store, string) { return s, first[:20] + string(first[20]^1) + first[21:] },
	}
	for name, setUp := range unreadable {
		s, stored := setUp()
		require.NoError(t, rdb.Set(ctx, valueKey, stored, 0).Err())
		_, err := s.Load(ctx, key)
		require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
		require.NotErrorIs(t, err, webanklive.ErrNoCredential, name)
		assert.NotContains(t, err.Error(), "MARKER", name)
		_, err = s.Update(ctx, key, fail(t, "fn ran on a value that cannot be opened: "+name))
		require.ErrorIs(t, err, redisstore.ErrCannotOpen, name)
		assert.NotContains(t, err.Error(), "MARKER", name)
		assert.Equal(t, stored, rdb.Get(ctx, valueKey).Val(), name)
		assert.Zero(t, rdb.Exists(ctx, lockKey).Val(), name)
	}

	require.NoError(t, rdb.Del(ctx, valueKey).Err(), "the way out when the key is lost")
	_, err = sealed(2).Update(ctx, key, put("minted anew", 0))
	require.NoError(t, err)

	require.NoError(t, rdb.Set(ctx, "webanklive:{another-key}", first, 0).Err())
	_, err = s.Load(ctx, "another-key")
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
