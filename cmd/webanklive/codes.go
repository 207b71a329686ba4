package main

// codes: the catalogue of response codes (通用响应码).

import (
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

type codesAnswer struct {
	Codes []codeJSON `json:"codes"`
}

type codeJSON struct {
	Code    string `json:"code"`
	Class   string `json:"class"`
	Reason  string `json:"reason"`
	Meaning string `json:"meaning"` // English
	Message string `json:"message"` // Chinese, as is the advice
	Advice  string `json:"advice"`
}

func (a *app) codesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "codes [TEXT]",
		Short: "Search the platform's response codes by code or by text, English or Chinese",
		Example: `  webanklive codes 66660011
  webanklive codes -5013
  webanklive codes 遮挡
  webanklive codes not_ready`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("takes one text, got %d: put it in quotes", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.TrimSpace(strings.Join(args, ""))
			found := searchCodes(text)
			answer := codesAnswer{Codes: []codeJSON{}}
			for _, c := range found {
				answer.Codes = append(answer.Codes, codeJSON{c.Code, c.Class, c.Reason, c.Meaning, c.Message, c.Advice})
			}
			if len(found) == 0 {
				if a.json {
					a.answer = answer
				}
				return &failure{class: errUnknownCode, text: unknownCode(text)}
			}
			return a.print(answer, func(w io.Writer) { showCodes(w, found) })
		},
	}
}

// searchCodes returns the code that text is, else all rows that contain text: "0" alone is in most codes.
func searchCodes(text string) (found []webanklive.CodeInfo) {
	if info, ok := webanklive.LookupCode(text); ok {
		return []webanklive.CodeInfo{info}
	}
	text = strings.ToLower(text)
	for _, c := range webanklive.Codes() {
		all := strings.ToLower(strings.Join([]string{c.Code, c.Class, c.Reason, c.Meaning, c.Message, c.Advice}, "\n"))
		if strings.Contains(all, text) {
			found = append(found, c)
		}
	}
	return found
}

func unknownCode(text string) string {
	if strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == "" {
		return "no vendor page names this code; new ones keep appearing, and as a result it means not passed"
	}
	return "nothing in the catalogue says that"
}

func showCodes(w io.Writer, found []webanklive.CodeInfo) {
	if len(found) > 1 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range found {
			say(table, "%s\t%s\t%s\t%s\n", c.Code, kind(c), c.Meaning, c.Message)
		}
		_ = table.Flush()
		return
	}
	c := found[0]
	say(w, "code     %s\nclass    %s\nmeaning  %s\n         %s\n", c.Code, kind(c), c.Meaning, c.Message)
	if c.Advice != "" {
		say(w, "advice   %s\n", c.Advice)
	}
}

func kind(c webanklive.CodeInfo) string {
	if c.Reason != "" {
		return c.Class + " (" + c.Reason + ")"
	}
	return c.Class
}
