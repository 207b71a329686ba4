package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestSecrets_NoCommandShowsOne(t *testing.T) {
	t.Parallel()
	const marker = "MARKERTHATNOBODYMAYSEE"
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
	for name, spoil := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.srv.SetMarker(marker)
			spoil(b.srv)
			b = b.with("WEBANK_SECRET", b.srv.Secret()).with("WEBANK_TICKET", marker+"TICKET")
			b.stdin = marker
			ticket, other, photos := writeFile(t, marker), writeFile(t, "OTHER"+marker), t.TempDir()
			for i, command := range commands {
				for n, more := range [][]string{{}, {"-v"}, {"--json"}, {"--json", "-v"}} {
					names := strings.NewReplacer("@TICKET", "@"+ticket, "@OTHER", "@"+other, "PHOTO", filepath.Join(photos, fmt.Sprint(i, "-", n)))
					var args []string
					for _, arg := range command {
						args = append(args, names.Replace(arg))
					}
					args = append(append(args, more...), "--timeout", "2s")
					o := b.runIn(t.Context(), args...)
					if args[0] == "launch" {
						b.srv.Advance(2 * time.Second) // the next NONCE ticket of that user
					}
					assert.NotContains(t, o.out, marker, args)
					assert.NotContains(t, o.errOut, marker, args)
				}
			}
			sent := b.srv.Requests(livetest.AccessToken)
			require.NotEmpty(t, sent)
			assert.Contains(t, sent[0].Query.Get("secret"), marker, "the marker was sent")
			if name == "working" {
				launches := b.srv.Requests(livetest.NonceTicket)
				require.NotEmpty(t, launches)
				assert.Contains(t, launches[0].Query.Get("access_token"), marker)
				assert.Contains(t, b.stored(t), marker)
			}
		})
	}
}
