package main

// launch, callback, result, doctor and sandbox against the fake platform.

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestLaunchPrintsTheLinkAlone(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	for _, entry := range []string{"h5", "wechat", "pc"} {
		o := b.run(t, "launch", "--user", "u"+entry, "--callback", "https://shop.example/done", "--entry", entry, "--skip-result-page")
		require.Zero(t, o.exit, o.errOut)
		assert.Regexp(t, `^`+srv.H5URL+`/api/\w+/livelogin\?[^\s]+\n$`, o.out)
		assert.Contains(t, o.out, "resultType=1")
		assert.Contains(t, o.errOut, "works once and dies in two minutes")
		assert.Regexp(t, `(?m)^order w[A-Z2-7]+$`, o.errOut)
		_, err := srv.Visit(t.Context(), strings.TrimSpace(o.out), livetest.Passing())
		require.NoError(t, err)
	}
	assert.Len(t, srv.Mints(), 1, "all runs share the store")

	o := b.run(t, "launch", "--user", "u1", "--callback", "https://shop.example/done", "--order", "order1", "--json", "--qr")
	assert.Contains(t, o.errOut, "██ █▄▄▄█ ██", "the QR code of --json is not in the JSON")
	o.errOut = ""
	object := o.object(t)
	assert.Equal(t, "order1", object["order_no"])
	assert.InDelta(t, 120, object["expires_in_seconds"], 0)
	_, err := srv.Visit(t.Context(), object["url"].(string), livetest.Passing())
	require.NoError(t, err)
}

func TestCallbackTellsWhatTheBrowserBrought(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	passed, err := srv.Visit(t.Context(), b.launched(t, "order1"), livetest.Passing())
	require.NoError(t, err)
	failed := "https://shop.example/done?" + srv.CallbackQuery("order2", "-5016", "").Encode()
	_, query, _ := strings.Cut(passed, "?")

	for name, try := range map[string]struct {
		stdin string
		args  []string
		exit  int
		want  []string
	}{
		"URL":             {"", []string{"--order", "order1", passed}, 0, []string{"code     0", "yes, by the platform", "score    95 (not signed)", "decides nothing"}},
		"query":           {"", []string{"--order", "order1", query}, 0, []string{"yes, by the platform"}},
		"standard input":  {"'" + passed + "'\n", []string{"--order", "order1", "-"}, 0, []string{"yes, by the platform"}},
		"no argument":     {"?" + query, []string{"--order", "order1"}, 0, []string{"yes, by the platform"}},
		"failed check":    {"", []string{"--order", "order2", failed}, 0, []string{"code     -5016", "meaning  ", "yes, by the platform"}},
		"unsigned":        {"", []string{"--order", "order1", "https://shop.example/?code=3001&orderNo=order1"}, exitNo, []string{"code     3001", "signed   no"}},
		"unknown code":    {"", []string{"--order", "order1", "https://shop.example/?code=-987654&orderNo=order1"}, exitNo, []string{"no vendor page names this code"}},
		"another order":   {"", []string{"--order", "order2", passed}, exitNo, []string{"orderNo is not the expected one"}},
		"tampered":        {"", []string{"--order", "order2", strings.Replace(failed, "-5016", "0", 1)}, exitNo, []string{"the signature does not match"}},
		"no order":        {"", []string{passed}, exitUsage, []string{"--order is missing"}},
		"two arguments":   {"", []string{"--order", "order1", "a", "b"}, exitUsage, []string{"put it in quotes"}},
		"no query":        {"", []string{"--order", "order1", "https://shop.example/done"}, exitUsage, []string{"no callback"}},
		"nothing on pipe": {"", []string{"--order", "order1"}, exitUsage, []string{"standard input is empty"}},
		"bad order":       {"", []string{"--order", "a/b", passed}, exitUsage, []string{"OrderNo must be"}},
	} {
		b := b
		b.stdin = try.stdin
		o := b.run(t, append([]string{"callback"}, try.args...)...)
		assert.Equal(t, try.exit, o.exit, "%s: %s", name, o.errOut)
		for _, want := range try.want {
			assert.Contains(t, o.out+o.errOut, want, name)
		}
	}

	object := b.run(t, "callback", "--json", "--order", "order2", failed).object(t)
	assert.Equal(t, "not_passed", object["class"])
	assert.Equal(t, true, object["signed"])
	assert.Equal(t, false, object["decides"])
	assert.NotEmpty(t, object["meaning"])
	assert.NotEmpty(t, object["message"])
	o := b.run(t, "callback", "--json", "--order", "order1", "code=3001&orderNo=order1")
	assert.Equal(t, "unsigned_callback", o.errorClass(t))
	assert.Equal(t, "3001", o.object(t)["code"], "answer and error are one object")
	assert.Equal(t, "bad_callback", b.run(t, "callback", "--json", "--order", "order3", failed).errorClass(t))
}

