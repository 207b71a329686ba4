package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestResult_ExitsByTheDecision(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.srv.AddResult("unknown1", livetest.Failing("-987654"))
	for _, try := range []struct {
		order, class string
		exit         int
		want         string
	}{
		{"passed1", "", exitDone, "passed\norder    passed1\n"},
		{"failed1", "not_passed", exitNo, "not passed\n"},
		{"unknown1", "not_passed", exitNo, "code     -987654"},
		{"missing1", "not_ready", exitNotReady, "webanklive: get live result: code 66660011"},
		{"a/b", "invalid_request", exitUsage, "OrderNo must be"},
	} {
		o := b.run(t, try.exit, "result", try.order)
		assert.Contains(t, o.out+o.errOut, try.want)
		o = b.run(t, try.exit, "result", try.order, "--json")
		object := o.object(t)
		switch try.class {
		case "":
			assert.Equal(t, true, object["passed"])
			assert.Equal(t, "95", object["live_rate"])
			_, err := time.Parse(time.RFC3339, object["occurred_at"].(string))
			require.NoError(t, err)
			continue
		case "not_passed":
			assert.Equal(t, false, object["passed"])
		default:
			assert.NotContains(t, object, "passed", "nobody decided")
		}
		assert.Equal(t, try.class, o.errorClass(t))
	}
}

// The exit codes that --help documents, by what the platform does.
func TestResult_ExitCodeTellsWhatToDo(t *testing.T) {
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
			b := newBench(t)
			b.srv.Fail(try.endpoint, try.fault, -1)
			args := []string{"result", "passed1", "--json"}
			if try.fault.Hang {
				args = append(args, "--timeout", "300ms")
			}
			o := b.run(t, try.exit, args...)
			assert.Equal(t, try.class, o.errorClass(t))
			failed := o.object(t)["error"].(map[string]any)
			assert.Equal(t, try.exit == exitLater, failed["retryable"])
			assert.Equal(t, try.fault.Code, failed["code"])
		})
	}
}

func TestResult_WaitGoesOnUntilThereIsAResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.srv.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, 1)
	b.run(t, exitDone, "result", "passed1", "--wait", "20s")
	assert.Equal(t, 2, b.srv.Calls(livetest.LiveResult))

	assert.Contains(t, b.run(t, exitNotReady, "result", "missing1").errOut, "--wait 30s goes on asking")
	assert.NotContains(t, b.run(t, exitNotReady, "result", "missing1", "--wait", "1ms").errOut, "--wait")
	o := b.run(t, exitLater, "result", "missing1", "--wait", "1m", "--timeout", "300ms")
	assert.Equal(t, b.fakeLine()+"webanklive: no result yet: context deadline exceeded\n", o.errOut)
	for _, wait := range []string{"73h", "2562047h"} {
		b.refuses(t, "--wait must not exceed", "result", "passed1", "--wait", wait)
	}
}

func TestResult_WaitGoesOnUntilThereAreMedia(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.srv.SetMediaLag(time.Second)
	dir := t.TempDir()
	args := []string{"result", "passed1", "--photo", filepath.Join(dir, "p.jpg")}
	o := b.run(t, exitNotReady, args...)
	assert.Contains(t, o.out, "passed\n", "the decision is there")
	assert.Contains(t, o.errOut, "no photo, or not yet; nothing was saved; --wait 30s goes on asking")
	assert.NotContains(t, b.run(t, exitNotReady, append(args, "--wait", "1ms")...).errOut, "--wait")
	assert.Empty(t, names(t, dir))
	b.run(t, exitDone, append(args, "--wait", "20s")...)
	assert.Equal(t, []string{"p.jpg"}, names(t, dir))
}
