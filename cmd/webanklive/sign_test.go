package main

import (
	"cmp"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
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
	text, err := os.ReadFile("../../testdata/vectors.json")
	require.NoError(t, err)
	var all struct{ Match, Misprinted []vector }
	require.NoError(t, json.Unmarshal(text, &all))
	require.NotEmpty(t, all.Match)
	require.NotEmpty(t, all.Misprinted)
	return all.Match, all.Misprinted
}

// pairs returns the values in the order of their names, backwards: an order that is no mistake's.
func (v vector) pairs() (list []pair) {
	for name, value := range v.Values {
		list = append(list, pair{name, value})
	}
	slices.SortFunc(list, func(x, y pair) int { return cmp.Compare(y.name, x.name) })
	return list
}

// arguments are the values as a person gives them, the ticket in a file.
func (v vector) arguments(t *testing.T) []string {
	args := []string{"sign"}
	for _, p := range v.pairs() {
		if p.name == "ticket" {
			p.value = "@" + writeFile(t, p.value+"\n")
		}
		args = append(args, p.name+"="+p.value)
	}
	return args
}

func sha(text string) string { return strings.ToUpper(fmt.Sprintf("%x", sha1.Sum([]byte(text)))) }

func TestSignShowsHowADocumentedSignatureComesAbout(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	for _, v := range match {
		o := bench{}.run(t, append(v.arguments(t), "--check", strings.ToUpper(v.SHA1))...)
		assert.Zero(t, o.exit, v.Name)
		assert.Contains(t, o.out, "sign    "+v.SHA1)
		assert.Contains(t, o.out, "check   matches")
		assert.Contains(t, o.out, strings.ReplaceAll(v.Joined, v.Values["ticket"], "<ticket, 64 characters>"))
		assert.NotContains(t, o.out, v.Values["ticket"])

		o = bench{}.run(t, append(v.arguments(t), "--reveal", "--json")...)
		assert.Equal(t, v.Joined, o.object(t)["joined"])
		assert.Equal(t, v.SHA1, o.object(t)["sign"])
	}
}