func TestCallbackWithoutTheStoreThatSignedItIsNoForgery(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	callback, err := srv.Visit(t.Context(), b.launched(t, "order1"), livetest.Passing())
	require.NoError(t, err)
	o := b.with("WEBANK_STORE", "").run(t, "callback", "--order", "order1", callback)
	assert.Equal(t, exitUsage, o.exit)
	assert.Contains(t, o.errOut, "set WEBANK_STORE")
}

func TestResultExitsByTheDecision(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("passed1", livetest.Passing())
	srv.AddResult("failed1", livetest.Failing("-5016"))
	srv.AddResult("unknown1", livetest.Failing("-987654"))
	b := newBench(t, srv)
	for _, try := range []struct {
		order, class string
		exit         int
		want         string
	}{
		{"passed1", "", 0, "passed\norder    passed1\n"},
		{"failed1", "not_passed", exitNo, "not passed\n"},
		{"unknown1", "not_passed", exitNo, "code     -987654"},
		{"missing1", "not_ready", exitNotReady, "webanklive: get live result: code 66660011"},
		{"a/b", "invalid_request", exitUsage, "OrderNo must be"},
	} {
		o := b.run(t, "result", try.order)
		assert.Equal(t, try.exit, o.exit, try.order)
		assert.Contains(t, o.out+o.errOut, try.want)
		o = b.run(t, "result", try.order, "--json")
		assert.Equal(t, try.exit, o.exit)
		if try.class == "" {
			object := o.object(t)
			assert.Equal(t, true, object["passed"])
			assert.Equal(t, "95", object["live_rate"])
			_, err := time.Parse(time.RFC3339, object["occurred_at"].(string))
			require.NoError(t, err)
			continue
		}
		assert.Equal(t, try.class, o.errorClass(t))
		if try.class == "not_passed" {
			assert.Equal(t, false, o.object(t)["passed"])
		} else {
			assert.NotContains(t, o.object(t), "passed", "nobody decided")
		}
	}
}

// The exit codes that --help documents, by what the platform does.
func TestExitCodeTellsWhatToDo(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		endpoint livetest.Endpoint
		fault    livetest.Fault
		exit     int
		class    string
	}{
		"gateway fails":      {livetest.LiveResult, livetest.Fault{Status: 502}, exitLater, "unavailable"},
		"too many calls":     {livetest.LiveResult, livetest.Fault{Code: "400506"}, exitLater, "throttled"},
		"hangs":              {livetest.LiveResult, livetest.Fault{Hang: true}, exitLater, "deadline"},
		"secret refused":     {livetest.AccessToken, livetest.Fault{Code: "400101"}, exitRefused, "credential"},
		"signature refused":  {livetest.LiveResult, livetest.Fault{Code: "400101"}, exitRefused, "credential"},
		"contract expired":   {livetest.LiveResult, livetest.Fault{Code: "66660002"}, exitRefused, "account"},
		"request is refused": {livetest.LiveResult, livetest.Fault{Code: "66660013"}, exitUsage, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := livetest.NewServer(t)
			srv.AddResult("order1", livetest.Passing())
			srv.Fail(try.endpoint, try.fault, -1)
			args := []string{"result", "order1", "--json"}
			if try.fault.Hang {
				args = append(args, "--timeout", "300ms")
			}
			o := newBench(t, srv).run(t, args...)
			assert.Equal(t, try.class, o.errorClass(t))
			assert.Equal(t, try.exit, o.exit)
			failed := o.object(t)["error"].(map[string]any)
			assert.Equal(t, try.exit == exitLater, failed["retryable"])
			assert.Equal(t, try.fault.Code, failed["code"])
		})
	}
}

