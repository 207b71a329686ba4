package main

// The mistakes that sign --check names, beside those of a whole table in sign_test.go.

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// checked is what sign --check says of a signature.
func checked(t *testing.T, args []string, given string) (mistake, text string) {
	t.Helper()
	o := bench{}.run(t, append(slices.Clone(args), "--check", given)...)
	assert.Equal(t, exitNo, o.exit, o.out+o.errOut)
	answer := bench{}.run(t, append(slices.Clone(args), "--check", given, "--json")...)
	return answer.object(t)["check"].(map[string]any)["mistake"].(string), o.out
}

func TestCheck_NamesAParameterThatIsNotSigned(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	const callback = "https://shop.example/done?x=a b"
	sign := func(more ...string) string {
		values := more
		for _, value := range v.Values {
			values = append(values, value)
		}
		slices.Sort(values)
		return sha(strings.Join(values, ""))
	}
	args := append(v.arguments(t), "url="+callback, "resultType=1")
	o := bench{}.run(t, append(args, "--check", v.SHA1)...)
	assert.Zero(t, o.exit, "given, they are still not signed: %s", o.out)
	for want, given := range map[string]string{
		"url was signed, too\n":                                sign(callback),
		"url and resultType were signed, too\n":                sign(callback, "1"),
		"resultType was signed, too\n":                         sign("1"),
		"url was signed, too, URL-encoded (a blank as +)":      sign(url.QueryEscape(callback)),
		"url was signed, too, URL-encoded (with lower-case":    sign("https%3a%2f%2fshop.example%2fdone%3fx%3da+b"),
		"url was signed, too, URL-encoded (as encodeURICompon": sign("https%3A%2F%2Fshop.example%2Fdone%3Fx%3Da%20b"),
	} {
		mistake, text := checked(t, args, given)
		assert.Equal(t, "unsigned_value_signed", mistake, want)
		assert.Contains(t, text, want)
	}

	query := url.Values{"url": {callback}, "sign": {sign(callback)}}
	for name, value := range v.Values {
		if name != "ticket" {
			query.Set(name, value)
		}
	}
	o = bench{}.with("WEBANK_TICKET", v.Values["ticket"]).run(t, "sign", "--url", "https://ida.webank.com/api/web/livelogin?"+query.Encode())
	assert.Contains(t, o.out, "url was signed, too", "the link has all that it takes")
	o = bench{}.run(t, args...)
	assert.Contains(t, o.errOut, "not signed: url, resultType")
}

func TestCheck_NamesTheHash(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	var without []string
	for name, value := range v.Values {
		if name != "ticket" {
			without = append(without, value)
		}
	}
	slices.Sort(without)
	mac := func(make func() hash.Hash, text string) string {
		h := hmac.New(make, []byte(v.Values["ticket"]))
		h.Write([]byte(text))
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	for want, given := range map[string]string{
		"hmac: an HMAC with SHA-1 was made, with the ticket as the key, and it is not in upper case":   mac(sha1.New, strings.Join(without, "")),
		"hmac: an HMAC with SHA-1 was made, with the ticket as the key\n":                              strings.ToUpper(mac(sha1.New, v.Joined)),
		"hmac: an HMAC with SHA-256 was made, with the ticket as the key, and it is not in upper case": mac(sha256.New, strings.Join(without, "")),
		"hmac: an HMAC with MD5 was made": mac(md5.New, v.Joined),
		"other_hash: the hash is SHA-256": fmt.Sprintf("%x", sha256.Sum256([]byte(v.Joined))),
		"other_hash: the hash is MD5":     fmt.Sprintf("%x", md5.Sum([]byte(v.Joined))),
	} {
		mistake, text := checked(t, v.arguments(t), given)
		name, why, _ := strings.Cut(want, ": ")
		assert.Equal(t, name, mistake, want)
		assert.Contains(t, text, why)
		assert.NotContains(t, text, v.Values["ticket"], want)
	}
	_, text := checked(t, v.arguments(t), strings.Repeat("A", 64))
	assert.Contains(t, text, "64 hexadecimal digits are no SHA-1")
	o := bench{}.run(t, append(v.arguments(t), "--check", strings.Repeat("A", 42))...)
	assert.Equal(t, exitUsage, o.exit)
}

func TestCheck_NamesAnEncodingThatCameTooEarly(t *testing.T) {
	t.Parallel()
	args := []string{"sign", "webankAppId=TIDA0001", "version=1.0.0", "orderNo=a/1 b", "userId=u 1+x", "ticket=@" + writeFile(t, "T1")}
	sign := func(values ...string) string {
		slices.Sort(values)
		return sha(strings.Join(values, ""))
	}
	for want, given := range map[string]string{
		"before they were signed (a blank as +)":                           sign("TIDA0001", "1.0.0", "a%2F1+b", "u+1%2Bx", "T1"),
		"before they were signed (as encodeURIComponent does)":             sign("TIDA0001", "1.0.0", "a%2F1%20b", "u%201%2Bx", "T1"),
		"before they were signed (as encodeURI does)":                      sign("TIDA0001", "1.0.0", "a/1%20b", "u%201+x", "T1"),
		"before they were signed (with lower-case digits)":                 sign("TIDA0001", "1.0.0", "a%2f1+b", "u+1%2bx", "T1"),
		"before they were signed twice":                                    sign("TIDA0001", "1.0.0", "a%252F1%2Bb", "u%2B1%252Bx", "T1"),
		"the value of orderNo was URL-encoded before it was signed (a bla": sign("TIDA0001", "1.0.0", "a%2F1+b", "u 1+x", "T1"),
	} {
		mistake, text := checked(t, args, given)
		assert.Equal(t, "url_encoded", mistake, want)
		assert.Contains(t, text, want)
	}
}

func TestCheck_NamesATicketThatWasNeverThere(t *testing.T) {
	t.Parallel()
	mistake, text := checked(t, []string{"sign", "version=1.0.0", "orderNo=a1"}, sha("1.0.0a1null"))
	assert.Equal(t, "null_signed", mistake)
	assert.Contains(t, text, "null was signed in place of the value of ticket")
}
