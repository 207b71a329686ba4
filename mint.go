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
	minLife      = 10 * time.Second   // less would make a mint of every call
	expiryMargin = time.Minute        // before the platform's expiry, so that a call in flight still finds it alive

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

// mint gets a new access token and a SIGN ticket, which end the ones before them a minute later. It must run under the
// lock of the credential store.
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
	// The age runs from before the requests. Their replies have told the platform's time.
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

// read returns what reads a reply into g. expire_in decides how long the value lives; expire_time is for people
// (判定有效期时以此为准).
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
		case err != nil || !(seconds >= minLife.Seconds()): // NaN is not, either
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

// mintEvery is how often a refusal, a clock or Client.Refresh may make a process mint, and for how long a mint that the
// platform refused is not tried again.
const mintEvery = time.Minute

// A mintLimit keeps a process from minting again and again, which would end the credential of its whole fleet each time.
// Nothing is lost by it: no mint ends what was minted less than a minute before. It is safe for concurrent use.
type mintLimit struct {
	clock *clock

	mu        sync.Mutex
	last      time.Time // when the last mint but the first began, on the platform's clock
	unplanned time.Time // likewise, the last one in place of a refused credential or for Refresh
	refused   time.Time // likewise, the last one that the platform refused
	refusal   error     // what it said; nil: it has minted since
}

// recent reports whether at is less than mintEvery ago. A clock that went back since then tells nothing.
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

// note remembers a mint that began at a time, and how it ended. One that got a token, but no SIGN ticket, has ended what is
// held: that lives for a minute, after which another mint is soon enough.
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

// mayReplace reports whether a refusal of rec may make this process get another: not when one, of whatever process, has
// just taken the place of a refused one.
func (l *mintLimit) mayReplace(rec *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.recent(l.unplanned) && !(rec.unplanned && l.recent(rec.mintedAt))
}

// refusesMint reports whether err says that minting again soon cannot help.
func refusesMint(err error) bool {
	return errors.Is(err, ErrCredential) || errors.Is(err, ErrAccount) || errors.Is(err, ErrInvalidRequest)
}
