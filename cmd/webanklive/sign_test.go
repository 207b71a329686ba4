package main

import (
	"cmp"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vector is one of the vendor's documented signatures.
type vector struct {
	Name    string            `json:"name"`
	Values  map[string]string `json:"values"`
	Joined  string            `json:"joined"`
	SHA1    string            `json:"sha1"`
	Printed string            `json:"printed_sha1"`
}

func vectors(t *testing.T) (match, misprinted []vector) {
	t.Helper()
	var all struct{ Match, Misprinted []vector }
	require.NoError(t, json.Unmarshal([]byte(readFile(t, "../../testdata/vectors.json")), &all))
	require.NotEmpty(t, all.Match)
	require.NotEmpty(t, all.Misprinted)
	return all.Match, all.Misprinted
}

// put returns v with another value.
func (v vector) put(name, value string) vector {
	v.Values = maps.Clone(v.Values)
	v.Values[name] = value
	return v
}

// orderNo returns the name of the order number, which differs between the vendor's pages.
func (v vector) orderNo() string {
	for name := range v.Values {
		if canonical(name) == "orderNo" {
			return name
		}
	}
	return ""
}

// pairs returns the values in the order of their names, backwards: an order that is no mistake's.
func (v vector) pairs() (list []pair) {
	for name, value := range v.Values {
		list = append(list, pair{name, value})
	}
	slices.SortFunc(list, func(x, y pair) int { return cmp.Compare(y.name, x.name) })
	return list
}

// sorted returns the values in the order in which they are signed, with further ones.
func (v vector) sorted(more ...string) []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Values(v.Values)), more...)))
}

func (v vector) joined() string { return strings.Join(v.sorted(), "") }

// arguments are the values as a person gives them, the ticket in a file.
func (v vector) arguments(t *testing.T, more ...string) []string {
	args := []string{"sign"}
	for _, p := range v.pairs() {
		if p.name == "ticket" {
			p.value = "@" + writeFile(t, p.value+"\n")
		}
		args = append(args, p.name+"="+p.value)
	}
	return append(args, more...)
}

func sha(text string) string { return strings.ToUpper(fmt.Sprintf("%x", sha1.Sum([]byte(text)))) }

func TestSign_ShowsHowADocumentedSignatureComesAbout(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	for _, v := range match {
		o := bench{}.run(t, exitDone, v.arguments(t, "--check", strings.ToUpper(v.SHA1))...)
		assert.Contains(t, o.out, "sign    "+v.SHA1)
		assert.Contains(t, o.out, "check   matches")
		assert.Contains(t, o.out, strings.ReplaceAll(v.Joined, v.Values["ticket"], "<ticket, 64 characters>"))
		assert.NotContains(t, o.out, v.Values["ticket"])

		object := bench{}.run(t, exitDone, v.arguments(t, "--reveal", "--json")...).object(t)
		assert.Equal(t, v.Joined, object["joined"])
		assert.Equal(t, v.SHA1, object["sign"])
	}
}

func TestSign_TakesValuesFromALink(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	for name, link := range map[string]struct {
		v    vector
		path string
		sign string
		more []string
	}{
		"livelogin":     {match[0], "https://ida.webank.com/api/web/livelogin?resultType=1&url=https%3A%2F%2Fx&", "sign", nil},
		"getLiveResult": {match[1], "https://idasc.webank.com/api/server/getLiveResult?get_file=1&", "sign", nil},
		"callback":      {match[3], "https://shop.example/done?liveRate=99&&", "newSignature", []string{"appId=" + match[3].Values["appId"]}},
	} {
		query := url.Values{link.sign: {link.v.SHA1}}
		for name, value := range link.v.Values {
			if name != "ticket" && name != "appId" {
				query.Set(strings.TrimSuffix(name, "Str"), value)
			}
		}
		b := bench{}.with("WEBANK_TICKET", link.v.Values["ticket"])
		o := b.run(t, exitDone, append([]string{"sign", "--url", link.path + query.Encode() + "#/top"}, link.more...)...)
		assert.Contains(t, o.out, "check   matches", name)
		assert.NotContains(t, o.out, link.v.Values["ticket"])

		query.Set(link.sign, strings.Repeat("0", 40)) // the link's own signature is checked
		b.run(t, exitNo, append([]string{"sign", "--url", link.path + query.Encode()}, link.more...)...)
	}
}

func TestSign_TicketIsNeverTyped(t *testing.T) {
	t.Parallel()
	const typed = "TYPEDTICKET"
	for _, args := range [][]string{
		{"sign", "version=1.0.0", "ticket=" + typed}, {"sign", "secret=" + typed}, {"sign", "access_token=" + typed},
		{"sign", "version=1.0.0", "nonce_ticket=" + typed}, {"sign", "ticket", typed}, {"sign", typed},
		{"sign", "version=1.0.0", "--check", typed}, {"sign", "--url", typed}, {"sign", "-" + typed},
	} {
		assert.NotContains(t, bench{}.refuses(t, "", args...), typed, args)
	}
	bench{}.refuses(t, "", "sign", "--"+typed) // an unknown flag is named; no flag is a secret
	for _, way := range []string{"ticket=@FILE", "ticket=@-", "WEBANK_TICKET"} {
		bench{}.refuses(t, way, "sign", "version=1.0.0", "ticket="+typed)
	}
}

func TestSign_TicketComesFromFileStandardInputOrEnvironment(t *testing.T) {
	t.Parallel()
	for name, try := range map[string]struct {
		bench bench
		args  []string
		want  string // of the error; none: it is T1
	}{
		"file":           {bench{}, []string{"ticket=@" + writeFile(t, "T1\r\n")}, ""},
		"standard input": {bench{stdin: "T1\n"}, []string{"ticket=@-"}, ""},
		"environment":    {bench{}.with("WEBANK_TICKET", "T1"), nil, ""},
		"no such file":   {bench{}, []string{"ticket=@" + writeFile(t, "") + "x"}, "no such file"},
		"empty file":     {bench{}, []string{"ticket=@" + writeFile(t, "\n")}, "is empty"},
		"huge file":      {bench{}, []string{"ticket=@" + writeFile(t, strings.Repeat("x", longestSecret+1))}, "longer than any secret"},
		"twice":          {bench{stdin: "T1"}, []string{"ticket=@-", "secret=@-"}, "can be read once"},
	} {
		args := append([]string{"sign", "version=1.0.0"}, try.args...)
		if try.want == "" {
			assert.Equal(t, sha("1.0.0T1"), try.bench.run(t, exitDone, append(args, "--json")...).object(t)["sign"], name)
		} else {
			assert.Contains(t, try.bench.run(t, exitUsage, args...).errOut, try.want, name)
		}
	}
	assert.Contains(t, bench{}.run(t, exitDone, "sign", "version=1.0.0").errOut, "no ticket among the values")
	bench{}.refuses(t, "nothing to sign", "sign")
}
