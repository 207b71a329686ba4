package main

// launch: one signed link, for a browser or a phone.

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/webanklive/webanklive"
)

const launchHelp = `Prints the signed link of one check, alone on standard output.

The link works once and dies two minutes after it was made. Open it in the person's browser; do not put it into a page, a
message or a log, because whatever previews it uses it up.

On a platform that is not the vendor's it says so on standard error, and with --json as "fake".

Without --order a new order number is made and told on standard error; "webanklive result" needs it.`

var entries = map[string]webanklive.Entry{
	"h5": webanklive.EntryH5, "wechat": webanklive.EntryWeChat, "pc": webanklive.EntryPC,
}

type launchAnswer struct {
	URL              string `json:"url"`
	OrderNo          string `json:"order_no"`
	ExpiresInSeconds int    `json:"expires_in_seconds"`
	platform
}

func (a *app) launchCommand() *cobra.Command {
	var req webanklive.LiveLoginRequest
	var entry string
	var qr bool
	cmd := &cobra.Command{
		Use:     "launch --user USER --callback URL",
		Short:   "Make the link that starts a check, also as a QR code",
		Long:    launchHelp,
		Example: `  webanklive launch --user u1 --callback https://shop.example/liveness/done --qr`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var ok bool
			if req.Entry, ok = entries[entry]; !ok {
				return usageError("--entry must be h5, wechat or pc")
			}
			ctx, cancel := a.within(cmd.Context(), usualTimeout)
			defer cancel()
			c, cfg, err := a.client(ctx)
			if err != nil {
				return err
			}
			from := a.platform(cfg, true)
			a.answer = from // for an error; the link replaces it
			made := req.OrderNo == ""
			if made {
				req.OrderNo = newOrderNo()
			}
			link, err := c.BuildLiveLoginURL(ctx, req)
			if err != nil {
				a.tell(from)
				return err
			}
			if made && !a.json {
				a.note("order %s", req.OrderNo)
			}
			answer := launchAnswer{URL: link, OrderNo: req.OrderNo, ExpiresInSeconds: 120, platform: from}
			if err := a.print(answer, func(w io.Writer) { say(w, "%s\n", link) }); err != nil {
				return err
			}
			if qr {
				if err := a.drawQR(link); err != nil {
					return err
				}
			}
			a.tell(from)
			if !a.json {
				a.note("The link works once and dies in two minutes. Open it in the person's browser only.")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&req.OrderNo, "order", "", "order number, new for every check; made up when left out")
	flags.StringVar(&req.UserID, "user", "", "the person, 1 to 32 of 0-9 A-Z a-z _ -")
	flags.StringVar(&req.CallbackURL, "callback", "", "where the browser comes back to")
	flags.StringVar(&entry, "entry", "h5", "kind of page: h5, wechat or pc")
	flags.BoolVar(&req.SkipResultPage, "skip-result-page", false, "straight back to --callback, without the platform's result page")
	flags.BoolVar(&qr, "qr", false, "draw a QR code for a phone, on standard error unless standard output is a terminal")
	_ = cmd.RegisterFlagCompletionFunc("entry", cobra.FixedCompletions([]string{"h5", "wechat", "pc"}, cobra.ShellCompDirectiveNoFileComp))
	a.mintFlag(cmd)
	return cmd
}

// newOrderNo returns a random order number. It begins with a letter, so that no callback of another order can be rewritten
// into one for it.
func newOrderNo() string { return "w" + rand.Text() }

// longestQR is the number of bytes that the largest QR code of level L holds.
const longestQR = 2953

// drawQR draws a QR code in black on white, whatever the terminal's colours are, or in blocks without colour.
func (a *app) drawQR(link string) error {
	if len(link) > longestQR {
		return usageError("the link is too long for a QR code")
	}
	var code bytes.Buffer
	qrterminal.GenerateWithConfig(link, qrterminal.Config{
		Level: qrterminal.L, Writer: &code, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteChar: qrterminal.WHITE_WHITE,
		BlackWhiteChar: qrterminal.BLACK_WHITE, WhiteBlackChar: qrterminal.WHITE_BLACK,
	})
	w := a.errOut
	if _, ok := a.terminal(a.out); ok && !a.json {
		w = a.out
	}
	lines := strings.Split(strings.TrimRight(code.String(), "\n"), "\n")
	f, isTerminal := a.terminal(w)
	if isTerminal {
		width := utf8.RuneCountInString(lines[0])
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns < width {
			a.note("The QR code needs %d columns; the terminal has %d. Make it wider.", width, columns)
		}
	}
	for _, line := range lines {
		if isTerminal && a.colourful() {
			line = "\x1b[97;40m" + line + "\x1b[0m"
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}
