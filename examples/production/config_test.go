//go:build unix

package main

// What the environment may say.

import (
	"encoding/hex"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfig_RefusesWhatIsHalfConfigured(t *testing.T) {
	t.Parallel()
	const secret = "S3cr3t0123456789S3cr3t0123456789"
	key := file(t, strings.Repeat("k", 32)+"\n")
	full := map[string]string{"WEBANK_APP_ID": "TIDA0001", "WEBANK_SECRET": secret, "SESSION_KEY_FILE": key, "SITE_URL": "https://shop.example"}
	_, err := readConfig(lookup(full))
	require.NoError(t, err)
	sandbox, err := readConfig(lookup(nil))
	require.NoError(t, err)
	assert.Equal(t, []any{"127.0.0.1:8080", 5.0, 3 * time.Second}, []any{sandbox.listen, sandbox.rate, sandbox.drain}, "as README.md says")

	for name, change := range map[string]map[string]string{
		"app ID without a secret":             {"WEBANK_SECRET": ""},
		"secret without an app ID":            {"WEBANK_APP_ID": ""},
		"a public site without both":          {"WEBANK_APP_ID": "", "WEBANK_SECRET": ""},
		"two secrets":                         {"WEBANK_SECRET_FILE": file(t, secret)},
		"a secret file that is not there":     {"WEBANK_SECRET": "", "WEBANK_SECRET_FILE": "/does/not/exist"},
		"a secret file that is empty":         {"WEBANK_SECRET": "", "WEBANK_SECRET_FILE": file(t, "\n")},
		"one address of a platform":           {"WEBANK_API_URL": "https://other.example"},
		"no session key":                      {"SESSION_KEY_FILE": ""},
		"a session key of 31 bytes and a LF":  {"SESSION_KEY_FILE": file(t, strings.Repeat("k", 31)+"\n")},
		"a short store key":                   {"WEBANK_STORE_KEY": "abcd"},
		"two store keys":                      {"WEBANK_STORE_KEY": strings.Repeat("ab", 32), "WEBANK_STORE_KEY_FILE": file(t, strings.Repeat("ab", 32))},
		"a store key file that is not there":  {"WEBANK_STORE_KEY_FILE": "/does/not/exist"},
		"a public site over http":             {"SITE_URL": "http://shop.example"},
		"a site below a path":                 {"SITE_URL": "https://shop.example/path"},
		"a rate of nothing":                   {"WEBANK_RATE": "0"},
		"a rate that is no number":            {"WEBANK_RATE": "NaN"},
		"a rate without an end":               {"WEBANK_RATE": "Inf"},
		"a delay that is none":                {"SHUTDOWN_DELAY": "3"},
		"an address to listen on, of nothing": {"LISTEN": "8080", "SITE_URL": ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(full)
			maps.Copy(env, change)
			_, err := readConfig(lookup(env))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestConfig_DerivesTheStoreKeyUnlessOneIsGiven(t *testing.T) {
	t.Parallel()
	key := file(t, strings.Repeat("k", 32)+"\n")
	derived, err := readConfig(lookup(map[string]string{"SESSION_KEY_FILE": key}))
	require.NoError(t, err)
	again, err := readConfig(lookup(map[string]string{"SESSION_KEY_FILE": file(t, strings.Repeat("k", 32))}))
	require.NoError(t, err)
	assert.Len(t, derived.storeKey, 32)
	assert.Equal(t, derived.storeKey, again.storeKey, "without the line end, the same on every replica")
	assert.NotEqual(t, derived.sessionKey, derived.storeKey)
	given, err := readConfig(lookup(map[string]string{"SESSION_KEY_FILE": key, "WEBANK_STORE_KEY": strings.Repeat("ab", 32)}))
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("ab", 32), hex.EncodeToString(given.storeKey))
}

func TestSessions_AreSecureExactlyWhenTheSiteIsHTTPS(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		recorder := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(recorder)
		c.Request = httptest.NewRequest("GET", "/", nil)
		session, user := sessions{key: []byte("key"), secure: secure}.of(c)
		assert.Contains(t, session, user, "the session changes with the user")
		require.Len(t, recorder.Result().Cookies(), 1)
		assert.Equal(t, secure, recorder.Result().Cookies()[0].Secure)
	}
}

func TestFakeNote_IsEmptyForTheVendorAlone(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"", "https://idasc.webank.com", "https://idasc.webank.com/"} {
		assert.Empty(t, fakeNote(api), api)
	}
	for _, api := range []string{"http://127.0.0.1:1/idasc", "https://idasc.webank.com.evil.example", "https://proxy.example"} {
		assert.NotEmpty(t, fakeNote(api), api)
	}
}

func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}
