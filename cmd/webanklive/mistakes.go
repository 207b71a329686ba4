package main

// The mistakes that make a signature wrong. Each mistake lists the texts that a program with it would have signed. A mistake is
// found when the hash of one of its texts is the given signature, so it is never a guess.

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/webanklive/webanklive"
)

// A candidate is what a program with a mistake in it may have signed.
type candidate struct {
	why    string
	pieces []piece
	sum    func(text string) []byte // nil: SHA-1
}

// signature returns the signature that the program would have made of text, in upper case.
func (c candidate) signature(text string) string {
	if c.sum == nil {
		return webanklive.Sign(text)
	}
	return strings.ToUpper(hex.EncodeToString(c.sum(text)))
}

// A piece is a part of a signed text, and how that part is shown.
type piece struct{ text, shown string }

func (c candidate) text() (signed, shown string) {
	for _, p := range c.pieces {
		signed += p.text
		shown += p.shown
	}
	return signed, shown
}

type mistake struct {
	name       string
	candidates func(v *values) []candidate
	mend       string
}

// mistakes are in the order in which they are tried: where two would sign the same text, the first is the explanation.
var mistakes = []mistake{
	{"value_differs", otherValues, "sign the very values that the request carries: make each once, and keep it in a variable"},
	{"value_missing", missingValue, "sign every value of the vendor's table for the call, the ticket of the right type among them"},
	{"null_signed", nullSigned, "get the value before signing, and stop without one: a ticket that is null is a request for a ticket that failed"},
	{"unsigned_value_signed", unsignedSigned, "sign only the values of the vendor's table for the call: url, resultType, get_file and liveRate are not in it"},
	{"case_changed", caseChanged, "sign the values as they are, with upper and lower case as in the request; only the signature is in upper case"},
	{"stray_space", strayBlanks, "trim every value where it enters the program, the ticket above all, and join without a separator"},
	{"unsorted", unsorted, "sort the values themselves, in ASCII order, before joining them"},
	{"case_insensitive_sort", foldedSort, "sort by bytes: upper case before lower case, no locale, no collation"},
	{"names_signed", namesSigned, "sign the values alone, without their names and without & or ="},
	{"separator", separators, "join the sorted values with nothing between them"},
	{"url_encoded", urlEncoded, "sign the values as they are; encode them only for the link"},
	{"hmac", keyedHash, "the signature is a plain SHA-1: the ticket is one of the values that are sorted and joined, not a key"},
	{"other_hash", otherHash, "the signature is the SHA-1 of the joined text, 40 hexadecimal digits"},
}

// check compares given, which is in hexadecimal digits, with right, and looks for a mistake that explains the difference.
func (v *values) check(given, right string) *checkAnswer {
	if given == right {
		return &checkAnswer{Matches: true, LookAt: []string{}}
	}
	lower := ""
	if given != strings.ToUpper(given) {
		lower = ", and it is not in upper case"
	}
	given = strings.ToUpper(given)
	if given == right {
		return &checkAnswer{
			Mistake: "lower_case_compare", Why: "it is the right signature in lower case, and the comparison is one of upper case",
			Mend: "write signatures in upper case, as the vendor does, and ignore the case when comparing", LookAt: []string{},
		}
	}
	tried := 0
	for _, m := range mistakes {
		for _, c := range m.candidates(v) {
			tried++
			if signed, shown := c.text(); c.signature(signed) == given {
				return &checkAnswer{Mistake: m.name, Why: c.why + lower, Signed: shown, Mend: m.mend, LookAt: []string{}}
			}
		}
	}
	return &checkAnswer{LookAt: v.lookAt(tried, len(given))}
}

// pieces joins pairs as the platform does.
func (v *values) pieces(pairs []pair) []piece {
	var pieces []piece
	for _, p := range pairs {
		pieces = append(pieces, piece{p.value, v.shown(p)})
	}
	return pieces
}

// otherValues signs values that the request does not carry: one of the further values of a name, or of all names that have one.
func otherValues(v *values) (found []candidate) {
	most := 0
	for i, p := range v.carried {
		others := v.others[canonical(p.name)]
		most = max(most, len(others))
		for n, other := range others {
			why := fmt.Sprintf("%s differs: signed was %s, the request carries %s", p.name, v.shown(other), v.shown(p))
			if isSecret(p.name) { // which no request carries
				why = fmt.Sprintf("another %s was signed, number %d of those given: livelogin needs a NONCE ticket of the "+
					"same user, getLiveResult and callbacks the SIGN ticket", p.name, n+2)
			}
			found = append(found, candidate{why: why, pieces: v.pieces(v.changed(i, other).sorted())})
		}
	}
	for n := range most {
		changed := v.clone()
		var names []string
		for i, p := range v.carried {
			if others := v.others[canonical(p.name)]; n < len(others) && others[n].value != p.value {
				changed.carried[i] = others[n]
				names = append(names, p.name)
			}
		}
		found = append(found, candidate{why: strings.Join(names, ", ") + " differ from what the request carries", pieces: v.pieces(changed.sorted())})
	}
	return found
}

func missingValue(v *values) (found []candidate) {
	pairs := v.sorted()
	for i, p := range pairs {
		why := fmt.Sprintf("the value of %s is missing, or was empty when it was signed", p.name)
		found = append(found, candidate{why: why, pieces: v.pieces(slices.Delete(slices.Clone(pairs), i, i+1))})
	}
	return found
}

