package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

const marker = "MARKERTHATNOBODYMAYSEE"

func TestNoCommandShowsASecret(t *testing.T) {
	t.Parallel()
	commands := [][]string{
		{"launch", "--user", "u1", "--callback", "https://shop.example/done", "--qr"},
		{"result", "passed1"}, {"result", "failed1"}, {"result", "missing1"}, {"result", "a/b"},
		{"result", "passed1", "--photo", "PHOTO"},
		{"callback", "--order", "passed1", "code=0&orderNo=passed1&newSignature=" + strings.Repeat("A", 40)},
		{"callback", "--order", "passed1", "code=3001&orderNo=passed1"},
		{"doctor"}, {"codes", "0"}, {"version"}, {"--help"}, {"result", "--help"},
		{"sign", "version=1.0.0", "ticket=@TICKET", "--check", strings.Repeat("A", 40)},
		{"sign", "version=1.0.0", "ticket=@TICKET", "ticket=@OTHER", "--check", sha("1.0.0OTHER" + marker)},
		{"sign", "version=1.0.0"}, {"sign", "version=1.0.0", "ticket=" + marker}, {"sign", "version=1.0.0", marker},
		{"sign", "version=1.0.0", "ticket=@-"}, {"callback", "--order", "a1", "-"}, {"--store", "redis://:" + marker + "@x", "doctor"},
		{"result", "passed1", "--store", marker + "://x"},
	}
	faults := map[string]func(srv *livetest.Server){
		"working":           func(*livetest.Server) {},
		"secret refused":    func(srv *livetest.Server) { srv.Fail(livetest.AccessToken, livetest.Fault{Code: "400101"}, -1) },
		"signature refused": func(srv *livetest.Server) { srv.Fail(livetest.LiveResult, livetest.Fault{Code: "400101"}, -1) },
		"tickets refused":   func(srv *livetest.Server) { srv.Fail(livetest.NonceTicket, livetest.Fault{Code: "15"}, -1) },
		"gateway echoes": func(srv *livetest.Server) {
			srv.Fail(livetest.LiveResult, livetest.Fault{Status: 502, Body: "denied: " + srv.Secret()}, -1)
			srv.Fail(livetest.NonceTicket, livetest.Fault{Status: 502, Body: "denied: " + srv.Secret()}, -1)
		},
		"resets": func(srv *livetest.Server) {
			srv.Fail(livetest.LiveResult, livetest.Fault{Reset: true}, -1)
			srv.Fail(livetest.NonceTicket, livetest.Fault{Reset: true}, -1)
		},
	}
	for name, break_ := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := livetest.NewServer(t)
			srv.SetMarker(marker)
			srv.AddResult("passed1", livetest.Passing())
			srv.AddResult("failed1", livetest.Failing("-5016"))
			break_(srv)
			b := newBench(t, srv).with("WEBANK_TICKET", marker+"TICKET")
			b.stdin = marker
			dir := t.TempDir()
			for file, content := range map[string]string{"TICKET": marker, "OTHER": "OTHER" + marker} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
			}
			for i, command := range commands {
				for _, more := range [][]string{{}, {"-v"}, {"--json"}, {"--json", "-v"}} {
					var args []string
					for _, arg := range command {
						arg = strings.ReplaceAll(arg, "@TICKET", "@"+filepath.Join(dir, "TICKET"))
						arg = strings.ReplaceAll(arg, "@OTHER", "@"+filepath.Join(dir, "OTHER"))
						args = append(args, strings.ReplaceAll(arg, "PHOTO", filepath.Join(dir, fmt.Sprint("p", i, len(more), more))))
					}
					o := b.run(t, append(args, append(more, "--timeout", "2s")...)...)
					if args[0] == "launch" {
						srv.Advance(2 * time.Second) // the next NONCE ticket of that user
					}
					assert.NotContains(t, o.out, marker, args)
					assert.NotContains(t, o.errOut, marker, args)
				}
			}
			sent := srv.Requests(livetest.AccessToken)
			require.NotEmpty(t, sent)
			assert.Contains(t, sent[0].Query.Get("secret"), marker, "the marker was sent")
			if name == "working" {
				launches := srv.Requests(livetest.NonceTicket)
				require.NotEmpty(t, launches)
				assert.Contains(t, launches[0].Query.Get("access_token"), marker)
				assert.Contains(t, b.stored(t), marker)
			}
		})
	}
}

func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	root := (&app{}).rootCommand()
	for _, cmd := range append(root.Commands(), root) {
		for _, flags := range []string{cmd.Flags().FlagUsages(), cmd.PersistentFlags().FlagUsages()} {
			for _, line := range strings.Split(flags, "\n") {
				name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				assert.NotContains(t, []string{"--secret", "--ticket", "--token", "--password"}, name, cmd.Name())
			}
		}
	}
}

func TestSecretComesFromAFile(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("order1", livetest.Passing())
	file := writeFile(t, srv.Secret()+"\r\n")
	b := newBench(t, srv).with("WEBANK_SECRET", "")
	assert.Zero(t, b.with("WEBANK_SECRET_FILE", file).run(t, "result", "order1").exit)
	assert.Zero(t, b.run(t, "result", "order1", "--secret-file", file).exit)
	assert.Zero(t, b.with("WEBANK_SECRET", "wrong").run(t, "result", "order1", "--secret-file", file).exit, "the flag wins")
	assert.Len(t, srv.Mints(), 1)

	for want, b := range map[string]bench{
		"both set":                              b.with("WEBANK_SECRET", "x").with("WEBANK_SECRET_FILE", file),
		"no such file":                          b.with("WEBANK_SECRET_FILE", file+"x"),
		"neither WEBANK_SECRET":                 b,
		"both be set, or neither":               b.with("WEBANK_SECRET", "x").with("WEBANK_H5_URL", ""),
		"WEBANK_APP_ID is not set":              b.with("WEBANK_SECRET", "x").with("WEBANK_APP_ID", ""),
		"must be https, or http for a loopback": b.with("WEBANK_SECRET", "x").with("WEBANK_API_URL", "http://example.com"),
		"must not be empty or contain blanks":   b.with("WEBANK_SECRET", "a b"),
	} {
		o := b.run(t, "result", "order1")
		assert.Equal(t, exitUsage, o.exit, want)
		assert.Contains(t, o.errOut, want)
		assert.Regexp(t, `^webanklive: [^\n]+\n$`, o.errOut)
	}
}
