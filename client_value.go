package webanklive

// What an app ID and a secret must look like, and which characters are in the way in one that does not.

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// brokenRule returns the rule that an app ID or a secret breaks, "" if it breaks none. It names the kind of character that
// is in the way and never the character itself, which may be a part of the secret.
func brokenRule(value string) string {
	const blanks = "must not be empty or contain blanks"
	var kinds []string
	note := func(kind string) {
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if strings.HasPrefix(value, "\xff\xfe") || strings.HasPrefix(value, "\xfe\xff") {
		note("a byte order mark of UTF-16")
	}
	for i, r := range value {
		if _, size := utf8.DecodeRuneInString(value[i:]); r == utf8.RuneError && size == 1 {
			note("bytes that are not UTF-8")
		} else {
			note(intruder(r))
		}
	}
	bare := strings.TrimFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7F })
	if bare != "" && (strings.ContainsRune(asciiQuotes, rune(bare[0])) || strings.ContainsRune(asciiQuotes, rune(bare[len(bare)-1]))) {
		note("quotes around it")
	}
	switch {
	case value == "", len(kinds) == 1 && kinds[0] == "a blank":
		return blanks
	case len(kinds) == 0:
		return ""
	}
	return "must be printable ASCII without quotes around it, and has " + strings.Join(kinds, ", ")
}

const (
	asciiQuotes = "\"'`"
	otherQuotes = "“”„‟‘’‚‛«»‹›「」『』＂＇"
	zeroWidth   = "\u200b\u200c\u200d\u2060\u180e"
)

// intruder names the kind of a character that no app ID and no secret has; it returns "" for one that they may have.
func intruder(r rune) string {
	switch {
	case '!' <= r && r <= '~':
		return ""
	case r == '\n' || r == '\r':
		return "a line break"
	case r == ' ' || r == '\t':
		return "a blank"
	case r == '\ufeff':
		return "a byte order mark"
	case strings.ContainsRune(zeroWidth, r):
		return "a zero-width blank"
	case strings.ContainsRune(otherQuotes, r):
		return "typographic quotes"
	case unicode.IsSpace(r):
		return "a blank that is not ASCII"
	case unicode.IsControl(r):
		return "a control character"
	case !unicode.IsPrint(r):
		return "an invisible character"
	case '！' <= r && r <= '～':
		return "a full-width character"
	}
	return "a character that is not ASCII"
}