var blanks = []struct{ text, name string }{{" ", "space"}, {"\n", "line end"}, {"\r\n", "line end (CR LF)"}, {"\t", "tab"}}

// strayBlanks adds one blank before or after a value. A blank before it changes the order if it was there before the sorting.
func strayBlanks(v *values) (found []candidate) {
	sorted := v.sorted()
	for _, blank := range blanks {
		stray := piece{blank.text, visible(blank.text)}
		whole := v.pieces(sorted)
		found = append(found,
			candidate{why: fmt.Sprintf("a stray %s at the end of the joined text, after the value of %s", blank.name, sorted[len(sorted)-1].name), pieces: append(slices.Clone(whole), stray)},
			candidate{why: fmt.Sprintf("a stray %s at the beginning of the joined text, before the value of %s", blank.name, sorted[0].name), pieces: append([]piece{stray}, whole...)})
		for i, p := range sorted {
			found = append(found, candidate{why: fmt.Sprintf("a stray %s after the value of %s", blank.name, p.name), pieces: slices.Insert(slices.Clone(whole), i+1, stray)})
		}
		for i, p := range v.carried {
			changed := slices.Clone(v.carried)
			changed[i].value = blank.text + p.value
			resorted := sortedBy(changed, func(p pair) string { return p.value })
			at := slices.Index(resorted, changed[i])
			original := slices.Clone(resorted)
			original[at] = p
			found = append(found, candidate{
				why:    fmt.Sprintf("a stray %s before the value of %s, which sorts it to another place", blank.name, p.name),
				pieces: slices.Insert(v.pieces(original), at, stray),
			})
		}
	}
	return found
}

func unsorted(v *values) []candidate {
	reversed := v.sorted()
	slices.Reverse(reversed)
	return []candidate{
		{why: "signed in the order given, unsorted", pieces: v.pieces(v.carried)},
		{why: "sorted by the names, not by the values", pieces: v.pieces(byName(v))},
		{why: "sorted in descending order", pieces: v.pieces(reversed)},
	}
}

func byName(v *values) []pair { return sortedBy(v.carried, func(p pair) string { return p.name }) }

// foldedSort sorts without regard to case: as if all were lower case, and as if all were upper case. The two differ in the place
// of _, which stands between upper-case and lower-case letters.
func foldedSort(v *values) (found []candidate) {
	for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper} {
		pairs := sortedBy(v.carried, func(p pair) string { return fold(p.value) })
		found = append(found, candidate{why: "sorted without regard to upper and lower case", pieces: v.pieces(pairs)})
	}
	return found
}

func namesSigned(v *values) (found []candidate) {
	for _, order := range []struct {
		name  string
		pairs []pair
	}{
		{"sorted by value", v.sorted()}, {"sorted by name", byName(v)}, {"in the order given", v.carried},
	} {
		for _, form := range []struct{ name, equals, and string }{
			{"name=value pairs joined with &", "=", "&"}, {"name=value pairs", "=", ""}, {"names and values", "", ""},
		} {
			var pieces []piece
			for i, p := range order.pairs {
				before := p.name + form.equals
				if i > 0 {
					before = form.and + before
				}
				pieces = append(pieces, piece{before, before}, piece{p.value, v.shown(p)})
			}
			found = append(found, candidate{why: "the names were signed, too: " + form.name + ", " + order.name, pieces: pieces})
		}
	}
	return found
}

func separators(v *values) (found []candidate) {
	for _, separator := range []string{"&", ",", ", ", "|", "+", "-", "_", ";", ":", "/", " ", "\n", "\t"} {
		var pieces []piece
		for i, p := range v.pieces(v.sorted()) {
			if i > 0 {
				pieces = append(pieces, piece{separator, separator})
			}
			pieces = append(pieces, p)
		}
		found = append(found, candidate{why: fmt.Sprintf("the values were joined with %s between them", visible(separator)), pieces: pieces})
	}
	return found
}

// lookAt lists what a person should compare when no mistake explains the signature.
func (v *values) lookAt(tried, digits int) []string {
	hints := []string{
		"the ticket: livelogin is signed with a NONCE ticket of the same user, getLiveResult and callbacks with the SIGN ticket",
		"its age: a refresh of the access token replaces all tickets; a callback may be signed with the SIGN ticket before this one",
		"the values: nonce, order, user and app ID exactly as the request carries them (give a name twice to try another)",
		"the set of values: only those of the vendor's table for the call, not url, resultType, get_file or liveRate",
		"the hash: SHA-1 over UTF-8, no HMAC and no key",
	}
	if digits != 40 {
		hints = slices.Insert(hints, 0, fmt.Sprintf("its length: %d hexadecimal digits are no SHA-1, which has 40", digits))
	}
	if !v.has(isSecret) {
		hints = slices.Insert(hints, 0, "a ticket is missing here: give ticket=@FILE or set WEBANK_TICKET")
	}
	for _, p := range v.carried {
		if p.value != strings.TrimSpace(p.value) || strings.ContainsFunc(p.value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			hints = append(hints, p.name+": it holds a blank or a character that is not printable ASCII")
		}
		if p.value == "" {
			hints = append(hints, p.name+": it is empty here, and an empty value adds nothing")
		}
	}
	return append(hints, fmt.Sprintf("more than one mistake at a time: %d texts with a single one were tried", tried))
}
