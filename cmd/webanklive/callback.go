package main

// callback: is this the platform's answer for the order?

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

const callbackHelp = `Checks a callback, as the browser brought it back: a URL or its query, as an argument or on standard input.

--order is the order that the session of that browser expects. Never take it from the callback: a failed callback for one
order can be rewritten into a passed one for another.

It is checked with the SIGN ticket in WEBANK_STORE: without the store of the server that made the link, nobody can check it.

The callback decides nothing. It can be replayed, and its score is not signed. "webanklive result" decides.`

type callbackAnswer struct {
	OrderNo  string `json:"order_no"`
	Code     string `json:"code"`
	Signed   bool   `json:"signed"`
	Known    bool   `json:"known"`     // some vendor page names the code
	Class    string `json:"class"`     // of the code
	Meaning  string `json:"meaning"`   // English
	Message  string `json:"message"`   // Chinese
	LiveRate string `json:"live_rate"` // not signed
	Decides  bool   `json:"decides"`   // never
}

func (a *app) callbackCommand() *cobra.Command {
	var order string
	cmd := &cobra.Command{
		Use:     "callback --order ORDER [URL|-]",
		Short:   "Check a callback URL",
		Long:    callbackHelp,
		Example: `  webanklive callback --order a1 'https://shop.example/done?code=0&orderNo=a1&liveRate=99&&newSignature=…'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("takes one URL, got %d arguments: put it in quotes, the shell reads & and ?", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if order == "" {
				return usageError("--order is missing: the order that the session expects")
			}
			query, err := a.callbackQuery(cmd.Context(), args)
			if err != nil {
				return err
			}
			ctx, cancel := a.within(cmd.Context(), usualTimeout)
			defer cancel()
			c, _, err := a.client(ctx)
			if err != nil {
				return err
			}
			cb, err := c.VerifyCallback(ctx, query, order)
			if errors.Is(err, webanklive.ErrBadCallback) && a.watched.startedEmpty() {
				return usageError("this callback cannot be checked: the ticket that signed it is in the store of the server " +
					"that launched it, and this command had to make a new one; set WEBANK_STORE")
			}
			if cb == nil {
				return err
			}
			return a.showCallback(cb, err)
		},
	}
	cmd.Flags().StringVar(&order, "order", "", "the order that the session expects")
	a.mintFlag(cmd)
	return cmd
}

func (a *app) callbackQuery(ctx context.Context, args []string) (url.Values, error) {
	text := "-"
	if len(args) == 1 {
		text = args[0]
	}
	if text == "-" {
		var err error
		if text, err = a.secretFromInput(ctx); ctx.Err() != nil {
			return nil, err
		} else if err != nil {
			return nil, usageError("standard input %v", err)
		}
	}
	text = strings.Trim(strings.TrimSpace(text), `'"`)
	if before, query, ok := strings.Cut(text, "?"); ok {
		text = query
	} else if strings.Contains(before, "://") {
		text = ""
	}
	text, _, _ = strings.Cut(text, "#")
	query, err := url.ParseQuery(text)
	if err != nil || len(query) == 0 {
		return nil, usageError("that is no callback: no query, or one that is not URL-encoded")
	}
	return query, nil
}

func (a *app) showCallback(cb *webanklive.Callback, err error) error {
	info, known := webanklive.LookupCode(cb.Code)
	answer := callbackAnswer{
		OrderNo: cb.OrderNo, Code: cb.Code, Signed: err == nil, LiveRate: cb.LiveRate,
		Known: known, Class: info.Class, Meaning: info.Meaning, Message: info.Message,
	}
	unsigned := errors.Is(err, webanklive.ErrUnsignedCallback)
	printed := a.print(answer, func(w io.Writer) {
		say(w, "order    %s\ncode     %s\n", cb.OrderNo, cb.Code)
		if known {
			say(w, "meaning  %s\n         %s\n", info.Meaning, info.Message)
		} else {
			say(w, "meaning  no vendor page names this code; as a result it means not passed\n")
		}
		if cb.LiveRate != "" {
			say(w, "score    %s (not signed)\n", cb.LiveRate)
		}
		if unsigned {
			say(w, "signed   %s: it proves nothing; offer another way to identify\n", a.paint(red, "no"))
		} else {
			say(w, "signed   %s\n", a.paint(green, "yes, by the platform"))
		}
		say(w, "\nThe callback decides nothing: webanklive result %s\n", cb.OrderNo)
	})
	if unsigned && printed == nil {
		return &failure{class: err, text: err.Error(), told: true}
	}
	return errors.Join(err, printed)
}