// The mistakes of the issue and some more, made here without the command's help.
func TestCheckExplainsEachCommonMistakeOnTheDocumentedVectors(t *testing.T) {
	t.Parallel()
	sorted := func(pairs []pair, less func(x, y pair) int) []pair {
		pairs = slices.Clone(pairs)
		slices.SortFunc(pairs, less)
		return pairs
	}
	byValue := func(x, y pair) int { return cmp.Compare(x.value, y.value) }
	join := func(pairs []pair) (text string) {
		for _, p := range pairs {
			text += p.value
		}
		return text
	}
	mistakes := []struct {
		name, want, why string
		signed          func(pairs []pair) string
	}{
		{"ticket missing", "value_missing", "value of ticket is missing", func(pairs []pair) string {
			return join(sorted(slices.DeleteFunc(slices.Clone(pairs), func(p pair) bool { return p.name == "ticket" }), byValue))
		}},
		{"names signed as a query", "names_signed", "joined with &, sorted by name", func(pairs []pair) string {
			var parts []string
			for _, p := range pairs {
				parts = append(parts, p.name+"="+p.value)
			}
			slices.Sort(parts)
			return strings.Join(parts, "&")
		}},
		{"names signed without signs", "names_signed", "names and values, sorted by name", func(pairs []pair) (text string) {
			for _, p := range sorted(pairs, func(x, y pair) int { return cmp.Compare(x.name, y.name) }) {
				text += p.name + p.value
			}
			return text
		}},
		{"case-insensitive sort", "case_insensitive_sort", "without regard to upper and lower case", func(pairs []pair) string {
			return join(sorted(pairs, func(x, y pair) int {
				return cmp.Compare(strings.ToLower(x.value), strings.ToLower(y.value))
			}))
		}},
		{"space after the ticket", "stray_space", "a stray space", func(pairs []pair) string {
			ticket := pairs[slices.IndexFunc(pairs, func(p pair) bool { return p.name == "ticket" })].value
			return strings.Replace(join(sorted(pairs, byValue)), ticket, ticket+" ", 1)
		}},
		{"line end of the ticket's file", "stray_space", "after the value of ticket", func(pairs []pair) string {
			pairs = slices.Clone(pairs)
			pairs[slices.IndexFunc(pairs, func(p pair) bool { return p.name == "ticket" })].value += "\n"
			return join(sorted(pairs, byValue))
		}},
		{"space before the order number", "stray_space", "before the value of", func(pairs []pair) string {
			pairs = slices.Clone(pairs)
			i := slices.IndexFunc(pairs, func(p pair) bool { return canonical(p.name) == "orderNo" })
			pairs[i].value = " " + pairs[i].value
			return join(sorted(pairs, byValue))
		}},
		{"space at the end", "stray_space", "a stray space at the end", func(pairs []pair) string { return join(sorted(pairs, byValue)) + " " }},
		{"unsorted", "unsorted", "in the order given", join},
		{"the ticket was null", "null_signed", "null was signed in place of the value of ticket", func(pairs []pair) string {
			return join(sorted(withTicket(pairs, "null"), byValue))
		}},
		{"the ticket was undefined", "null_signed", "undefined was signed in place of the value of ticket", func(pairs []pair) string {
			return join(sorted(withTicket(pairs, "undefined"), byValue))
		}},
		{"undefined sorts last", "null_signed", "undefined was signed in place of", func(pairs []pair) string {
			others := slices.DeleteFunc(slices.Clone(pairs), func(p pair) bool { return p.name == "ticket" })
			return join(sorted(others, byValue)) + "undefined"
		}},
		{"all in lower case", "case_changed", "were put into lower case before", func(pairs []pair) string {
			return strings.ToLower(join(sorted(pairs, byValue)))
		}},
		{"lower case, then sorted", "case_changed", "lower case", func(pairs []pair) string {
			pairs = slices.Clone(pairs)
			for i := range pairs {
				pairs[i].value = strings.ToLower(pairs[i].value)
			}
			return join(sorted(pairs, byValue))
		}},
		{"the ticket in upper case", "case_changed", "the value of ticket was signed in upper case", func(pairs []pair) string {
			return join(sorted(withTicket(pairs, strings.ToUpper(pairs[slices.IndexFunc(pairs, func(p pair) bool { return p.name == "ticket" })].value)), byValue))
		}},
		{"comma between", "separator", "with , between", func(pairs []pair) string {
			var parts []string
			for _, p := range sorted(pairs, byValue) {
				parts = append(parts, p.value)
			}
			return strings.Join(parts, ",")
		}},
	}
	match, _ := vectors(t)
	explained := map[string]int{}
	for _, v := range match {
		for _, m := range mistakes {
			given := sha(m.signed(v.pairs()))
			o := bench{}.run(t, append(v.arguments(t), "--check", given)...)
			if given == v.SHA1 { // this vector does not care, as most do not about a case-insensitive sort
				assert.Zero(t, o.exit, m.name)
				continue
			}
			explained[m.name]++
			assert.Equal(t, exitNo, o.exit, "%s: %s", v.Name, m.name)
			assert.Contains(t, o.out, "does not match", m.name)
			assert.Contains(t, o.out, m.why, m.name)
			assert.NotContains(t, o.out, v.Values["ticket"], m.name)
			assert.Empty(t, o.errOut)

			o = bench{}.run(t, append(v.arguments(t), "--json", "--check", given)...)
			check := o.object(t)["check"].(map[string]any)
			assert.Equal(t, m.want, check["mistake"], "%s: %s", v.Name, m.name)
			assert.Equal(t, false, check["matches"])
			assert.Equal(t, "mismatch", o.errorClass(t))
		}
	}
	for _, m := range mistakes {
		assert.Positive(t, explained[m.name], "no vector can show: %s", m.name)
	}
}

