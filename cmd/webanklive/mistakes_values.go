package main

// Mistakes in the values: a text like null in place of a missing value, a value that must not be signed, changed case, and
// URL-encoding before signing.

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// clone returns values that may carry others.
func (v *values) clone() *values {
	return &values{carried: slices.Clone(v.carried), reveal: v.reveal}
}

// changed returns the values with p in place of the carried pair at i.
func (v *values) changed(i int, p pair) *values {
	other := v.clone()
	other.carried[i] = p
	return other
}

// altered signs one value, or all of them, as change leaves them, sorted after that or before. one and all say what was
// done.
func (v *values) altered(change func(string) string, one, all string) (found []candidate) {
	everyone, late := v.clone(), v.sorted()
	for i, p := range v.carried {
		everyone.carried[i].value = change(p.value)
		late[i].value = change(late[i].value)
		oneLate := v.sorted()
		oneLate[slices.Index(oneLate, p)] = everyone.carried[i]
		why := "the value of " + p.name + " " + one
		found = append(found, candidate{why: why, pieces: v.pieces(v.changed(i, everyone.carried[i]).sorted())},
			candidate{why: why, pieces: v.pieces(oneLate)})
	}
	why := "the values " + all
	return append(found, candidate{why: why, pieces: v.pieces(everyone.sorted())}, candidate{why: why, pieces: v.pieces(late)})
}

// nothings are the texts that programming languages print for a missing value.
var nothings = []string{"null", "undefined", "None", "nil", "<nil>", "NULL"}

// nullSigned signs one of nothings in place of each value, also of a ticket that was not given. It also signs with the text at
// the end, because JavaScript sorts undefined last.
func nullSigned(v *values) (found []candidate) {
	carried := v.carried
	if !v.has(isSecret) {
		carried = append(slices.Clone(carried), pair{"ticket", ""})
	}
	for i, p := range carried {
		for _, text := range nothings {
			nothing := piece{text, text}
			why := fmt.Sprintf("the text %s was signed in place of the value of %s, which the program did not have", text, p.name)
			others := sortedBy(slices.Delete(slices.Clone(carried), i, i+1), func(p pair) string { return p.value })
			pieces := v.pieces(others)
			at := slices.IndexFunc(others, func(p pair) bool { return p.value > text })
			if at < 0 {
				at = len(pieces)
			}
			found = append(found, candidate{why: why, pieces: slices.Insert(slices.Clone(pieces), at, nothing)},
				candidate{why: why, pieces: append(slices.Clone(pieces), nothing)})
		}
	}
	return found
}

// unsignedSigned signs, besides the values, parameters that must not be signed, as they are and URL-encoded.
func unsignedSigned(v *values) (found []candidate) {
	few := v.unsigned[:min(len(v.unsigned), 6)]
	for set := 1; set < 1<<len(few); set++ {
		for _, coding := range append([]coding{{"", func(s string) string { return s }}}, codings...) {
			more := v.clone()
			var names []string
			encoded := coding.name == ""
			for i, p := range few {
				if set>>i&1 == 1 {
					names = append(names, p.name)
					value := coding.change(p.value)
					encoded = encoded || value != p.value
					more.carried = append(more.carried, pair{p.name, value})
				}
			}
			if !encoded {
				continue
			}
			why := names[0] + " was signed, too"
			if len(names) > 1 {
				why = strings.Join(names, " and ") + " were signed, too"
			}
			if coding.name != "" {
				why += ", URL-encoded " + coding.name
			}
			found = append(found, candidate{why: why, pieces: v.pieces(more.sorted())})
		}
	}
	return found
}

// caseChanged signs one value, or all of them, in lower or upper case.
func caseChanged(v *values) (found []candidate) {
	for _, fold := range []struct {
		name   string
		change func(string) string
	}{{"lower", strings.ToLower}, {"upper", strings.ToUpper}} {
		found = append(found, v.altered(fold.change, "was signed in "+fold.name+" case",
			"were put into "+fold.name+" case before they were signed")...)
	}
	return found
}

// A coding is one way to URL-encode.
type coding struct {
	name   string
	change func(string) string
}

var codings = []coding{
	{"(a blank as +)", url.QueryEscape},
	{"(a blank as %20)", url.PathEscape},
	{"(as encodeURIComponent does)", encodeURIComponent},
	{"(as encodeURI does)", encodeURI},
	{"(with lower-case digits)", lowerEscapes},
	{"twice", func(s string) string { return url.QueryEscape(url.QueryEscape(s)) }},
}

// urlEncoded signs one value, or all of them, encoded, and values that were given encoded decoded.
func urlEncoded(v *values) (found []candidate) {
	for _, coding := range codings {
		found = append(found, v.altered(coding.change, "was URL-encoded before it was signed "+coding.name,
			"were URL-encoded before they were signed "+coding.name)...)
	}
	decoded := v.clone()
	for i, p := range v.carried {
		if plain, err := url.QueryUnescape(p.value); err == nil {
			decoded.carried[i].value = plain
		}
	}
	return append(found, candidate{
		why: "the values were URL-decoded before they were signed; here they are given encoded", pieces: v.pieces(decoded.sorted()),
	})
}

func encodeURIComponent(s string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(url.QueryEscape(s))
}

func encodeURI(s string) string {
	return strings.NewReplacer("%3B", ";", "%2F", "/", "%3F", "?", "%3A", ":", "%40", "@", "%26", "&", "%3D", "=", "%2B", "+",
		"%24", "$", "%2C", ",", "%23", "#").Replace(encodeURIComponent(s))
}

// lowerEscapes writes %3a where others write %3A.
func lowerEscapes(s string) string {
	escaped := []byte(url.QueryEscape(s))
	for i, c := range escaped {
		if c == '%' {
			copy(escaped[i+1:i+3], strings.ToLower(string(escaped[i+1:i+3])))
		}
	}
	return string(escaped)
}
