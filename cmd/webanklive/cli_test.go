package main

// What all commands have in common, and the commands that need no platform.

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

func TestCodesAreFoundByCodeAndByTextInBothLanguages(t *testing.T) {
	t.Parallel()
	one, ok := webanklive.LookupCode("66660011")
	require.True(t, ok)
	for text, want := range map[string]string{
		"66660011": one.Message, "-5013": "class    not_passed (quality)", "无此查询结果": "66660011",
		"no result for this query": "66660011", "NOT_READY": "66660018", "遮挡": "-5012",
	} {
		o := bench{}.run(t, "codes", text)
		assert.Zero(t, o.exit, text)
		assert.Contains(t, o.out, want, text)
		object := bench{}.run(t, "codes", "--json", text).object(t)
		assert.NotEmpty(t, object["codes"], text)
	}
	o := bench{}.run(t, "codes", "0")
	assert.Contains(t, o.out, "class    passed", "the code itself comes before those that contain it")
	o = bench{}.run(t, "codes")
	assert.Equal(t, len(webanklive.Codes()), strings.Count(o.out, "\n"))
	object := bench{}.run(t, "codes", "--json").object(t)
	first := object["codes"].([]any)[0].(map[string]any)
	assert.Equal(t, webanklive.Codes()[0].Code, first["code"])
	for _, name := range []string{"class", "reason", "meaning", "message", "advice"} {
		assert.Contains(t, first, name)
	}

	for text, want := range map[string]string{"-987654": "it means not passed", "no such words": "nothing in the catalogue"} {
		o := bench{}.run(t, "codes", text)
		assert.Equal(t, exitNo, o.exit)
		assert.Contains(t, o.errOut, want)
		assert.Equal(t, "unknown_code", bench{}.run(t, "codes", "--json", text).errorClass(t))
	}
	assert.Equal(t, exitUsage, bench{}.run(t, "codes", "a", "b").exit)
}

func TestHelpDocumentsConfigurationAndEveryExitCode(t *testing.T) {
	t.Parallel()
	o := bench{}.run(t, "--help")
	assert.Zero(t, o.exit)
	for _, name := range []string{
		"WEBANK_APP_ID", "WEBANK_SECRET ", "WEBANK_SECRET_FILE", "WEBANK_STORE ", "WEBANK_STORE_KEY ", "WEBANK_STORE_KEY_FILE", "redis+cluster://", "redis+sentinel://", "WEBANK_API_URL", "WEBANK_H5_URL", "NO_COLOR",
		"\n  0  ", "\n  1  ", "\n  2  ", "\n  3  ", "\n  4  ", "\n  5  ", "\n  130  ",
		"sign", "launch", "callback", "result", "codes", "doctor", "sandbox", "version", "completion",
	} {
		assert.Contains(t, o.out, name)
	}
	for _, command := range []string{"sign", "launch", "callback", "result", "codes", "doctor", "sandbox", "version"} {
		o := bench{}.run(t, command, "--help", "--json")
		assert.Zero(t, o.exit)
		assert.Contains(t, o.out, "Usage:", command)
	}
}

func TestMistakesOfUseAreOneLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nonsense"}, {"-x"}, {"resultt"}, {"result"}, {"result", "a", "b"}, {"result", "a", "--timeout", "soon"}, {"version", "x"},
		{"doctor", "x"}, {"launch", "x"}, {"sandbox", "x"}, {"launch", "--entry", "tv"}, {"sign"}, {"sign", "=x"},
		{"sign", "--url", "nothing"}, {"sign", "--url", "https://x/?nonce=1&nonce=2"}, {"sign", "--url", "https://x/?nonce=%zz"},
	} {
		o := bench{}.run(t, args...)
		assert.Equal(t, exitUsage, o.exit, args)
		assert.Regexp(t, `^webanklive: [^\n]+\n$`, o.errOut, args)
		assert.Empty(t, o.out, args)
		o = bench{}.run(t, append(args, "--json")...)
		assert.Equal(t, exitUsage, o.exit, args)
		assert.Equal(t, "usage", o.errorClass(t), args)
	}
}

func TestInterruptEndsAReadFromTheTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t, livetest.NewServer(t))
	for _, args := range [][]string{{"callback", "--order", "order1"}, {"sign", "version=1.0.0", "ticket=@-"}} {
		ctx, cancel := context.WithCancel(t.Context())
		nothing, neverWritten := io.Pipe()
		t.Cleanup(func() { _ = neverWritten.Close() })
		var out, errOut bytes.Buffer
		a := &app{env: func(name string) string { return b.env[name] }, in: interrupting{nothing, cancel}, out: &out, errOut: &errOut}
		assert.Equal(t, exitInterrupted, a.run(ctx, args))
		assert.Equal(t, "webanklive: interrupted\n", errOut.String())
	}
}

// interrupting is a terminal at which somebody presses Ctrl-C instead of typing.
type interrupting struct {
	io.Reader
	interrupt func()
}

func (r interrupting) Read(b []byte) (int, error) {
	r.interrupt()
	return r.Reader.Read(b)
}

// An unset shell variable must not look like a flag that was left out.
func TestFlagsSayWhatTheyNeed(t *testing.T) {
	t.Parallel()
	for _, try := range []struct {
		want string
		args []string
	}{
		{"--photo is empty", []string{"result", "a", "--photo="}},
		{"--order is empty", []string{"launch", "--user", "u1", "--order", " "}},
		{"--check is empty", []string{"sign", "a=b", "--check", ""}},
		{"--store is empty", []string{"doctor", "--store", ""}},
		{"--timeout must not be negative", []string{"result", "a", "--timeout", "-1s"}},
		{"--lag must not be negative", []string{"sandbox", "--lag", "-1s"}},
		{"--wait needs a duration, such as 30s or 5m", []string{"result", "a", "--wait", "30"}},
		{"the value of ticket is a secret", []string{"sign", "a=b", "ticket="}},
	} {
		o := bench{}.run(t, try.args...)
		assert.Equal(t, exitUsage, o.exit, try.args)
		assert.Contains(t, o.errOut, "webanklive: "+try.want)
		assert.Equal(t, "usage", bench{}.run(t, append(try.args, "--json")...).errorClass(t))
	}
}

func TestSpeedIsOfTheTimeSinceTheFirstByte(t *testing.T) {
	t.Parallel()
	p := &progress{}
	p.video.Add(3 << 20)
	assert.Equal(t, "photo 0 B  video 3.0 MiB  1.5 MiB/s  1m0s", p.line(time.Minute, 2*time.Second))
}

func TestVersionTellsWhatWasBuilt(t *testing.T) {
	t.Parallel()
	o := bench{}.run(t, "version")
	assert.Regexp(t, `^webanklive \S+, SDK \S+, go1\S* \w+/\w+\n$`, o.out)
	object := bench{}.run(t, "version", "--json").object(t)
	assert.Len(t, object, 4)
}

func TestCompletionCompletesCommandsFlagsAndEntries(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]string{"bash": "complete -o", "zsh": "#compdef webanklive", "fish": "complete -c webanklive", "powershell": "Register-ArgumentCompleter"} {
		o := bench{}.run(t, "completion", shell)
		assert.Zero(t, o.exit)
		assert.Contains(t, o.out, want)
	}
	assert.Contains(t, bench{}.run(t, "__complete", "res").out, "result\t")
	assert.Contains(t, bench{}.run(t, "__complete", "result", "--pho").out, "--photo")
	assert.Contains(t, bench{}.run(t, "__complete", "launch", "--entry", "").out, "wechat")
}

func TestSizesReadLikeSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB", 5 << 50: "5120.0 TiB"} {
		assert.Equal(t, want, size(n))
	}
}
