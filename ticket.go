package webanklive

// Tickets: SIGN, which signs, and NONCE, of which each launch needs one: bound to a user, for a single use.

import (
	"context"
	"errors"
	"time"
)

const (
	pathTicket = "/api/oauth2/api_ticket"

	opSign  = "get SIGN ticket"
	opNonce = "get NONCE ticket"

	maxSignLife, maxNonceLife = 3600 * time.Second, 120 * time.Second // as for maxTokenLife

	// nonceGap is how long the platform refuses a second ticket for the same user.
	nonceGap = 2 * time.Second
)

// ticketQuery is what goes on the wire for a SIGN or NONCE ticket. SIGN ticket 获取, NONCE ticket 获取:
// https://cloud.tencent.com/document/product/655/31956 and /655/31957
type ticketQuery struct {
	AppID       string `url:"app_id"`
	AccessToken string `url:"access_token"`
	Type        string `url:"type"`
	Version     string `url:"version"`
	UserID      string `url:"user_id,omitempty"` // NONCE only
}

// ticket gets the ticket that q asks for.
func (c *Client) ticket(ctx context.Context, op string, q ticketQuery, longest time.Duration) (ticket grant, err error) {
	q.AppID, q.Version = c.appID, apiVersion
	err = c.send(ctx, call{
		op: op, path: pathTicket, mint: op == opSign, query: q, read: ticket.read(ticketScan, "value", longest),
	})
	return ticket, err
}

// nonceTicket returns a new NONCE ticket for userID. The platform refuses one when it has granted that user another less than
// two seconds ago, perhaps to a call whose caller left. Then nonceTicket waits for two seconds and asks once more.
func (c *Client) nonceTicket(ctx context.Context, userID string) (ticket string, err error) {
	err = c.credential.withCredential(ctx, func(rec *record) error {
		q := ticketQuery{AccessToken: rec.AccessToken, Type: "NONCE", UserID: userID}
		granted, err := c.ticket(ctx, opNonce, q, maxNonceLife)
		var refused *Error
		if errors.As(err, &refused) && refused.Code == codeNonceTooSoon && pause(ctx, nonceGap) {
			granted, err = c.ticket(ctx, opNonce, q, maxNonceLife)
		}
		ticket = granted.value
		return err
	})
	return ticket, err
}
