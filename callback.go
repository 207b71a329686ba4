package webanklive

// Checking what the browser brings back.

import (
	"context"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parameters of a callback. The sibling PC page calls the signature newSign.
const (
	paramCode      = "code"
	paramOrderNo   = "orderNo"
	paramLiveRate  = "liveRate"
	paramSignature = "newSignature"
	paramAlias     = "newSign"
)

var callbackParams = []string{paramCode, paramOrderNo, paramLiveRate, paramSignature, paramAlias}

func isCallbackParam(name string) bool { return slices.Contains(callbackParams, name) }

// Callback is what the browser brought back. It is no verdict: it carries no time, can be replayed, and its score is not
// signed. It is the reason to ask [Client.GetLiveResult], which decides.
type Callback struct {
	OrderNo string
	// Code is "0" when the platform's page says that the person passed, else one of [LookupCode] or an unknown one.
	Code string
	// LiveRate is the score as the browser brought it, for display at most: it is NOT signed, may be missing, and
	// may be the text 分数为空. It is empty when it is not a printable text of at most 32 bytes.
	LiveRate string
}

// VerifyCallback checks the query with which the browser came back to CallbackURL, for the order that the session of
// that browser expects. Never take orderNo from the query: a failed callback for one order can be rewritten into a
// passed one for another.
//
// The signature is compared in constant time with that of the current SIGN ticket, then with that of the previous one. If
// neither matches, the credential store is read again, because another machine may have refreshed. Unknown parameters are
// ignored: gateways add their own, and the platform may still send its older parameter signature beside newSignature.
//
// Errors: [ErrBadCallback], with [ErrMalformedCallback], [ErrOtherOrder] or [ErrBadSignature] for the cause;
// [ErrUnsignedCallback], with the Callback, when the page failed with a code other than 0 and did not sign it (3001: the
// browser cannot record; offer another way to identify); [ErrInvalidRequest] for an orderNo that no launch can have had;
// those of getting a credential, also when the signature does not match and the store cannot be asked for a newer ticket;
// ctx's own.
//
// 前端获取结果验证签名: https://cloud.tencent.com/document/product/655/32052
func (c *Client) VerifyCallback(ctx context.Context, query url.Values, orderNo string) (_ *Callback, err error) {
	const op = "verify callback"
	defer c.observeCall(&ctx, &err, op, orderNo, query.Get(paramOrderNo))()
	var broken problems
	broken.requireOrderNo(orderNo)
	if err := broken.err(op); err != nil {
		return nil, err
	}
	malformed := func(how string) error {
		return &Error{Op: op, Err: fmt.Errorf("%w: %s", ErrMalformedCallback, how)}
	}

	for _, name := range callbackParams {
		if len(query[name]) > 1 && name != paramLiveRate {
			return nil, malformed(name + " is given more than once")
		}
	}
	cb := &Callback{OrderNo: query.Get(paramOrderNo), Code: query.Get(paramCode), LiveRate: liveRate(query[paramLiveRate])}
	signature, alias := query.Get(paramSignature), query.Get(paramAlias)
	if signature == "" {
		signature = alias
	}
	switch {
	case !isOrderNo(cb.OrderNo):
		return nil, malformed("orderNo is missing or not 1 to 32 ASCII letters and digits")
	case cb.OrderNo != orderNo:
		return nil, &Error{Op: op, Err: ErrOtherOrder}
	case !isCode(cb.Code):
		return nil, malformed("code is not a number of at most 16 digits")
	case alias != "" && !strings.EqualFold(alias, signature):
		return nil, malformed("newSign and newSignature differ")
	case signature == "" && cb.Code == codePassed:
		return nil, malformed("code is 0 and newSignature is missing")
	case signature == "":
		return cb, &Error{Op: op, Err: fmt.Errorf("%w: code %s", ErrUnsignedCallback, cb.Code)}
	}
	sum, err := hex.DecodeString(signature)
	if err != nil || len(sum) != sha1.Size {
		return nil, malformed("newSignature is not 40 hexadecimal digits")
	}

	h, err := c.credential.get(ctx)
	if err != nil {
		return nil, err
	}
	if c.signedWith(h, cb, sum) {
		return cb, nil
	}
	if h, err = c.credential.reread(ctx); err != nil {
		return nil, err
	}
	if c.signedWith(h, cb, sum) {
		return cb, nil
	}
	return nil, &Error{Op: op, Err: ErrBadSignature}
}

// liveRate returns the score. It is empty when the score is given twice, too long, not UTF-8 or not printable: the score is for
// display only, so a bad one is no reason to refuse the callback.
func liveRate(given []string) string {
	if len(given) != 1 || len(given[0]) > 32 || !utf8.ValidString(given[0]) ||
		strings.ContainsFunc(given[0], func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return given[0]
}

// signedWith reports whether sum is the signature of cb by one of the SIGN tickets of h.
func (c *Client) signedWith(h *record, cb *Callback, sum []byte) bool {
	for _, ticket := range []string{h.SignTicket, h.previous(c.clock.now())} {
		if ticket == "" {
			continue
		}
		want, _ := hex.DecodeString(Sign(c.appID, cb.OrderNo, ticket, cb.Code)) // Sign always returns hex
		if subtle.ConstantTimeCompare(want, sum) == 1 {
			return true
		}
	}
	return false
}

// isCode reports whether s matches -?[0-9]+ and has at most 16 digits, which is longer than every code of the vendor.
func isCode(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return len(digits) >= 1 && len(digits) <= 16 && consistsOf(digits, func(b byte) bool { return '0' <= b && b <= '9' })
}
