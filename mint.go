package webanklive

// Minting: access token and SIGN ticket from the platform, kept by a CredentialStore, under its lock.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/webanklive/webanklive/internal/jsonmedia"
)

const (
	apiVersion = "1.0.0"

	pathToken  = "/api/oauth2/access_token"
	pathTicket = "/api/oauth2/api_ticket"

	opCredential = "get credential"
	opToken      = "get access token"
	opSign       = "get SIGN ticket"
	opNonce      = "get NONCE ticket"

	// The longest lives that the vendor's pages name. A reply that says more is not believed.
	maxTokenLife = 7200 * time.Second
	maxSignLife  = 3600 * time.Second
	maxNonceLife = 120 * time.Second

	// minLife is the shortest that is worth anything: less would make a mint of every call.
	minLife = 10 * time.Second

	// expiryMargin ends a credential before the platform does, so that a call in flight still finds it alive.
	expiryMargin = time.Minute

	// The vendor asks for a refresh every 20 minutes.
	refreshAfter, refreshJitter = 20 * time.Minute, 2 * time.Minute
)

// tokenQuery is what goes on the wire for an access token. Access Token 获取:
// https://cloud.tencent.com/document/product/655/31946
type tokenQuery struct {
	AppID     string `url:"app_id"`
	Secret    string `url:"secret"`
	GrantType string `url:"grant_type"`
	Version   string `url:"version"`
}

// ticketQuery is what goes on the wire for a SIGN or NONCE ticket. SIGN ticket 获取, NONCE ticket 获取:
// https://cloud.tencent.com/document/product/655/31956 and /655/31957
type ticketQuery struct {
	AppID       string `url:"app_id"`
	AccessToken string `url:"access_token"`
	Type        string `url:"type"`
	Version     string `url:"version"`
	UserID      string `url:"user_id,omitempty"` // NONCE only
}

// mint gets a new access token and a SIGN ticket, which kills the ones before them a minute later. It must run under
// the lock of the credential store. A token whose SIGN ticket failed is kept for the next try, because asking for
// another would kill it, too; unless it is older than the last credential that somebody minted, and so dying.
func (c *Client) mint(ctx context.Context, last time.Time) (record, error) {
	token := c.halfMinted.Swap(nil)
	if token != nil && c.clock.at(token.sent).After(last) && c.clock.local().Sub(token.sent) < refreshAfter-refreshJitter {
		if rec, err := c.finishMint(ctx, token); !errors.Is(err, ErrCredential) {
			return rec, err
		}
	}
	token, err := c.accessToken(ctx)
	if err != nil {
		return record{}, err
	}
	return c.finishMint(ctx, token)
}

// freshToken is an access token without its SIGN ticket.
type freshToken struct {
	value string
	life  time.Duration
	sent  time.Time // local time before the request
}

func (c *Client) finishMint(ctx context.Context, token *freshToken) (record, error) {
	sign, signLife, err := c.ticket(ctx, opSign, token.value, ticketQuery{Type: "SIGN"}, maxSignLife)
	if err != nil {
		c.halfMinted.Store(token)
		return record{}, err
	}
	life := min(token.life, signLife)
	life -= min(expiryMargin, life/2)
	// The age runs from before the request. The reply has told what the platform's clock showed then.
	minted := c.clock.at(token.sent).UTC().Round(0)
	return record{
		Credential: Credential{
			AccessToken: token.value, SignTicket: sign,
			RefreshAt: minted.Add(min(between(refreshAfter-refreshJitter, refreshAfter+refreshJitter), life*2/3)),
			ExpiresAt: minted.Add(life),
		},
		mintedAt: minted,
	}, nil
}

func (c *Client) accessToken(ctx context.Context) (*freshToken, error) {
	token := &freshToken{sent: c.clock.local()}
	err := c.send(ctx, call{
		op: opToken, path: pathToken, mint: true,
		query: tokenQuery{AppID: c.appID, Secret: *c.secret, GrantType: "client_credential", Version: apiVersion},
		read: func(body *replyBody) (envelope, error) {
			granted, env, err := readGrant(body, tokenScan)
			if err == nil {
				token.value, token.life, err = grant(env, granted, "access_token", maxTokenLife)
			}
			return env, err
		},
	})
	if err != nil {
		return nil, err
	}
	return token, nil
}

// ticket gets a SIGN or NONCE ticket; q says which, and for whom. No error repeats token or what hide has.
func (c *Client) ticket(ctx context.Context, op, token string, q ticketQuery, longest time.Duration, hide ...string) (ticket string, life time.Duration, err error) {
	q.AppID, q.AccessToken, q.Version = c.appID, token, apiVersion
	err = c.send(ctx, call{
		op: op, path: pathTicket, mint: op == opSign,
		query: q, hide: append(hide, token),
		read: func(body *replyBody) (envelope, error) {
			granted, env, err := readGrant(body, ticketScan)
			if err == nil {
				ticket, life, err = grant(env, granted, "value", longest)
			}
			return env, err
		},
	})
	return ticket, life, err
}

// grant checks what a reply of code 0 grants. expire_in decides how long it lives; expire_time is for people
// (判定有效期时以此为准).
func grant(env envelope, granted jsonmedia.Values, name string, longest time.Duration) (string, time.Duration, error) {
	if env.code != codePassed || env.flaw != nil {
		return "", 0, nil // the code says it all
	}
	value := strings.TrimSpace(granted.Get(name))
	if value == "" {
		return "", 0, errors.New("the reply grants nothing: its token or ticket is empty")
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(granted.Get("expire_in")), 64)
	if err != nil || !(seconds >= minLife.Seconds()) { // NaN is not, either
		return "", 0, fmt.Errorf("the reply's expire_in is not a number of seconds, %v at least", minLife.Seconds())
	}
	return value, time.Duration(min(seconds, longest.Seconds()) * float64(time.Second)), nil
}