func TestWaitGoesOnUntilThereIsAResult(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	srv.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, 1)
	b := newBench(t, srv)
	o := b.run(t, "result", "order1", "--wait", "20s")
	assert.Zero(t, o.exit, o.errOut)
	assert.Equal(t, 2, srv.Calls(livetest.LiveResult))

	o = b.run(t, "result", "missing1")
	assert.Contains(t, o.errOut, "--wait 30s goes on asking")
	o = b.run(t, "result", "missing1", "--wait", "1ms")
	assert.Equal(t, exitNotReady, o.exit)
	assert.NotContains(t, o.errOut, "--wait")
	o = b.run(t, "result", "missing1", "--wait", "1m", "--timeout", "300ms")
	assert.Equal(t, exitLater, o.exit)
	assert.Equal(t, b.fakeLine()+"webanklive: no result yet: context deadline exceeded\n", o.errOut)
	for _, wait := range []string{"73h", "2562047h"} {
		o = b.run(t, "result", "order1", "--wait", wait)
		assert.Equal(t, exitUsage, o.exit, wait)
	}
}

func TestWaitGoesOnUntilThereAreMedia(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	srv.SetMediaLag(time.Second)
	b := newBench(t, srv)
	dir := t.TempDir()
	photo := filepath.Join(dir, "p.jpg")
	o := b.run(t, "result", "order1", "--photo", photo)
	assert.Equal(t, exitNotReady, o.exit)
	assert.Contains(t, o.out, "passed\n", "the decision is there")
	assert.Contains(t, o.errOut, "no photo, or not yet; nothing was saved; --wait 30s goes on asking")
	o = b.run(t, "result", "order1", "--photo", photo, "--wait", "1ms")
	assert.Equal(t, exitNotReady, o.exit)
	assert.NotContains(t, o.errOut, "--wait")
	assert.Empty(t, names(t, dir))
	o = b.run(t, "result", "order1", "--photo", photo, "--wait", "20s")
	assert.Zero(t, o.exit, o.errOut)
	assert.Equal(t, []string{"p.jpg"}, names(t, dir))
}

func TestWithoutAStoreTheFleetIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, p := remoteBench(t)
	p.AddResult("order1", livetest.Passing())
	for _, args := range [][]string{
		{"result", "order1"}, {"callback", "--order", "order1", "code=0&orderNo=order1&newSignature=x"},
		{"launch", "--user", "u1", "--callback", "https://shop.example/"}, {"doctor"},
	} {
		o := b.run(t, args...)
		assert.Equal(t, exitUsage, o.exit, args)
		assert.Contains(t, o.out+o.errOut, "the fleet's would die a minute later", args)
		assert.Contains(t, o.out+o.errOut, "--mint", args)
	}
	assert.Zero(t, p.Calls(livetest.AccessToken))

	assert.Zero(t, b.run(t, "result", "order1", "--mint").exit)
	assert.Equal(t, 1, p.Calls(livetest.AccessToken))
	stored := b.with("WEBANK_STORE", "file:"+filepath.Join(t.TempDir(), "store"))
	o := stored.run(t, "result", "order1")
	assert.Equal(t, exitUsage, o.exit, "an empty store may be a mistyped one")
	assert.Contains(t, o.errOut, "--mint starts one")
	assert.Equal(t, 1, p.Calls(livetest.AccessToken))
	assert.Zero(t, stored.run(t, "result", "order1", "--mint").exit)
	assert.Zero(t, stored.run(t, "result", "order1").exit, "a store with a credential needs no --mint")
}

func TestDoctorChecksOneThingALine(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	b := newBench(t, srv)
	o := b.run(t, "doctor")
	assert.Zero(t, o.exit, o.out)
	assert.Contains(t, o.out, "credentials    app ID and secret are accepted; a credential was minted")
	assert.Regexp(t, `ok +token +new, refresh is due in (18|19|20|21|22)m, expires in (58|59)m`, o.out)
	assert.Regexp(t, `not checked +TLS`, o.out)
	assert.Equal(t, 10, strings.Count(o.out, "\n"))

	o = b.run(t, "doctor", "--json")
	assert.Zero(t, o.exit)
	object := o.object(t)
	assert.Equal(t, true, object["ok"])
	assert.Contains(t, o.out, `"found in the store and accepted"`)
	assert.Contains(t, o.out, "s old, refresh is due in")
	assert.Len(t, srv.Mints(), 1, "what is in the store is used")
	assert.Len(t, object["checks"], 10)

	srv.Fail(livetest.NonceTicket, livetest.Fault{Code: "400502"}, -1)
	o = b.run(t, "doctor")
	assert.Equal(t, exitNo, o.exit)
	assert.Regexp(t, `failed +NONCE ticket`, o.out)
	assert.Empty(t, o.errOut)
}

