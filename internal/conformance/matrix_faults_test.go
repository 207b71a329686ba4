//go:build go1.25

package conformance_test

// The rows of the fault matrix: what can become of one request, and how a call that meets it for ever ends.

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing/iotest"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// A fault is what goes wrong, in one of four ways, and what follows. A call that meets it is tried three times, unless
// the fault says otherwise, and ends in a class.
type fault struct {
	name string
	at   func(call networkCall, at livetest.Endpoint) bool // nil: everywhere

	fault     *livetest.Fault          // of the platform
	err       error                    // instead of a reply
	change    func(res *http.Response) // of the true reply
	clockJump time.Duration            // of the local clock, while the request is under way

	class error  // nil: ErrUnavailable
	cause error  // what errors.Is finds besides, nil for nothing
	text  string // in the error

	works       bool          // there is no error, after one request
	once        bool          // asking again would not help
	refusal     bool          // the credential is replaced and the call repeated, once: the other one is fresh
	written     bool          // media reach a writer before, so a stream is not asked for again
	spoilsMedia bool          // ErrMedia instead of a class where the call asks for media: the code came
	silent      time.Duration // how long each try takes
	drips       bool          // each try takes as long as it may
	pause       time.Duration // between two tries, at least
}

// final says that the platform refused: asking again soon would not help.
func (f fault) final() bool {
	return errors.Is(f.class, webanklive.ErrCredential) || errors.Is(f.class, webanklive.ErrAccount) || errors.Is(f.class, webanklive.ErrInvalidRequest)
}

// requests is how many are sent to the endpoint that fails.
func (f fault) requests(call networkCall, at livetest.Endpoint) int {
	media := call.streams && at == livetest.LiveResult
	switch {
	case f.works, f.once, f.written && media:
		return 1
	case f.refusal && (at == livetest.AccessToken || at == livetest.SignTicket):
		return 1 // there is nothing to replace yet
	case f.refusal:
		return 2
	}
	return 3
}

// lasts is how long one try takes.
func (f fault) lasts(media bool) time.Duration {
	switch {
	case f.drips && media:
		return 10 * time.Minute
	case f.drips:
		return 30 * time.Second
	}
	return f.silent
}

func atMedia(call networkCall, at livetest.Endpoint) bool {
	return call.media && at == livetest.LiveResult
}

func atPhoto(call networkCall, at livetest.Endpoint) bool {
	return atMedia(call, at) && call.name != "GetLiveResult of the video"
}

func atResult(_ networkCall, at livetest.Endpoint) bool { return at == livetest.LiveResult }

func atGrants(_ networkCall, at livetest.Endpoint) bool { return at != livetest.LiveResult }

func atTickets(_ networkCall, at livetest.Endpoint) bool {
	return at == livetest.SignTicket || at == livetest.NonceTicket
}

// good is a reply that every endpoint could give, but for what it grants, with a life to fill in.
const good = `{"code":"0","access_token":"T","tickets":[{"value":"T","expire_in":%[1]s}],"expire_in":%[1]s,"photo":"` + clienttest.SixtyFour + `","video":"` + clienttest.SixtyFour + `"}`

