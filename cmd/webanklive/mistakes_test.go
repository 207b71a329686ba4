package main

// The mistakes that sign --check names, made here without the command's help.

import (
	"cmp"
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

// checked is what sign --check says of a signature that does not match.
func checked(t *testing.T, args []string, given string) (mistake, text string) {
	t.Helper()
	args = append(args[:len(args):len(args)], "--check", given)
	o := bench{}.run(t, exitNo, args...)
	assert.Contains(t, o.out, "does not match")
	answer := bench{}.run(t, exitNo, append(args, "--json")...)
	assert.Equal(t, "mismatch", answer.errorClass(t))
	check := answer.object(t)["check"].(map[string]any)
	assert.Equal(t, false, check["matches"])
	return check["mistake"].(string), o.out + o.errOut
}

func TestCheck_NamesEachCommonMistakeOnTheDocumentedVectors(t *testing.T) {
	t.Parallel()
	inOrder := func(v vector, key func(pair) string) []pair {
		pairs := v.pairs()
		slices.SortStableFunc(pairs, func(x, y pair) int { return cmp.Compare(key(x), key(y)) })
		return pairs
	}
	join := func(pairs []pair) (text string) {
		for _, p := range pairs {
			text += p.value
		}
		return text
	}
	mistakes := []struct {
		name, want, why string
		signed          func(v vector) string
	}{
		{"ticket missing", "value_missing", "value of ticket is missing", func(v vector) string { return v.put("ticket", "").joined() }},
		{"names signed as a query", "names_signed", "joined with &, sorted by name", func(v vector) string {
			var parts []string
			for _, p := range v.pairs() {
				parts = append(parts, p.name+"="+p.value)
			}
			slices.Sort(parts)
			return strings.Join(parts, "&")
		}},
		{"names signed without signs", "names_signed", "names and values, sorted by name", func(v vector) (text string) {
			for _, p := range inOrder(v, func(p pair) string { return p.name }) {
				text += p.name + p.value
			}
			return text
		}},
		{"case-insensitive sort", "case_insensitive_sort", "without regard to upper and lower case", func(v vector) string {
			return join(inOrder(v, func(p pair) string { return strings.ToLower(p.value) }))
		}},
		{"space after the ticket", "stray_space", "a stray space", func(v vector) string {
			return strings.Replace(v.joined(), v.Values["ticket"], v.Values["ticket"]+" ", 1)
		}},
		{"line end of the ticket's file", "stray_space", "after the value of ticket", func(v vector) string {
			return v.put("ticket", v.Values["ticket"]+"\n").joined()
		}},
		{"space before the order number", "stray_space", "before the value of", func(v vector) string {
			return v.put(v.orderNo(), " "+v.Values[v.orderNo()]).joined()
		}},
		{"space at the end", "stray_space", "a stray space at the end", func(v vector) string { return v.joined() + " " }},
		{"unsorted", "unsorted", "in the order given", func(v vector) string { return join(v.pairs()) }},
		{"the ticket was null", "null_signed", "null was signed in place of the value of ticket", func(v vector) string {
			return v.put("ticket", "null").joined()
		}},
		{"the ticket was undefined", "null_signed", "undefined was signed in place of the value of ticket", func(v vector) string {
			return v.put("ticket", "undefined").joined()
		}},
		{"undefined sorts last", "null_signed", "undefined was signed in place of", func(v vector) string {
			return v.put("ticket", "").joined() + "undefined"
		}},
		{"all in lower case", "case_changed", "were put into lower case before", func(v vector) string { return strings.ToLower(v.joined()) }},
		{"lower case, then sorted", "case_changed", "lower case", func(v vector) string {
			for name, value := range v.Values {
				v = v.put(name, strings.ToLower(value))
			}
			return v.joined()
		}},
		{"the ticket in upper case", "case_changed", "the value of ticket was signed in upper case", func(v vector) string {
			return v.put("ticket", strings.ToUpper(v.Values["ticket"])).joined()
		}},
		{"the ticket in upper case, after sorting", "case_changed", "the value of ticket was signed in upper case", func(v vector) string {
			return strings.Replace(v.joined(), v.Values["ticket"], strings.ToUpper(v.Values["ticket"]), 1)
		}},
		{"comma between", "separator", "with , between", func(v vector) string { return strings.Join(v.sorted(), ",") }},
	}
	match, _ := vectors(t)
	explained := map[string]int{}
	for _, v := range match {
		for _, m := range mistakes {
			given := sha(m.signed(v))
			if given == v.SHA1 { // this vector does not care, as most do not about a case-insensitive sort
				continue
			}
			explained[m.name]++
			mistake, text := checked(t, v.arguments(t), given)
			assert.Equal(t, m.want, mistake, "%s: %s", v.Name, m.name)
			assert.Contains(t, text, m.why, m.name)
			assert.NotContains(t, text, v.Values["ticket"], m.name)
			assert.NotContains(t, text, "webanklive: ", "the answer is no error")
		}
	}
	for _, m := range mistakes {
		assert.Positive(t, explained[m.name], "no vector can show: %s", m.name)
	}
}

func TestCheck_NamesTheSpaceOfTheMisprintedPage(t *testing.T) {
	t.Parallel()
	_, misprinted := vectors(t)
	for _, v := range misprinted {
		_, text := checked(t, v.arguments(t), v.Printed)
		assert.Contains(t, text, "a stray space after the value of nonce")
		assert.Contains(t, text, "bzEoUzh5PAnTU7T␠userID", "the space is seen")
		assert.NotContains(t, text, v.Values["ticket"])
	}
}

func TestCheck_NamesALowerCaseCompare(t *testing.T) {
	t.Parallel()
	match, misprinted := vectors(t)
	for _, v := range match {
		mistake, text := checked(t, v.arguments(t), strings.ToLower(v.SHA1))
		assert.Equal(t, "lower_case_compare", mistake)
		assert.Contains(t, text, "the right signature in lower case")
	}
	_, text := checked(t, misprinted[0].arguments(t), strings.ToLower(misprinted[0].Printed))
	assert.Contains(t, text, "a stray space after the value of nonce, and it is not in upper case")
}

func TestCheck_NamesTheValueThatTheRequestDoesNotCarry(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	const other = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	_, text := checked(t, v.arguments(t, "nonce="+other), sha(v.put("nonce", other).joined()))
	assert.Contains(t, text, "nonce differs: signed was "+other+", the request carries "+v.Values["nonce"])
	assert.NotContains(t, text, "orderNo differs")

	// The ticket of another type, too, and neither is shown.
	changed := v.put("ticket", strings.Repeat("S", 64))
	ticket := "ticket=@" + writeFile(t, changed.Values["ticket"])
	_, text = checked(t, v.arguments(t, ticket), sha(changed.joined()))
	assert.Contains(t, text, "another ticket was signed, number 2 of those given")
	assert.Contains(t, text, "NONCE ticket")
	assert.NotContains(t, text, "SSSS")

	// All that was signed, given along with a link that carries something else.
	changed = changed.put("nonce", other).put("orderNo", "order2")
	_, text = checked(t, v.arguments(t, "nonceStr="+other, "order_no=order2", ticket), sha(changed.joined()))
	assert.Contains(t, text, "ticket, orderNo, nonce differ", "all names that differ are named")
}

func TestCheck_NeverGuesses(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	mistake, text := checked(t, match[0].arguments(t), strings.Repeat("A", 40))
	assert.Empty(t, mistake)
	assert.Contains(t, text, "no common mistake explains it. Look at:")
	assert.Contains(t, text, "NONCE ticket")
	_, text = checked(t, []string{"sign", "nonce=a b", "version="}, strings.Repeat("A", 40))
	assert.Contains(t, text, "a ticket is missing")
	assert.Contains(t, text, "nonce: it holds a blank")
	assert.Contains(t, text, "version: it is empty")
}

func TestCheck_NamesAParameterThatIsNotSigned(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	const callback = "https://shop.example/done?x=a b"
	sign := func(more ...string) string { return sha(strings.Join(v.sorted(more...), "")) }
	args := v.arguments(t, "url="+callback, "resultType=1")
	bench{}.run(t, exitDone, append(args, "--check", v.SHA1)...) // given, they are still not signed
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
	o := bench{}.with("WEBANK_TICKET", v.Values["ticket"]).run(t, exitNo, "sign", "--url", "https://ida.webank.com/api/web/livelogin?"+query.Encode())
	assert.Contains(t, o.out, "url was signed, too", "the link has all that it takes")
	assert.Contains(t, bench{}.run(t, exitDone, args...).errOut, "not signed: url, resultType")
}

func TestCheck_NamesTheHash(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	without := v.put("ticket", "").joined()
	mac := func(make func() hash.Hash, text string) string {
		h := hmac.New(make, []byte(v.Values["ticket"]))
		h.Write([]byte(text))
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	for want, given := range map[string]string{
		"hmac: an HMAC with SHA-1 was made, with the ticket as the key, and it is not in upper case":   mac(sha1.New, without),
		"hmac: an HMAC with SHA-1 was made, with the ticket as the key\n":                              strings.ToUpper(mac(sha1.New, v.Joined)),
		"hmac: an HMAC with SHA-256 was made, with the ticket as the key, and it is not in upper case": mac(sha256.New, without),
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
	bench{}.refuses(t, "is not 40 hexadecimal digits", v.arguments(t, "--check", strings.Repeat("A", 42))...)
}

func TestCheck_NamesAnEncodingThatCameTooEarly(t *testing.T) {
	t.Parallel()
	args := []string{"sign", "webankAppId=TIDA0001", "version=1.0.0", "orderNo=a/1 b", "userId=u 1+x", "ticket=@" + writeFile(t, "T1")}
	for want, values := range map[string][]string{
		"before they were signed (a blank as +)":                           {"a%2F1+b", "u+1%2Bx"},
		"before they were signed (as encodeURIComponent does)":             {"a%2F1%20b", "u%201%2Bx"},
		"before they were signed (as encodeURI does)":                      {"a/1%20b", "u%201+x"},
		"before they were signed (with lower-case digits)":                 {"a%2f1+b", "u+1%2bx"},
		"before they were signed twice":                                    {"a%252F1%2Bb", "u%2B1%252Bx"},
		"the value of orderNo was URL-encoded before it was signed (a bla": {"a%2F1+b", "u 1+x"},
	} {
		all := append([]string{"TIDA0001", "1.0.0", "T1"}, values...)
		slices.Sort(all)
		mistake, text := checked(t, args, sha(strings.Join(all, "")))
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
