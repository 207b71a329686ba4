package webanklive

// Launching a check: the URL that the person's browser opens, and what a mini-program needs instead.

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"unicode/utf8"

	"github.com/google/go-querystring/query"
)

// Entry is the kind of page that the person's browser opens. All take the same parameters and the same signature.
type Entry int

const (
	// EntryH5 is a phone's browser or a web view: the zero value.
	EntryH5 Entry = iota
	// EntryWeChat is a page of a WeChat official account (微信公众号).
	EntryWeChat
	// EntryPC is a desktop browser: Chrome 53, Firefox 29 or newer.
	EntryPC
)

var entryPaths = map[Entry]string{
	EntryH5:     "/api/web/livelogin",
	EntryWeChat: "/api/wx/livelogin",
	EntryPC:     "/api/pc/livelogin",
}

// LiveLoginRequest describes one launch.
type LiveLoginRequest struct {
	// OrderNo is made by you: 1 to 32 ASCII letters and digits, and new for every attempt. Let every order number begin with
	// a letter: the signature of a callback joins code and order number without a separator, so that a callback with code
	// 3001 for the order 012345 has the same signature as one with code 0 for the order 123453001.
	OrderNo string

	// UserID names the person, 1 to 32 of 0-9 A-Z a-z _ -. The ticket of the launch is bound to it.
	UserID string

	// CallbackURL is where the browser comes back to: an absolute http or https URL without user info. Prefer a plain
	// path: whether a query of its own survives is not documented, and one that has a parameter of the platform's answer
	// (code, orderNo, liveRate, newSignature, newSign) is refused. A single-page app gets the parameters before #.
	CallbackURL string

	// Entry is the kind of page, EntryH5 unless set.
	Entry Entry

	// SkipResultPage sends the browser straight to CallbackURL (resultType=1) instead of showing the platform's
	// result page first.
	SkipResultPage bool
}

// BuildLiveLoginURL returns the signed URL of one launch, getting a NONCE ticket for it: one API call, when the
// credential is at hand.
//
// Redirect the browser to it at once. It works for a single request and dies two minutes after its ticket was made,
// so never put it into a page, a message or a log: a program that preloads it uses it up. The server must not open it.
//
// Concurrent calls are independent, also for the same user. But the platform grants a user one ticket in two seconds: a call
// that comes sooner, also after a call whose caller left, waits for two seconds, once.
//
// Errors: [ErrInvalidRequest] before the network, naming every broken rule; [ErrThrottled], [ErrUnavailable],
// [ErrCredential], [ErrAccount]; ctx's own.
//
// 启动 H5 活体检测: https://cloud.tencent.com/document/product/655/32016
func (c *Client) BuildLiveLoginURL(ctx context.Context, req LiveLoginRequest) (_ string, err error) {
	const op = "build live login URL"
	defer c.observeCall(&ctx, &err, op, req.OrderNo, req.UserID)()
	var broken problems
	broken.requireOrderNo(req.OrderNo)
	broken.requireUserID(req.UserID)
	broken.requireCallbackURL(req.CallbackURL)
	path, ok := entryPaths[req.Entry]
	broken.require(ok, "Entry", "must be EntryH5, EntryWeChat or EntryPC")
	if err := broken.err(op); err != nil {
		return "", err
	}

	ticket, err := c.nonceTicket(ctx, req.UserID)
	if err != nil {
		return "", err
	}
	values, err := query.Values(liveLoginQuery{
		launch:      c.signLaunch(req.OrderNo, req.UserID, req.SkipResultPage, ticket),
		CallbackURL: req.CallbackURL,
	})
	if err != nil {
		return "", &Error{Op: op, Err: err}
	}
	link := below(c.h5, path)
	link.RawQuery = encode(values)
	return link.String(), nil
}

// MiniProgramRequest describes one launch from a WeChat mini-program. The rules of its fields are those of
// [LiveLoginRequest].
type MiniProgramRequest struct {
	OrderNo, UserID string
	SkipResultPage  bool
}

