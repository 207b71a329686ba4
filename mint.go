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

	pathToken = "/api/oauth2/access_token"

	opCredential = "get credential"
	opToken      = "get access token"
	opRefresh    = "refresh credential"

	// maxTokenLife is the longest that the vendor's pages name. A reply that says more is not believed.
	maxTokenLife = 7200 * time.Second

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

// mint gets a new access token and a SIGN ticket, which end the ones before them a minute later. It must run under the
// lock of the credential store. granted reports that a token was granted, also when its SIGN ticket failed.
func (c *Client) mint(ctx context.Context, reason string) (rec record, granted bool, err error) {
	ctx, ended := c.observe(ctx, Activity{Kind: ActivityMint, Name: "mint", Reason: reason})
	defer func() { ended(Outcome{Err: err}) }()
	err = errUnfinished
	began := time.Now()
	token, err := c.accessToken(ctx)
	if err != nil {
		return record{}, false, err
	}
	sign, signLife, err := c.ticket(ctx, opSign, token.value, ticketQuery{Type: "SIGN"}, maxSignLife)
	if err != nil {
		return record{}, true, err
	}
	life := min(token.life, signLife)
	life -= min(expiryMargin, life/2)
	// The age runs from before the request. The reply has told what the platform's clock showed then.
	minted := c.clock.now().Add(-time.Since(began)).Round(0).UTC()
	return record{
		Credential: Credential{
			AccessToken: token.value, SignTicket: sign,
			RefreshAt: minted.Add(min(between(refreshAfter-refreshJitter, refreshAfter+refreshJitter), life*2/3)),
			ExpiresAt: minted.Add(life),
		},
		mintedAt: minted,
	}, true, nil
}

// freshToken is an access token without its SIGN ticket.
type freshToken struct {
	value string
	life  time.Duration
}

func (c *Client) accessToken(ctx context.Context) (token freshToken, err error) {
	err = c.send(ctx, call{
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
	return token, err
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

// Why a credential is minted: what the log says, and Activity.Reason.
const (
	reasonFirst   = "nothing was held" // and nothing stored
	reasonDue     = "due"
	reasonExpired = "expired"
	reasonRefused = "refused"
	reasonAsked   = "Refresh was called"
)

// mintEvery is how often a refusal, a clock or Client.Refresh may make a process mint, and how long a mint that the
// platform refused is not tried again.
const mintEvery = time.Minute

// A mintLimit is what keeps a process from minting in a storm, which would end the credential of the whole fleet again
// and again: at most one mint in mintEvery is unplanned. Planned are the first one, and one for a credential whose time
// has really passed since this process minted. By the platform's overlap nothing is lost: a credential that was minted
// less than a minute ago cannot have died. It is safe for concurrent use.
type mintLimit struct {
	clock *clock

	mu        sync.Mutex
	last      moment        // of the last mint
	interval  time.Duration // after which a refresh was planned then
	unplanned moment        // of the last unplanned mint
	refused   moment        // of the last mint that the platform refused
	refusal   error
}

// A moment is a time on a clock that no correction moves, and on the platform's.
type moment struct{ monotonic, platform time.Time }

func (l *mintLimit) now() moment { return moment{time.Now(), l.clock.now()} }

// since is the longer of the times that passed on the two: a machine may have slept, a clock may have been wrong.
func (l *mintLimit) since(m moment) time.Duration {
	if m.monotonic.IsZero() {
		return 1<<63 - 1
	}
	now := l.now()
	return max(now.monotonic.Sub(m.monotonic), now.platform.Sub(m.platform))
}

// planned must be called with mu held.
func (l *mintLimit) planned(reason string) bool {
	switch reason {
	case reasonFirst:
		return true
	case reasonDue, reasonExpired:
		return l.last.monotonic.IsZero() || time.Since(l.last.monotonic) >= l.interval
	}
	return false
}

// allow returns why no credential may be minted now, nil if one may.
func (l *mintLimit) allow(reason string, stored *record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.since(l.refused) < mintEvery && reason != reasonAsked:
		return l.refusal
	case l.since(l.refused) < mintEvery:
		return tooSoon("the platform refused the last mint", l.refused.platform)
	case l.planned(reason):
		return nil
	case l.since(l.unplanned) < mintEvery:
		return tooSoon("a credential was minted out of turn", l.unplanned.platform)
	case reason == reasonDue && l.since(l.last) < mintEvery:
		return tooSoon("a credential was minted", l.last.platform)
	case reason == reasonAsked && stored != nil && l.fresh(stored):
		return tooSoon("another process minted a credential out of turn", stored.mintedAt)
	}
	return nil
}

func tooSoon(what string, at time.Time) error {
	return &Error{Op: opCredential, class: ErrThrottled, Err: fmt.Errorf("%s less than a minute ago; the next may be minted at %s",
		what, at.Add(mintEvery).UTC().Format(time.RFC3339))}
}

// fresh reports whether rec was minted out of turn less than a minute ago, maybe by another process.
func (l *mintLimit) fresh(rec *record) bool {
	return rec.unplanned && l.clock.now().Sub(rec.mintedAt).Abs() < mintEvery
}

// minted notes a mint that began at a moment, and reports whether it was planned.
func (l *mintLimit) minted(began moment, reason string, interval time.Duration) (planned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	planned = l.planned(reason)
	l.last, l.interval, l.refused, l.refusal = began, interval, moment{}, nil
	if !planned {
		l.unplanned = l.last
	}
	return planned
}

// failed notes a mint that failed. A token that was granted without its SIGN ticket has ended what is held, too: while
// that is still good for a minute, nobody needs another at once.
func (l *mintLimit) failed(began moment, reason string, granted bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if refusedMint(err) {
		l.refused, l.refusal = l.now(), err
	}
	if granted && reason == reasonDue {
		l.last, l.interval, l.unplanned = began, refreshAfter, began
	}
}

// refusedMint reports whether err says that trying again soon cannot help.
func refusedMint(err error) bool {
	return errors.Is(err, ErrCredential) || errors.Is(err, ErrAccount) || errors.Is(err, ErrInvalidRequest)
}

// mayReplace reports whether a refusal of rec may make this process mint.
func (l *mintLimit) mayReplace(rec *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(l.unplanned) >= mintEvery && !l.fresh(rec)
}

// errNotReplaced explains why a refused call ends with the refusal.
var errNotReplaced = errors.New("the credential was replaced less than a minute ago, or cannot be, so another would not help")