// checks are the lines of doctor --json by name.
func checks(t *testing.T, o outcome) map[string]check {
	t.Helper()
	var answer doctorAnswer
	require.NoError(t, json.Unmarshal([]byte(o.out), &answer))
	byName := map[string]check{}
	for _, c := range answer.Checks {
		byName[c.Name] = c
	}
	return byName
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		o := bench{}.run(t, "doctor", "--json")
		assert.Equal(t, exitNo, o.exit)
		got := checks(t, o)
		assert.Contains(t, got[nameConfig].Detail, "WEBANK_APP_ID is not set; neither WEBANK_SECRET nor WEBANK_SECRET_FILE is set")
		for _, name := range []string{nameHost, nameTLS, nameClock, nameStore, nameSecret, nameCredential, nameToken, nameTicket} {
			assert.Equal(t, checkSkipped, got[name].Status, name)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		srv := livetest.NewServer(t)
		b := newBench(t, srv).with("WEBANK_API_URL", "http://127.0.0.1:1/idasc")
		got := checks(t, b.run(t, "doctor", "--json"))
		assert.Equal(t, checkFailed, got[nameHost].Status)
		assert.Equal(t, checkFailed, got[nameCredential].Status)
		assert.Equal(t, checkOK, got[nameStore].Status)
	})
	t.Run("no store", func(t *testing.T) {
		t.Parallel()
		b, _ := remoteBench(t)
		o := b.run(t, "doctor", "--json")
		got := checks(t, o)
		assert.Equal(t, checkOK, got[nameHost].Status, "what needs no credential is checked")
		assert.Equal(t, checkOK, got[nameClock].Status)
		assert.Equal(t, check{nameStore, checkSkipped, "none is set"}, got[nameStore])
		assert.Equal(t, checkSkipped, got[nameCredential].Status)
		assert.Equal(t, exitUsage, o.exit)
		assert.Equal(t, checkWarning, checks(t, b.run(t, "doctor", "--json", "--mint"))[nameStore].Status)
	})
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		srv := livetest.NewServer(t)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
		require.NoError(t, os.Chmod(dir, 0o755))
		b := newBench(t, srv)
		for store, want := range map[string]string{
			"file:" + dir:                  "is open to other users",
			"redis://127.0.0.1:1/0":        "connection refused",
			"redis://:pass word@x":         "must be file:",
			"https://example.com":          "must be file:",
			"file://host/dir":              "must be file:",
			"redis://127.0.0.1/0?bogus=ab": "check the database number and the options",
		} {
			o := b.with("WEBANK_STORE", store).run(t, "doctor", "--json")
			got := checks(t, o)
			assert.Equal(t, checkFailed, got[nameStore].Status, store)
			assert.Contains(t, got[nameStore].Detail, want)
			assert.Equal(t, exitNo, o.exit)
		}
		assert.Zero(t, srv.Calls(livetest.AccessToken), "a store that fails is no reason to mint")
	})
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		for skew, want := range map[time.Duration]string{time.Minute: `^(59s|1m[01]s) behind`, -time.Hour: `^(59m59s|1h0m[01]s) ahead`} {
			srv := livetest.NewServer(t)
			srv.Advance(skew)
			o := newBench(t, srv).run(t, "doctor", "--json")
			got := checks(t, o)
			assert.Equal(t, checkWarning, got[nameClock].Status)
			assert.Regexp(t, want, got[nameClock].Detail)
			assert.Zero(t, o.exit, "a warning is no failure")
		}
	})
	t.Run("secret", func(t *testing.T) {
		t.Parallel()
		o := newBench(t, livetest.NewServer(t)).with("WEBANK_SECRET", "wrong").run(t, "doctor", "--json")
		assert.Equal(t, exitNo, o.exit)
		got := checks(t, o)
		assert.Equal(t, checkFailed, got[nameCredential].Status)
		assert.Equal(t, checkSkipped, got[nameTicket].Status)
	})
}

