package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestDoctor_ChecksOneThingALine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.run(t, exitDone, "doctor")
	assert.Contains(t, o.out, "credentials    app ID and secret are accepted; a credential was minted")
	assert.Regexp(t, `ok +token +new, refresh is due in (18|19|20|21|22)m, expires in (58|59)m`, o.out)
	assert.Regexp(t, `not checked +TLS`, o.out)
	assert.Equal(t, 10, strings.Count(o.out, "\n"))

	got := b.doctor(t, exitDone)
	assert.Len(t, got, 10)
	assert.Equal(t, "found in the store and accepted", got[nameCredential].Detail)
	assert.Contains(t, got[nameToken].Detail, "s old, refresh is due in")
	assert.Len(t, b.srv.Mints(), 1, "what is in the store is used")

	b.srv.Fail(livetest.NonceTicket, livetest.Fault{Code: "400502"}, -1)
	o = b.run(t, exitNo, "doctor")
	assert.Regexp(t, `failed +NONCE ticket`, o.out)
	assert.Empty(t, o.errOut)
}

func TestDoctor_NamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		got := bench{}.doctor(t, exitNo)
		assert.Contains(t, got[nameConfig].Detail, "WEBANK_APP_ID is not set; neither WEBANK_SECRET nor WEBANK_SECRET_FILE is set")
		for _, name := range []string{nameHost, nameTLS, nameClock, nameStore, nameSecret, nameCredential, nameToken, nameTicket} {
			assert.Equal(t, checkSkipped, got[name].Status, name)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		got := newBench(t).with("WEBANK_API_URL", "http://127.0.0.1:1/idasc").doctor(t, exitNo)
		assert.Equal(t, checkFailed, got[nameHost].Status)
		assert.Equal(t, checkFailed, got[nameCredential].Status)
		assert.Equal(t, checkOK, got[nameStore].Status)
	})
	t.Run("no store", func(t *testing.T) {
		t.Parallel()
		b, _ := remoteBench()
		got := b.doctor(t, exitUsage)
		assert.Equal(t, checkOK, got[nameHost].Status, "what needs no credential is checked")
		assert.Equal(t, checkOK, got[nameClock].Status)
		assert.Equal(t, check{nameStore, checkSkipped, "none is set"}, got[nameStore])
		assert.Equal(t, checkSkipped, got[nameCredential].Status)
		assert.Equal(t, checkWarning, b.doctor(t, exitDone, "--mint")[nameStore].Status)
	})
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
		require.NoError(t, os.Chmod(dir, 0o755))
		b := newBench(t)
		for store, want := range map[string]string{
			"file:" + dir:                  "is open to other users",
			"redis://127.0.0.1:1/0":        "connection refused",
			"redis://:pass word@x":         "must be file:",
			"https://example.com":          "must be file:",
			"file://host/dir":              "must be file:",
			"redis://127.0.0.1/0?bogus=ab": "check the database number and the options",
		} {
			got := b.with("WEBANK_STORE", store).doctor(t, exitNo)
			assert.Equal(t, checkFailed, got[nameStore].Status, store)
			assert.Contains(t, got[nameStore].Detail, want)
		}
		assert.Zero(t, b.srv.Calls(livetest.AccessToken), "a store that fails is no reason to mint")
	})
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		for skew, want := range map[time.Duration]string{time.Minute: `^(59s|1m[01]s) behind`, -time.Hour: `^(59m59s|1h0m[01]s) ahead`} {
			b := newBench(t)
			b.srv.Advance(skew)
			got := b.doctor(t, exitDone) // a warning is no failure
			assert.Equal(t, checkWarning, got[nameClock].Status)
			assert.Regexp(t, want, got[nameClock].Detail)
		}
	})
	t.Run("secret", func(t *testing.T) {
		t.Parallel()
		got := newBench(t).with("WEBANK_SECRET", "wrong").doctor(t, exitNo)
		assert.Equal(t, checkFailed, got[nameCredential].Status)
		assert.Equal(t, checkSkipped, got[nameTicket].Status)
	})
}

func TestDoctor_ReadsTheCertificate(t *testing.T) {
	t.Parallel()
	b, p := remoteBench()
	ts := httptest.NewUnstartedServer(p)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshakes are meant
	ts.StartTLS()
	t.Cleanup(ts.Close)
	b = b.with("WEBANK_API_URL", ts.URL+"/idasc").with("WEBANK_H5_URL", ts.URL+"/ida")
	b.transport = ts.Client().Transport
	got := b.doctor(t, exitDone)[nameTLS]
	assert.Equal(t, check{nameTLS, checkOK, "TLS 1.3, the certificate expires on " + ts.Certificate().NotAfter.Format(time.DateOnly)}, got)

	b.transport = http.DefaultTransport // which does not know the certificate
	got = b.doctor(t, exitNo)[nameHost]
	assert.Equal(t, checkFailed, got.Status)
	assert.Contains(t, got.Detail, "certificate")
}

func TestDoctor_SaysThatTheSecretWasNotProved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run(t, exitDone, "doctor")
	got := b.with("WEBANK_SECRET", "wrong").doctor(t, exitDone)[nameSecret]
	assert.Equal(t, checkSkipped, got.Status)
	assert.Regexp(t, `^not proved: .*--refresh proves it`, got.Detail)
}

func TestDoctor_RefreshProvesTheSecretUnderTheLock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launched(t, "order1")
	before := b.stored(t)

	got := b.with("WEBANK_SECRET", "wrong").doctor(t, exitNo, "--refresh")
	assert.Equal(t, checkFailed, got[nameSecret].Status)
	assert.Regexp(t, `^not proved: .*code 400103`, got[nameSecret].Detail)
	assert.Equal(t, check{nameCredential, checkOK, "found in the store and accepted"}, got[nameCredential], "what is held stays in use")
	assert.Equal(t, before, b.stored(t))
	assert.Len(t, b.srv.Mints(), 1)

	got = b.doctor(t, exitDone, "--refresh")
	assert.Equal(t, checkOK, got[nameSecret].Status)
	assert.Regexp(t, `^proved: `, got[nameSecret].Detail)
	assert.NotEqual(t, before, b.stored(t), "the fleet's next one")
	assert.Len(t, b.srv.Mints(), 2)

	o := b.run(t, exitLater, "doctor", "--refresh")
	assert.Regexp(t, `(?m)^not checked +secret +not proved: .*less than a minute ago`, o.out)
	assert.Empty(t, o.errOut)
	o = b.run(t, exitLater, "doctor", "--refresh", "--json")
	assert.Equal(t, "throttled", o.errorClass(t))
	assert.Equal(t, false, o.object(t)["ok"])
	assert.Len(t, b.srv.Mints(), 2)
}

// One in a wrong place must not start a second credential.
func TestDoctor_RefreshStartsNoEmptyStore(t *testing.T) {
	t.Parallel()
	b, p := remoteBench()
	assert.Contains(t, b.run(t, exitUsage, "doctor", "--refresh").out, "not proved: no store")
	b = b.with("WEBANK_STORE", "file:"+filepath.Join(t.TempDir(), "store"))
	got := b.doctor(t, exitNo, "--refresh")[nameSecret]
	assert.Regexp(t, "^not proved: .*--mint starts one", got.Detail)
	assert.Zero(t, p.Calls(livetest.AccessToken))
	b.run(t, exitDone, "doctor", "--refresh", "--mint")
	assert.Len(t, p.Mints(), 1)
}