// withTicket replaces the value of the ticket.
func withTicket(pairs []pair, value string) []pair {
	pairs = slices.Clone(pairs)
	pairs[slices.IndexFunc(pairs, func(p pair) bool { return p.name == "ticket" })].value = value
	return pairs
}

func TestCheckExplainsTheMisprintedPageAsAStraySpace(t *testing.T) {
	t.Parallel()
	_, misprinted := vectors(t)
	for _, v := range misprinted {
		o := bench{}.run(t, append(v.arguments(t), "--check", v.Printed)...)
		assert.Equal(t, exitNo, o.exit)
		assert.Contains(t, o.out, "a stray space after the value of nonce")
		assert.Contains(t, o.out, "bzEoUzh5PAnTU7T␠userID", "the space is seen")
		assert.NotContains(t, o.out, v.Values["ticket"])
	}
}

func TestCheckExplainsALowerCaseCompare(t *testing.T) {
	t.Parallel()
	match, misprinted := vectors(t)
	for _, v := range match {
		o := bench{}.run(t, append(v.arguments(t), "--check", strings.ToLower(v.SHA1))...)
		assert.Equal(t, exitNo, o.exit)
		assert.Contains(t, o.out, "the right signature in lower case")
		o = bench{}.run(t, append(v.arguments(t), "--json", "--check", strings.ToLower(v.SHA1))...)
		assert.Equal(t, "lower_case_compare", o.object(t)["check"].(map[string]any)["mistake"])
	}
	o := bench{}.run(t, append(misprinted[0].arguments(t), "--check", strings.ToLower(misprinted[0].Printed))...)
	assert.Contains(t, o.out, "a stray space after the value of nonce, and it is not in upper case")
}

func TestCheckNamesTheValueThatTheRequestDoesNotCarry(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	v := match[0]
	const other = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	changed := vector{Values: map[string]string{}}
	for name, value := range v.Values {
		changed.Values[name] = value
	}
	changed.Values["nonce"] = other
	given := signOf(changed)

	o := bench{}.run(t, append(v.arguments(t), "nonce="+other, "--check", given)...)
	assert.Equal(t, exitNo, o.exit)
	assert.Contains(t, o.out, "nonce differs: signed was "+other+", the request carries "+v.Values["nonce"])
	assert.NotContains(t, o.out, "orderNo differs")

	// The ticket of another type, too, and neither is shown.
	changed.Values["nonce"], changed.Values["ticket"] = v.Values["nonce"], strings.Repeat("S", 64)
	o = bench{}.run(t, append(v.arguments(t), "ticket=@"+writeFile(t, changed.Values["ticket"]), "--check", signOf(changed))...)
	assert.Contains(t, o.out, "another ticket was signed, number 2 of those given")
	assert.Contains(t, o.out, "NONCE ticket")
	assert.NotContains(t, o.out, "SSSS")

	// All that was signed, given along with a link that carries something else.
	changed.Values["nonce"], changed.Values["orderNo"] = other, "order2"
	o = bench{}.run(t, append(v.arguments(t), "nonceStr="+other, "order_no=order2",
		"ticket=@"+writeFile(t, changed.Values["ticket"]), "--check", signOf(changed))...)
	assert.Contains(t, o.out, "nonce", "all names that differ are named: %s", o.out)
	assert.Contains(t, o.out, "ticket, orderNo, nonce differ")
}

func signOf(v vector) string {
	var all []string
	for _, value := range v.Values {
		all = append(all, value)
	}
	slices.Sort(all)
	return sha(strings.Join(all, ""))
}

func TestCheckNeverGuesses(t *testing.T) {
	t.Parallel()
	match, _ := vectors(t)
	o := bench{}.run(t, append(match[0].arguments(t), "--check", strings.Repeat("A", 40))...)
	assert.Equal(t, exitNo, o.exit)
	assert.Contains(t, o.out, "no common mistake explains it. Look at:")
	assert.Contains(t, o.out, "NONCE ticket")
	o = bench{}.run(t, "sign", "nonce=a b", "version=", "--json", "--check", strings.Repeat("A", 40))
	hints := fmt.Sprint(o.object(t)["check"].(map[string]any)["look_at"])
	assert.Contains(t, hints, "a ticket is missing")
	assert.Contains(t, hints, "nonce: it holds a blank")
	assert.Contains(t, hints, "version: it is empty")
}