func TestDoctorReadsTheCertificate(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	ts := httptest.NewUnstartedServer(p)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshakes are meant
	ts.StartTLS()
	t.Cleanup(ts.Close)
	b := bench{transport: ts.Client().Transport, env: map[string]string{
		"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET": p.Secret(), "WEBANK_API_URL": ts.URL + "/idasc", "WEBANK_H5_URL": ts.URL + "/ida",
	}}
	got := checks(t, b.run(t, "doctor", "--json"))
	assert.Equal(t, checkOK, got[nameTLS].Status)
	assert.Equal(t, "TLS 1.3, the certificate expires on "+ts.Certificate().NotAfter.Format(time.DateOnly), got[nameTLS].Detail)

	b.transport = http.DefaultTransport // which does not know the certificate
	got = checks(t, b.run(t, "doctor", "--json"))
	assert.Equal(t, checkFailed, got[nameHost].Status)
	assert.Contains(t, got[nameHost].Detail, "certificate")
}

func TestRedisStoreIsSharedWithTheFleet(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	redis.RequireAuth("REDISPASSWORD")
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	b := newBench(t, srv)
	address := "redis://:REDISPASSWORD@" + redis.Addr() + "/0?prefix=shop"
	b = b.with("WEBANK_STORE", address)
	for range 2 {
		assert.Zero(t, b.run(t, "result", "order1").exit)
	}
	assert.Len(t, srv.Mints(), 1)
	require.NotEmpty(t, redis.Keys())
	assert.True(t, strings.HasPrefix(redis.Keys()[0], "shop:"), redis.Keys())
	o := b.run(t, "doctor")
	assert.Contains(t, o.out, "redis://"+redis.Addr()+"/0 can be read")
	assert.NotContains(t, o.out+o.errOut, "REDISPASSWORD")

	o = b.with("WEBANK_STORE", "").run(t, "result", "order1", "--store", address)
	assert.Equal(t, exitUsage, o.exit)
	assert.Contains(t, o.errOut, "set WEBANK_STORE instead")
	assert.NotContains(t, o.errOut, "REDISPASSWORD")
	o = b.with("WEBANK_STORE", strings.Replace(address, "REDISPASSWORD", "WRONGPASSWORD", 1)).run(t, "result", "order1")
	assert.Equal(t, exitLater, o.exit)
	assert.NotContains(t, o.errOut, "WRONGPASSWORD")

	// A value that only the fleet can read, as with WithEncryption, is not replaced.
	for _, key := range redis.Keys() {
		require.NoError(t, redis.Set(key, "\x01sealed"))
	}
	o = b.run(t, "result", "order1")
	assert.Equal(t, exitUsage, o.exit, "trying again does not help")
	assert.Contains(t, o.errOut, "WithEncryption")
	assert.Len(t, srv.Mints(), 1)
	for _, key := range redis.Keys() {
		value, err := redis.Get(key)
		require.NoError(t, err)
		assert.Equal(t, "\x01sealed", value)
	}
}

// A mint that nobody waits for any more would leave the fleet with a dying token if the command ended first.
func TestInterruptedCommandStillPutsItsMintIntoTheStore(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	b := newBench(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	srv.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte {
		cancel()
		return body
	}}, 1)
	srv.Fail(livetest.SignTicket, livetest.Fault{Delay: time.Second}, 1)
	o := b.runIn(t, ctx, "result", "order1")
	assert.Equal(t, exitInterrupted, o.exit)
	assert.Contains(t, o.errOut, "finishing the credential", "why Ctrl-C takes a while")
	assert.Contains(t, b.stored(t), "sign_ticket", "when the command is back, the credential is in the store")
	require.Zero(t, b.run(t, "result", "order1").exit)
	assert.Len(t, srv.Mints(), 1)
}

