package webanklive

// Minting: an access token and a SIGN ticket from the platform, and how often that may be.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive/internal/jsonmedia"
)

const (
	apiVersion = "1.0.0"
	pathToken  = "/api/oauth2/access_token"

	opCredential = "get credential"
	opRefresh    = "refresh credential"
	opToken      = "get access token"

	maxTokenLife = 7200 * time.Second // the longest that the vendor's pages name: more is not believed
	minLife      = 10 * time.Second   // with less, nearly every call would mint
	expiryMargin = time.Minute        // before the platform's expiry, so that a credential outlives the calls in flight

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

// mint gets a new access token and a new SIGN ticket. The token and the ticket before them are dead a minute later. It must
// run under the lock of the credential store.
func (c *Client) mint(ctx context.Context, reason string) (rec record, err error) {
	ctx, ended := c.observe(ctx, Activity{Kind: ActivityMint, Name: "mint", Reason: reason})
	defer func() { ended(Outcome{Err: err}) }()
	err = errUnfinished
	began := time.Now()
	var token grant
	err = c.send(ctx, call{
		op: opToken, path: pathToken, mint: true, read: token.read(tokenScan, "access_token", maxTokenLife),
		query: tokenQuery{AppID: c.appID, Secret: *c.secret, GrantType: "client_credential", Version: apiVersion},
	})
	if err != nil {
		return record{}, err
	}
	sign, err := c.ticket(ctx, opSign, ticketQuery{AccessToken: token.value, Type: "SIGN"}, maxSignLife)
	if err != nil {
		return record{}, err
	}
	life := min(token.life, sign.life)
	life -= min(expiryMargin, life/2)
	// The age counts from before the requests, by the platform's clock, which their replies may have corrected.
	minted := c.clock.now().Add(-time.Since(began)).Round(0).UTC()
	return record{
		Credential: Credential{
			AccessToken: token.value, SignTicket: sign.value, ExpiresAt: minted.Add(life),
			RefreshAt: minted.Add(min(between(refreshAfter-refreshJitter, refreshAfter+refreshJitter), life*2/3)),
		},
		mintedAt: minted,
	}, nil
}

// A grant is what a token or ticket reply brings.
type grant struct {
	value string
	life  time.Duration
}

// read returns a func that reads a reply into g. expire_in decides how long the value lives (判定有效期时以此为准);
// expire_time is for people.
func (g *grant) read(opts jsonmedia.Options, name string, longest time.Duration) func(*replyBody) (envelope, error) {
	return func(body *replyBody) (envelope, error) {
		granted, env, err := readGrant(body, opts)
		if err != nil || env.code != codePassed || env.flaw != nil {
			return env, err
		}
		g.value = strings.TrimSpace(granted.Get(name))
		seconds, err := strconv.ParseFloat(strings.TrimSpace(granted.Get("expire_in")), 64)
		switch {
		case g.value == "":
			return env, errors.New("the reply grants nothing: its token or ticket is empty")
		case err != nil || !(seconds >= minLife.Seconds()): // so written because of NaN
			return env, fmt.Errorf("the reply's expire_in is not a number of seconds, %v at least", minLife.Seconds())
		}
		g.life = time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
		return env, nil
	}
}

// Why a credential is minted, for the log and for Activity.Reason.
const (
	reasonFirst   = "nothing was held"
	reasonDue     = "the old one was due"
	reasonExpired = "the old one expired"
	reasonRefused = "the old one was refused"
	reasonRefresh = "Refresh was called"
)

// mintEvery is the least time between two mints of a process because of refusals, of clocks that differ, or of
// Client.Refresh. A mint that the platform refused is not tried again for this time, either.
const mintEvery = time.Minute

// A mintLimit keeps a process from minting again and again, because each mint ends the credential of the whole fleet. No call
// fails because of the limit: a credential that another mint replaced lives for a minute more. It is safe for concurrent use.
type mintLimit struct {
	clock *clock

	mu        sync.Mutex
	last      time.Time // when the last mint began, on the platform's clock; mints into an empty store do not count
	unplanned time.Time // likewise, the last mint in place of a refused credential or for Refresh
	refused   time.Time // likewise, the last mint that the platform refused
	refusal   error     // the error of that mint; nil: a mint has succeeded since
}

// recent reports whether at is less than mintEvery ago. A time in the future is not recent: the clock was set back since.
func (l *mintLimit) recent(at time.Time) bool {
	age := l.clock.now().Sub(at)
	return 0 <= age && age < mintEvery
}

// allow returns why no credential may be minted now in place of stored, nil if one may.
func (l *mintLimit) allow(reason string, stored *record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.unplanned
	switch {
	case l.refusal != nil && l.recent(l.refused) && reason != reasonRefresh:
		return l.refusal
	case l.refusal != nil && l.recent(l.refused):
		last = l.refused
	case reason == reasonFirst:
		return nil
	case reason == reasonDue || reason == reasonExpired:
		last = l.last
	case reason == reasonRefresh && stored != nil && stored.unplanned && !l.recent(last):
		last = stored.mintedAt
	}
	if !l.recent(last) {
		return nil
	}
	return &Error{Op: opCredential, class: ErrThrottled, Err: fmt.Errorf("the last mint was less than a minute ago; the next may be at %s",
		last.Add(mintEvery).UTC().Format(time.RFC3339))}
}

// note remembers when a mint began and how it ended. A mint that got a token but no SIGN ticket counts as a mint, too: the
// credential before it lives for a minute more, and another mint after that minute is soon enough.
func (l *mintLimit) note(began time.Time, reason string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed *Error
	halfway := errors.As(err, &failed) && failed.Op == opSign && reason == reasonDue
	switch {
	case refusesMint(err):
		l.refused, l.refusal = began, err
	case err == nil || halfway:
		l.refusal = nil
		if reason != reasonFirst {
			l.last = began
		}
		if unplanned(reason) {
			l.unplanned = began
		}
	}
}

func unplanned(reason string) bool { return reason == reasonRefused || reason == reasonRefresh }

// mayReplace reports whether this process may get another credential because rec was refused. It may not within a minute of
// the last time that this process, or the one that minted rec, replaced a refused credential.
func (l *mintLimit) mayReplace(rec *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.recent(l.unplanned) && !(rec.unplanned && l.recent(rec.mintedAt))
}

// refusesMint reports whether err says that minting again soon cannot help.
func refusesMint(err error) bool {
	return errors.Is(err, ErrCredential) || errors.Is(err, ErrAccount) || errors.Is(err, ErrInvalidRequest)
}