func TestSignTakesValuesFromALink(t *testing.T) {
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
		o := b.run(t, append([]string{"sign", "--url", link.path + query.Encode() + "#/top"}, link.more...)...)
		assert.Zero(t, o.exit, "%s: %s%s", name, o.out, o.errOut)
		assert.Contains(t, o.out, "check   matches", name)
		assert.NotContains(t, o.out, link.v.Values["ticket"])

		query.Set(link.sign, strings.Repeat("0", 40))
		o = b.run(t, append([]string{"sign", "--url", link.path + query.Encode()}, link.more...)...)
		assert.Equal(t, exitNo, o.exit, "the link's own signature is checked")
	}
}

func TestTicketIsNeverTyped(t *testing.T) {
	t.Parallel()
	const typed = "TYPEDTICKET"
	for _, args := range [][]string{
		{"sign", "version=1.0.0", "ticket=" + typed}, {"sign", "secret=" + typed}, {"sign", "access_token=" + typed},
		{"sign", "version=1.0.0", "nonce_ticket=" + typed}, {"sign", "ticket", typed}, {"sign", typed},
		{"sign", "version=1.0.0", "--check", typed}, {"sign", "--url", typed}, {"sign", "--" + typed}, {"sign", "-" + typed},
	} {
		for _, more := range [][]string{nil, {"--json"}} {
			o := bench{}.run(t, append(slices.Clone(args), more...)...)
			assert.Equal(t, exitUsage, o.exit, args)
			if args[1] != "--"+typed { // an unknown flag is named; no flag is a secret
				assert.NotContains(t, o.out+o.errOut, typed, args)
			}
		}
	}
	o := bench{}.run(t, "sign", "version=1.0.0", "ticket="+typed)
	for _, way := range []string{"ticket=@FILE", "ticket=@-", "WEBANK_TICKET"} {
		assert.Contains(t, o.errOut, way)
	}
}

func TestTicketComesFromFileStandardInputOrEnvironment(t *testing.T) {
	t.Parallel()
	want := sha("1.0.0T1")
	for name, try := range map[string]struct {
		bench bench
		args  []string
	}{
		"file":           {bench{}, []string{"ticket=@" + writeFile(t, "T1\r\n")}},
		"standard input": {bench{stdin: "T1\n"}, []string{"ticket=@-"}},
		"environment":    {bench{}.with("WEBANK_TICKET", "T1"), nil},
	} {
		o := try.bench.run(t, append([]string{"sign", "version=1.0.0", "--json"}, try.args...)...)
		assert.Equal(t, want, o.object(t)["sign"], name)
	}
	for name, try := range map[string]struct {
		bench bench
		args  []string
		want  string
	}{
		"no such file": {bench{}, []string{"ticket=@" + writeFile(t, "") + "x"}, "no such file"},
		"empty file":   {bench{}, []string{"ticket=@" + writeFile(t, "\n")}, "is empty"},
		"huge file":    {bench{}, []string{"ticket=@" + writeFile(t, strings.Repeat("x", longestSecret+1))}, "longer than any secret"},
		"twice":        {bench{stdin: "T1"}, []string{"ticket=@-", "secret=@-"}, "can be read once"},
		"nothing":      {bench{}, nil, "nothing to sign"},
	} {
		o := try.bench.run(t, append([]string{"sign"}, try.args...)...)
		assert.Equal(t, exitUsage, o.exit, name)
		assert.Contains(t, o.errOut, try.want, name)
	}
	o := bench{}.run(t, "sign", "version=1.0.0")
	assert.Zero(t, o.exit)
	assert.Contains(t, o.errOut, "no ticket among the values")
}
