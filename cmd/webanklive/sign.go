package main

// sign: how a signature is made, and why one does not match.

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

const signHelp = `Shows how a signature comes about: the values in the order in which they are signed, joined, and hashed.

  webanklive sign webankAppId=TIDA0001 version=1.0.0 nonce=… orderNo=… userId=… ticket=@ticket.txt

A ticket is a secret and is not typed: ticket=@FILE reads it from a file, ticket=@- from standard input, and without
either it is taken from WEBANK_TICKET. It is shown as its length only, unless --reveal is given.

--check SIGN says whether a signature matches and, if not, which common mistake made it. A name may be given twice: the
first value is what the request carries, further ones are what may have been signed instead: ticket=@nonce.txt
ticket=@sign.txt tells whether the ticket of the other type was signed. url, resultType, get_file and liveRate are not
signed: given, they are tried as a mistake. A signature of another length is tried as another hash or an HMAC.

--url takes the values, and the signature to check, from a pasted link: livelogin, getLiveResult, or a callback (which
needs appId=… besides). It holds no ticket.`

func (a *app) signCommand() *cobra.Command {
	var check, link string
	var reveal bool
	cmd := &cobra.Command{
		Use:   "sign NAME=VALUE…",
		Short: "Show how a signature comes about; --check explains one that does not match",
		Long:  signHelp,
		Example: `  webanklive sign version=1.0.0 app_id=TIDA0001 order_no=a1 nonce=… ticket=@- < ticket.txt
  webanklive sign --url 'https://ida.webank.com/api/web/livelogin?…' ticket=@ticket.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			v, fromLink, err := a.signedValues(cmd, args, link)
			if err != nil {
				return err
			}
			v.reveal = reveal
			return a.sign(v, cmp.Or(check, fromLink))
		},
	}
	cmd.Flags().StringVar(&check, "check", "", "the signature to check, 40 hexadecimal digits")
	cmd.Flags().StringVar(&link, "url", "", "take values and signature from this link")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show the ticket")
	return cmd
}

// values are the inputs of a signature: the values that the request carries, in the order given, and for each name the values
// that may have been signed instead.
type values struct {
	carried  []pair
	others   map[string][]pair // by canonical name
	unsigned []pair            // parameters that are not signed, which a program may have signed all the same
	reveal   bool
}

type pair struct{ name, value string }

// isSecret reports whether the value of name must be neither typed nor shown.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "ticket") || strings.Contains(name, "secret") || strings.Contains(name, "token")
}

// canonical returns one name for all names that the vendor's pages have for the same value.
func canonical(name string) string {
	switch name {
	case "app_id", "appId":
		return "webankAppId"
	case "nonceStr":
		return "nonce"
	case "order_no":
		return "orderNo"
	case "user_id":
		return "userId"
	}
	return name
}

// unsignedParameters are the parameters of the platform's links that no signature covers.
var unsignedParameters = []string{"url", "resultType", "get_file", "liveRate", "mode"}

func (v *values) add(p pair) {
	if slices.Contains(unsignedParameters, p.name) {
		v.unsigned = append(v.unsigned, p)
		return
	}
	name := canonical(p.name)
	if slices.ContainsFunc(v.carried, func(c pair) bool { return canonical(c.name) == name }) {
		v.others[name] = append(v.others[name], p)
	} else {
		v.carried = append(v.carried, p)
	}
}

func (v *values) has(match func(name string) bool) bool {
	return slices.ContainsFunc(v.carried, func(p pair) bool { return match(p.name) })
}

// signedValues reads link, arguments and environment. No error repeats a value.
func (a *app) signedValues(cmd *cobra.Command, args []string, link string) (v *values, sign string, err error) {
	v = &values{others: map[string][]pair{}}
	if link != "" {
		if sign, err = v.fromLink(link); err != nil {
			return nil, "", err
		}
	}
	stdinUsed := false
	for i, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, "", usageError("argument %d is not NAME=VALUE", i+1)
		}
		if isSecret(name) {
			if value == "@-" && stdinUsed {
				return nil, "", usageError("standard input can be read once")
			}
			stdinUsed = stdinUsed || value == "@-"
			if value, err = a.secretValue(cmd, name, value); err != nil {
				return nil, "", err
			}
		}
		v.add(pair{name, value})
	}
	if ticket := a.env("WEBANK_TICKET"); ticket != "" && !v.has(isSecret) {
		v.add(pair{"ticket", ticket})
	}
	if len(v.carried) == 0 {
		return nil, "", usageError("nothing to sign: give NAME=VALUE… or --url")
	}
	return v, sign, nil
}

func (a *app) secretValue(cmd *cobra.Command, name, from string) (string, error) {
	file, ok := strings.CutPrefix(from, "@")
	var value string
	var err error
	switch {
	case !ok || file == "":
		return "", usageError("the value of %s is a secret and everybody on this machine sees arguments: "+
			"give %[1]s=@FILE, %[1]s=@- for standard input, or set WEBANK_TICKET", name)
	case file == "-":
		value, err = a.secretFromInput(cmd.Context())
	default:
		value, err = secretFromFile(cmd.Context(), file)
	}
	if err != nil && cmd.Context().Err() == nil && !errors.As(err, new(*fs.PathError)) {
		return "", usageError("%s: %v", name, err)
	}
	return value, err
}

// signedParameters are the parameters of the platform's links that a signature covers.
var signedParameters = []string{
	"webankAppId", "app_id", "version", "nonce", "orderNo", "order_no", "userId", "user_id", "code",
}

var signatureParameters = []string{"sign", "newSignature", "newSign"}

func (v *values) fromLink(link string) (sign string, err error) {
	_, query, ok := strings.Cut(strings.TrimSpace(link), "?")
	if !ok {
		return "", usageError("--url has no query")
	}
	query, _, _ = strings.Cut(query, "#")
	for part := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(raw)
		switch {
		case err != nil:
			return "", usageError("--url: parameter %s is not URL-encoded", name)
		case slices.Contains(signatureParameters, name):
			sign = value
		case slices.Contains(unsignedParameters, name):
			v.add(pair{name, value})
		case slices.Contains(signedParameters, name):
			if v.has(func(had string) bool { return had == name }) {
				return "", usageError("--url has %s more than once", name)
			}
			v.add(pair{name, value})
		}
	}
	return sign, nil
}

// sorted returns the values that the request carries in the order in which they are signed.
func (v *values) sorted() []pair {
	return sortedBy(v.carried, func(p pair) string { return p.value })
}

func sortedBy(pairs []pair, key func(pair) string) []pair {
	return slices.SortedStableFunc(slices.Values(pairs), func(x, y pair) int { return cmp.Compare(key(x), key(y)) })
}

// shown masks a secret.
func (v *values) shown(p pair) string {
	if isSecret(p.name) && !v.reveal && p.value != "" {
		return fmt.Sprintf("<%s, %d characters>", p.name, utf8.RuneCountInString(p.value))
	}
	return p.value
}

type signAnswer struct {
	Values []valueJSON  `json:"values"`
	Joined string       `json:"joined"`
	Sign   string       `json:"sign"`
	Check  *checkAnswer `json:"check,omitempty"`
}

type valueJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type checkAnswer struct {
	Matches bool `json:"matches"`
	// Mistake names what explains the signature; empty when it matches or nothing explains it.
	Mistake string   `json:"mistake"`
	Why     string   `json:"why"`
	Signed  string   `json:"signed"`
	Mend    string   `json:"mend"`
	LookAt  []string `json:"look_at"`
}

func (a *app) sign(v *values, given string) error {
	answer := signAnswer{}
	var all []string
	for _, p := range v.sorted() {
		answer.Values = append(answer.Values, valueJSON{p.name, v.shown(p)})
		answer.Joined += v.shown(p)
		all = append(all, p.value)
	}
	answer.Sign = webanklive.Sign(all...)
	if given != "" {
		given = strings.TrimSpace(given)
		if _, err := hex.DecodeString(given); err != nil || !hexDigits(len(given)) {
			return usageError("the signature to check is not 40 hexadecimal digits")
		}
		answer.Check = v.check(given, answer.Sign)
	}
	err := a.print(answer, func(w io.Writer) { a.showSign(w, answer) })
	switch {
	case err != nil:
		return err
	case !a.json && len(v.unsigned) > 0 && given == "":
		var names []string
		for _, p := range v.unsigned {
			names = append(names, p.name)
		}
		a.note("webanklive: not signed: %s", strings.Join(names, ", "))
	case !a.json && !v.has(isSecret):
		a.note("webanklive: no ticket among the values; every signature of the platform has one")
	}
	if answer.Check != nil && !answer.Check.Matches {
		return &failure{class: errMismatch, text: "the signature does not match", told: true}
	}
	return nil
}

func (a *app) showSign(w io.Writer, answer signAnswer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range answer.Values {
		say(table, "%s\t%s\n", visible(p.Name), visible(p.Value))
	}
	_ = table.Flush()
	say(w, "\njoined  %s\nsign    %s\n", visible(answer.Joined), answer.Sign)
	check := answer.Check
	switch {
	case check == nil:
	case check.Matches:
		say(w, "check   %s\n", a.paint(green, "matches"))
	case check.Mistake == "":
		say(w, "check   %s, and no common mistake explains it. Look at:\n", a.paint(red, "does not match"))
		for _, hint := range check.LookAt {
			say(w, "        - %s\n", hint)
		}
	default:
		say(w, "check   %s\nwhy     %s\n", a.paint(red, "does not match"), a.paint(yellow, check.Why))
		if check.Signed != "" {
			say(w, "signed  %s\n", visible(check.Signed))
		}
		say(w, "mend    %s\n", check.Mend)
	}
}

// visible replaces blanks and control characters, which cannot be seen on a screen, by symbols for them.
func visible(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '␠'
		case r == '\n':
			return '␊'
		case r == '\r':
			return '␍'
		case r == '\t':
			return '␉'
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, text)
	return mask.ReplaceAllString(text, "<$1, $2 characters>")
}

// mask matches the text that shown puts in place of a secret, after its blanks were replaced: they are no part of a value.
var mask = regexp.MustCompile(`<([^<>]*),␠(\d+)␠characters>`)