// MiniProgramLaunch is what the partner's mini-program passes to wx.navigateToMiniProgram; encoded as JSON it has the names
// that are needed there. It is used up by one launch, like the URL of BuildLiveLoginURL, and as confidential: formatted
// with fmt or slog it does not show the signature.
type MiniProgramLaunch struct {
	AppID     string            `json:"appId"`     // of the platform's mini-program
	Path      string            `json:"path"`      // of its page
	ExtraData map[string]string `json:"extraData"` // the signed values
}

// Format shows the mini-program and the order for every verb, not the signature.
func (l MiniProgramLaunch) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "webanklive.MiniProgramLaunch{AppID: %q, Path: %q, OrderNo: %q}", l.AppID, l.Path, l.ExtraData["orderNo"])
}

// LogValue does for slog what Format does for fmt.
func (l MiniProgramLaunch) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(l)) }

// BuildMiniProgramLaunch returns the signed launch of the platform's mini-program for a liveness check. Its contract
// is that of [Client.BuildLiveLoginURL]; the result comes back to the partner's mini-program, whose server checks it
// with [Client.VerifyCallback] and decides with [Client.GetLiveResult].
//
// 小程序活体检测: https://cloud.tencent.com/document/product/655/32160
func (c *Client) BuildMiniProgramLaunch(ctx context.Context, req MiniProgramRequest) (_ *MiniProgramLaunch, err error) {
	const op = "build mini-program launch"
	defer c.observeCall(&ctx, &err, op, req.OrderNo, req.UserID)()
	var broken problems
	broken.requireOrderNo(req.OrderNo)
	broken.requireUserID(req.UserID)
	if err := broken.err(op); err != nil {
		return nil, err
	}

	ticket, err := c.nonceTicket(ctx, req.UserID)
	if err != nil {
		return nil, err
	}
	values, err := query.Values(miniProgramData{
		launch: c.signLaunch(req.OrderNo, req.UserID, req.SkipResultPage, ticket),
		Mode:   "digitlive",
	})
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	data := make(map[string]string, len(values))
	for name := range values {
		data[name] = values.Get(name)
	}
	return &MiniProgramLaunch{AppID: "wx7ccfa42a2a641035", Path: "pages/pre", ExtraData: data}, nil
}

// launch has the parameters of both kinds of launch. The six signed values are these without resultType and sign, plus the
// NONCE ticket, which is never sent. A signed value is sent even if it is empty.
type launch struct {
	AppID      string `url:"webankAppId"`
	Version    string `url:"version"`
	Nonce      string `url:"nonce"`
	OrderNo    string `url:"orderNo"`
	ResultType string `url:"resultType,omitempty"`
	UserID     string `url:"userId"`
	Sign       string `url:"sign"`
}

type liveLoginQuery struct {
	launch
	CallbackURL string `url:"url"`
}

type miniProgramData struct {
	launch
	Mode string `url:"mode"`
}

func (c *Client) signLaunch(orderNo, userID string, skipResultPage bool, ticket string) launch {
	l := launch{AppID: c.appID, Version: apiVersion, Nonce: c.newNonce(), OrderNo: orderNo, UserID: userID}
	if skipResultPage {
		l.ResultType = "1"
	}
	l.Sign = Sign(l.AppID, l.UserID, l.OrderNo, l.Version, ticket, l.Nonce)
	return l
}

func (p *problems) requireOrderNo(orderNo string) {
	p.require(isOrderNo(orderNo), "OrderNo", "must be 1 to 32 ASCII letters and digits")
}

func isOrderNo(s string) bool { return len(s) >= 1 && len(s) <= 32 && consistsOf(s, isLetterOrDigit) }

func (p *problems) requireUserID(userID string) {
	p.require(len(userID) >= 1 && len(userID) <= 32 &&
		consistsOf(userID, func(b byte) bool { return isLetterOrDigit(b) || b == '_' || b == '-' }),
		"UserID", "must be 1 to 32 of 0-9 A-Z a-z _ -")
}

func (p *problems) requireCallbackURL(raw string) {
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) || hasBlank(raw) || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		p.require(false, "CallbackURL", "must be an absolute http or https URL")
		return
	}
	p.require(u.User == nil, "CallbackURL", "must have no user info")
	for name := range u.Query() {
		p.require(!isCallbackParam(name), "CallbackURL", "must not have a query parameter that the platform's answer has: "+name)
	}
}

func consistsOf(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isLetterOrDigit(b byte) bool {
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z'
}