// A credential for this process alone, and one that somebody else is making, are nothing to wait for.
func TestCommandThatEndsEarlyWaitsForItsOwnMintAlone(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	srv.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte {
		asked <- struct{}{}
		<-answer
		return body
	}}, 2)
	b := newBench(t, srv)
	other := make(chan outcome, 1)
	go func() { other <- b.run(t, "doctor") }()
	<-asked
	for name, store := range map[string]string{"locked": b.env["WEBANK_STORE"], "none": ""} {
		began := time.Now()
		o := b.with("WEBANK_STORE", store).run(t, "result", "order1", "--timeout", "300ms")
		assert.Equal(t, exitLater, o.exit, name)
		assert.Less(t, time.Since(began), 4*time.Second, name)
	}
	close(answer)
	assert.Zero(t, (<-other).exit)
}

func TestSandboxConfiguresAndTellsRefusals(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"human", "json"} {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		out, outWriter := io.Pipe()
		errOut, errWriter := io.Pipe()
		exit := make(chan int, 1)
		args := []string{"sandbox", "--addr", "127.0.0.1:0", "--lag", "1h"}
		if format == "json" {
			args = append(args, "--json")
		}
		go func() {
			a := &app{env: func(string) string { return "" }, in: strings.NewReader(""), out: outWriter, errOut: errWriter}
			exit <- a.run(ctx, args)
		}()
		told := make(chan string, 100)
		go func() {
			for lines := bufio.NewScanner(errOut); lines.Scan(); {
				told <- lines.Text()
			}
		}()
		b := bench{env: map[string]string{}}
		lines := bufio.NewScanner(out)
		if format == "json" {
			require.True(t, lines.Scan())
			var answer sandboxAnswer
			require.NoError(t, json.Unmarshal(lines.Bytes(), &answer))
			b.env = map[string]string{
				"WEBANK_APP_ID": answer.AppID, "WEBANK_SECRET": answer.Secret, "WEBANK_API_URL": answer.APIURL,
				"WEBANK_H5_URL": answer.H5URL, "WEBANK_STORE": answer.Store,
			}
		} else {
			for range 5 {
				require.True(t, lines.Scan())
				name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
				require.True(t, ok, lines.Text())
				b.env[name] = value
			}
			assert.Contains(t, <-told, "Ctrl-C ends it")
		}
		require.Zero(t, b.run(t, "doctor").exit)
		link := b.launched(t, "order1")
		for _, want := range []int{http.StatusOK, http.StatusForbidden} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
			require.NoError(t, err)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, want, res.StatusCode, "a link works once")
		}
		assert.Contains(t, <-told, "refused: livelogin: ", "and nothing that doctor asked")
		store := strings.TrimPrefix(b.env["WEBANK_STORE"], "file:")
		assert.DirExists(t, store)

		go io.Copy(io.Discard, out)
		cancel()
		assert.Zero(t, <-exit)
		assert.NoDirExists(t, store)
	}
	o := bench{}.run(t, "sandbox", "--addr", "nonsense")
	assert.Equal(t, exitUsage, o.exit)
}

// A mistyped store, prefix or app ID finds nothing, and must not end the fleet's token.
func TestEmptyStoreIsNotStartedByAccident(t *testing.T) {
	t.Parallel()
	fleet := &watchedStore{CredentialStore: webanklive.NewMemoryStore()}
	mint := func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte("{}"), 0, nil }
	_, err := fleet.Update(t.Context(), "key", mint)
	require.ErrorIs(t, err, errEmptyStore)
	fleet.mayStart = true
	_, err = fleet.Update(t.Context(), "key", mint)
	require.NoError(t, err)
	fleet.mayStart = false
	_, err = fleet.Update(t.Context(), "key", mint)
	require.NoError(t, err, "a refresh of what is there")
}

func TestOddInputIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t, livetest.NewServer(t))
	for _, args := range [][]string{
		{"ticket=geheim", "sign"}, {"--=geheim"}, {"doctor", "--store", "redis:user:geheim@host"},
	} {
		o := b.run(t, args...)
		assert.NotZero(t, o.exit, args)
		assert.NotContains(t, o.out+o.errOut, "geheim", args)
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ev"), 0o700))
	require.NoError(t, os.Symlink("ev", filepath.Join(dir, "ev2")))
	o := b.run(t, "result", "order1", "--photo", filepath.Join(dir, "ev", "a"), "--video", filepath.Join(dir, "ev2", "A"))
	assert.Equal(t, exitUsage, o.exit, "one file for both")
}