// faults returns the rows anew for each reader, so that nobody shares what a row may keep.
func faults() []fault {
	const evil = "https://evil.example/"
	rows := []fault{
		// Before a byte of the reply.
		{name: "dial refused", err: dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), cause: syscall.ECONNREFUSED},
		{name: "dial timed out", err: dial(os.ErrDeadlineExceeded), text: "i/o timeout"},
		{name: "DNS failure", err: dial(&net.DNSError{Err: "no such host", Name: "idasc.livetest.invalid", IsNotFound: true}),
			text: "no such host"},
		{name: "unknown certificate", err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
			text: "unknown authority"},
		{name: "certificate of another host", err: x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"other.example"}}, Host: "idasc"},
			text: "other.example"},
		{name: "TLS too old", err: tls.AlertError(70), text: "protocol version"},
		{name: "hang before the header", fault: &livetest.Fault{Hang: true},
			text: "the platform was silent for 10s", silent: 10 * time.Second},
		{name: "reset before the header", fault: &livetest.Fault{Reset: true}, cause: syscall.ECONNRESET},

		// In the body.
		{name: "hang in the body", fault: &livetest.Fault{Hang: true, Bytes: 9},
			text: "the platform was silent for 10s", silent: 10 * time.Second},
		{name: "reset in the body", fault: &livetest.Fault{Reset: true, Bytes: 9}, cause: syscall.ECONNRESET},
		{name: "truncated at once", fault: &livetest.Fault{Truncate: true}, text: "EOF"},
		{name: "truncated", fault: &livetest.Fault{Truncate: true, Bytes: 9}, text: "EOF"},
		{name: "truncated in an orderly way", change: func(res *http.Response) {
			body := io.LimitReader(res.Body, 9)
			res.ContentLength, res.Body = -1, readCloser{body, res.Body}
		}, text: "not a JSON object"},
		{name: "hang in the media", at: atMedia, fault: &livetest.Fault{Hang: true, Bytes: 4000},
			spoilsMedia: true, written: true, silent: 10 * time.Second},
		{name: "reset in the media", at: atMedia, fault: &livetest.Fault{Reset: true, Bytes: 4000}, spoilsMedia: true, written: true},
		{name: "truncated in the media", at: atMedia, fault: &livetest.Fault{Truncate: true, Bytes: 4000}, spoilsMedia: true, written: true},
		{name: "corrupt media", at: atMedia, fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return bytes.ReplaceAll(body, []byte("AAAA"), []byte("A*AA"))
		}}, spoilsMedia: true, once: true},
		{name: "one byte a second", change: func(res *http.Response) {
			res.Body = readCloser{paced{iotest.OneByteReader(res.Body), res.Request.Context(), time.Second}, res.Body}
		}, text: "the reply took too long", drips: true, spoilsMedia: true, written: true},
		{name: "one byte at a time", fault: &livetest.Fault{OneByte: true, Delay: 9 * time.Second}, works: true, silent: 9 * time.Second},

		// Elsewhere.
		{name: "304", fault: &livetest.Fault{Status: 304, ContentType: "text/html"}, text: "redirects", once: true},
		{name: "redirect to nonsense", fault: &livetest.Fault{Redirect: "http://%zz\x7f"}, text: "redirects", once: true},
		{name: "redirect that hangs", fault: &livetest.Fault{Redirect: evil, Hang: true, Bytes: 5}, text: "redirects", once: true},

		// Not what was asked for.
		{name: "HTML", fault: &livetest.Fault{Body: "<html>maintenance</html>"}, text: "content type text/html"},
		{name: "nothing", fault: &livetest.Fault{ContentType: "application/json"}, text: "not a JSON object"},
		{name: "no content", fault: &livetest.Fault{Status: 204, ContentType: "application/json"}, text: "not a JSON object"},
		{name: "64 MB of blanks in 64 KB", change: func(res *http.Response) {
			res.Header.Set("Content-Encoding", "gzip")
			res.ContentLength, res.Body = -1, readCloser{bytes.NewReader(bomb()), res.Body}
		}, text: "longer than the limit", once: true},
		{name: "gzip that was not asked for", change: compress, works: true},
		{name: "gzip by another name", change: func(res *http.Response) {
			compress(res)
			res.Header.Set("Content-Encoding", " X-GZIP")
		}, works: true},
		{name: "gzip that the transport unpacked", change: header("Content-Encoding", "gzip"), works: true},
		{name: "gzip that is none", fault: &livetest.Fault{Body: "<html>maintenance</html>"}, change: header("Content-Encoding", "gzip"),
			text: "gzip: invalid header"},
		{name: "encoding that nobody asked for", fault: &livetest.Fault{Body: "\x1b\x0b\x00"}, change: header("Content-Encoding", "br"),
			text: "content encoding br"},
		{name: "bytes that are no UTF-8", fault: &livetest.Fault{Body: "\xff\xfe{\x00}\x00"}, text: "not a JSON object"},
		{name: "null", fault: &livetest.Fault{Body: "null"}, text: "not a JSON object"},
		{name: "array", fault: &livetest.Fault{Body: `[{"code":"0"}]`}, text: "not a JSON object"},
		{name: "two objects", fault: &livetest.Fault{Body: `{"code":"0"}{"code":"0"}`}, text: "not a JSON object"},
		{name: "empty object", fault: &livetest.Fault{Body: "{}"}, text: "no code"},
		{name: "nulls", fault: &livetest.Fault{Body: `{"code":null,"msg":null,"bizSeqNo":null,"access_token":null,"expire_in":null,"tickets":null,"result":null,"photo":null}`},
			text: "no code"},
		{name: "wrong types", fault: &livetest.Fault{Body: `{"code":{},"msg":[]}`}, text: "code is not a number"},
		{name: "a word for a code", fault: &livetest.Fault{Body: `{"code":"AccessDenied","msg":"no"}`}, text: "code AccessDenied"},
		{name: "a gateway's code", fault: &livetest.Fault{Body: `{"code":50305,"msg":"no"}`, Status: 503}, text: "code 50305"},
		{name: "a code beside odd types", fault: &livetest.Fault{Body: `{"code":"66660002","msg":{},"bizSeqNo":[],"tickets":"","access_token":{},"result":7}`},
			class: webanklive.ErrAccount, text: "code 66660002", once: true},
		{name: "code 0 and nothing else", at: atResult, fault: &livetest.Fault{Body: `{"code":0,"msg":"ok","data":{}}`},
			text: "code 0, but the reply names no order"},
		{name: "nested a hundred thousand deep", fault: &livetest.Fault{Body: `{"code":"0","x":` + strings.Repeat("[", 1e5)},
			text: "not a JSON object"},
		{name: "objects nested a hundred thousand deep", fault: &livetest.Fault{Body: strings.Repeat(`{"result":`, 1e5)},
			text: "not a JSON object"},

		// Too much.
		{name: "1 GB announced", change: endless(`{"code":"0"`, " ", 1<<30), text: "longer than the limit", once: true},
		{name: "1 GB", change: endless(`{"code":"0"`, " ", -1), text: "longer than the limit", once: true},
		{name: "1 GB of HTML", change: endless(`<html>`, "<br>", -1), text: "not a JSON object"},
		{name: "1 GB of one text", change: endless(`{"code":"0","msg":"`, "spam", -1), text: "longer than the limit", once: true},
		{name: "1 GB of fields", change: endless(`{"code":"0"`, `,"a":{}`, -1), text: "longer than the limit", once: true},
		{name: "1 GB of a photo", at: atPhoto, change: endless(`{"code":"0","orderNo":"`+clienttest.Order+`","photo":"`, "QUJD", -1),
			spoilsMedia: true, once: true},

		// What the platform says itself.
		{name: "throttled", fault: &livetest.Fault{Code: "999995"}, class: webanklive.ErrThrottled, text: "code 999995", pause: time.Second},
		{name: "throttled with 429", fault: &livetest.Fault{Code: "999995", Status: 429}, class: webanklive.ErrThrottled, text: "HTTP 429",
			pause: time.Second},
		{name: "Retry-After of three seconds", fault: &livetest.Fault{Status: 503}, change: header("Retry-After", "3"),
			text: "HTTP 503", pause: 3 * time.Second},
		{name: "Retry-After by date", fault: &livetest.Fault{Status: 503}, change: func(res *http.Response) {
			at, _ := http.ParseTime(res.Header.Get("Date"))
			res.Header.Set("Retry-After", at.Add(4*time.Second).Format(http.TimeFormat))
		}, text: "HTTP 503", pause: 4 * time.Second},
		{name: "Retry-After of an hour", fault: &livetest.Fault{Status: 503}, change: header("Retry-After", "3600"),
			text: "HTTP 503", once: true},
		{name: "Retry-After that is none", fault: &livetest.Fault{Status: 503}, change: header("Retry-After", "-1"),
			text: "HTTP 503"},
		{name: "system maintenance", fault: &livetest.Fault{Code: "999996"}, text: "code 999996"},
		{name: "contract expired", fault: &livetest.Fault{Code: "66660002"}, class: webanklive.ErrAccount, text: "code 66660002", once: true},
		{name: "dead token", fault: &livetest.Fault{Code: "15"}, class: webanklive.ErrCredential, text: "code 15", refusal: true},

		// A reply that is odd but right.
		{name: "HTML by its content type", change: header("Content-Type", "text/html"), works: true},
		{name: "no content type", change: header("Content-Type", ""), works: true},
		{name: "nonsense content type", change: header("Content-Type", "\x00;;=\xff"), works: true},
		{name: "message that is no UTF-8", fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return bytes.Replace(body, []byte(`"msg":"`), []byte("\"msg\":\"\xff\xfe\xed\xa0\x80"), 1)
		}}, works: true},
		{name: "byte order mark", fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return append([]byte("\ufeff"), body...)
		}}, works: true},
		{name: "odd message and serial number", fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return bytes.Replace(body, []byte(`{`), []byte(`{"bizSeqNo":[],"msg":{"text":7},"msg":true,"success":{},"bizSeqNo":[],"transactionTime":[],`), 1)
		}}, works: true},
		{name: "another ticket behind the first", at: atTickets, fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return bytes.Replace(body, []byte(`}]`), []byte(`},{"value":"second","expire_in":"3600"}]`), 1)
		}}, works: true},

		// Clocks.
		{name: "no Date", change: header("Date", ""), works: true},
		{name: "Date that is none", change: header("Date", "yesterday"), works: true},
		{name: "Date five hours ahead", change: header("Date", time.Date(2000, 1, 1, 5, 0, 0, 0, time.UTC).Format(http.TimeFormat)), works: true},
		{name: "Date five hours behind", change: header("Date", time.Date(1999, 12, 31, 19, 0, 0, 0, time.UTC).Format(http.TimeFormat)), works: true},
		{name: "Date of the year 1", change: header("Date", "Mon, 01 Jan 0001 00:00:00 GMT"), works: true},
		{name: "Date of the year 9999", change: header("Date", "Fri, 31 Dec 9999 23:59:59 GMT"), works: true},
		{name: "local clock jumps ahead", clockJump: 5 * time.Hour, works: true},
		{name: "local clock jumps back", clockJump: -5 * time.Hour, works: true},
	}
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		rows = append(rows, fault{name: fmt.Sprint(status), fault: &livetest.Fault{Redirect: evil, Status: status}, text: "redirects", once: true})
	}
	for _, status := range []int{404, 429, 500, 502, 503} {
		in := fmt.Sprintf("HTTP %d", status)
		pause := time.Duration(0)
		if status == 429 {
			pause = time.Second
		}
		rows = append(rows,
			fault{name: in + " with HTML", fault: &livetest.Fault{Status: status}, text: in, pause: pause},
			fault{name: in + " with a gateway's JSON", fault: &livetest.Fault{Status: status, Body: `{"error":"no healthy upstream"}`, ContentType: "application/json"},
				text: in, pause: pause},
			fault{name: in + " with nothing", fault: &livetest.Fault{Status: status, ContentType: "text/plain"}, text: in,
				pause: pause},
			fault{name: in + " with a good reply", fault: &livetest.Fault{Status: status, Body: fmt.Sprintf(good, `3600`), ContentType: "application/json"},
				text: "code 0 with an HTTP error status", written: true, pause: pause},
		)
	}
	for _, life := range []string{`0`, `-1`, `"abc"`, `""`, `null`, `"NaN"`, `9.99`, `-1e18`, `1e400`, `{}`, `[]`, `true`} {
		rows = append(rows, fault{name: "expire_in " + life, at: atGrants, fault: &livetest.Fault{Body: fmt.Sprintf(good, life)},
			text: "expire_in is not a number of seconds"})
	}
	for _, life := range []string{`1e18`, `"1e18"`, `"Inf"`, `99999999999999999999`, `"3600.5"`} {
		rows = append(rows, fault{name: "expire_in " + life, at: atGrants, fault: &livetest.Fault{Replace: func(body []byte) []byte {
			return expiry.ReplaceAllLiteral(body, []byte(`"expire_in":`+life))
		}}, works: true})
	}
	for name, body := range map[string]string{
		"no ticket": `{"code":"0","expire_in":60}`, "no tickets": `{"code":"0","tickets":[]}`, "ticket of nothing": `{"code":"0","tickets":[{}]}`,
		"null ticket":                    `{"code":"0","access_token":null,"tickets":[null]}`,
		"empty ticket":                   `{"code":"0","access_token":"","tickets":[{"value":"","expire_in":"60"}],"expire_in":"60"}`,
		"blank ticket":                   `{"code":"0","access_token":" ","tickets":[{"value":"\t","expire_in":"60"}],"expire_in":"60"}`,
		"empty ticket before a good one": `{"code":"0","tickets":[{"expire_in":"60"},{"value":"second","expire_in":"60"}]}`,
	} {
		rows = append(rows, fault{name: name, at: atGrants, fault: &livetest.Fault{Body: body}, text: "empty"})
	}
	rows = append(rows, fault{name: "life without a number", at: atGrants, fault: &livetest.Fault{
		Body: `{"code":"0","access_token":"T","tickets":[{"value":"T"}]}`}, text: "expire_in"})
	for i := range rows {
		if rows[i].class == nil && !rows[i].works {
			rows[i].class = webanklive.ErrUnavailable
		}
	}
	return rows
}

var expiry = regexp.MustCompile(`"expire_in":"?\d+"?`)

func dial(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// compress does what a proxy does that compresses whatever it sees.
func compress(res *http.Response) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.Copy(w, res.Body)
	_ = w.Close()
	res.Header.Set("Content-Encoding", "gzip")
	res.ContentLength, res.Body = int64(packed.Len()), readCloser{&packed, res.Body}
}

// bomb is 64 MB of blanks in 64 KB.
var bomb = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = w.Write(blanks)
	}
	_ = w.Close()
	return packed.Bytes()
})
