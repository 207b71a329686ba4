// The platform itself: what it knows, its clock, its settings, and what it recorded.

package livetest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The rules that the vendor's pages fix and that no setting changes.
const (
	overlap       = time.Minute        // how long a replaced token or SIGN ticket stays alive
	nonceInterval = 2 * time.Second    // one NONCE ticket for a user in this time
	retention     = 3 * 24 * time.Hour // how long a result can be fetched here; the vendor promises no time
	version       = "1.0.0"
	credentialLen = 64     // characters of the secret, a token, a ticket
	remembered    = 10_000 // entries of each history, at least
	maxLaunched   = 20_000 // launched checks; older ones are forgotten, order number and all
)

// Platform is one fake platform with one partner registered, or more: see Register. It is an http.Handler that serves the API
// below /idasc and the browser pages below /ida; everything else is 404. Make it with New or NewServer. All methods may be
// called from any goroutine at any time.
type Platform struct {
	first   *partner      // whose app ID AppID returns
	offset  atomic.Int64  // nanoseconds the platform's clock is ahead of time.Now
	stopped chan struct{} // closed when hung replies must end
	stop    func()

	mu        sync.Mutex          // guards everything below
	partners  map[string]*partner // by app ID
	marker    string
	style     Style
	tokenLife time.Duration
	signLife  time.Duration
	nonceLife time.Duration
	mediaLag  time.Duration
	keep      bool              // results can be fetched for ever
	onRefusal func(string)      // may be nil
	sessions  map[string]*order // by the id that the page carries
	launched  []string          // the ids of sessions, the oldest first
	faults    map[Endpoint][]plannedFault
	calls     map[Endpoint]int
	requests  map[Endpoint]*history[Request]
	mints     history[time.Time]
	refusals  history[string]
}

// New returns a platform that listens nowhere: serve it as an http.Handler or reach it through Transport. A test that
// wants a socket uses NewServer. A platform used inside a testing/synctest bubble must be made inside it.
func New() *Platform { return NewFor("TIDAtest", "") }

// NewFor is New for a partner with this app ID and secret; an empty secret stands for a new one. So a program can be configured
// before the platform starts, and stay configured when the platform is made again.
func NewFor(appID, secret string) *Platform {
	stopped := make(chan struct{})
	p := &Platform{
		first:     newPartner(appID),
		stopped:   stopped,
		stop:      sync.OnceFunc(func() { close(stopped) }),
		tokenLife: 2 * time.Hour,
		signLife:  time.Hour,
		nonceLife: 2 * time.Minute,
		sessions:  map[string]*order{},
		faults:    map[Endpoint][]plannedFault{},
		calls:     map[Endpoint]int{},
		requests:  map[Endpoint]*history[Request]{},
	}
	p.first.secret = cmp.Or(secret, p.newSecret())
	p.partners = map[string]*partner{appID: p.first}
	return p
}

// partner is one app ID: its secret, the tokens and tickets that it was given, and its orders. Platform.mu guards all fields
// but appID.
type partner struct {
	appID  string
	secret string
	ledger ledger
	orders map[string]*order // by order number
}

func newPartner(appID string) *partner {
	return &partner{appID: appID, ledger: ledger{nonces: map[string][]*credential{}}, orders: map[string]*order{}}
}

// Register adds a partner with an app ID and secret of its own, which shares no tokens, tickets or orders with another partner.
// If the app ID is registered, it gets the new secret. As with the vendor, a new secret ends the token and all tickets of its
// app ID.
// The shortcuts AddResult, CallbackQuery, Rotate, Revoke and SetMarker are about the first app ID, that of AppID.
func (p *Platform) Register(appID, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.partners[appID]
	if known == nil {
		known = newPartner(appID)
		p.partners[appID] = known
	}
	known.secret = secret
	known.ledger.revoke(p.Now())
}

// partner returns the partner with this app ID. If there is none it returns the first partner, so that the rest of a request
// can be checked, too.
func (p *Platform) partner(appID string) (found *partner, registered bool) {
	if found = p.partners[appID]; found != nil {
		return found, true
	}
	return p.first, false
}

// AppID returns the first partner's app ID, which never changes.
func (p *Platform) AppID() string { return p.first.appID }

// Format shows the app ID only, for every verb.
func (p *Platform) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "livetest.Platform{AppID: %q}", p.first.appID)
}

// Secret returns the first partner's secret; SetMarker and Register replace it.
func (p *Platform) Secret() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first.secret
}

// Now returns the platform's time, which is also in the Date header of every reply.
func (p *Platform) Now() time.Time { return time.Now().Add(time.Duration(p.offset.Load())) }

// Advance moves the platform's clock by d, and only that clock: a client's clock stays where it is.
func (p *Platform) Advance(d time.Duration) { p.offset.Add(int64(d)) }

// SetStyle sets how replies are written from now on. The zero Style is the documented form.
func (p *Platform) SetStyle(s Style) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.style = s
}

// SetLifetimes sets the lives of the tokens, SIGN tickets and NONCE tickets made from now on. At first they are the
// vendor's 7200 s, 3600 s and 120 s; a zero leaves that one as it is.
func (p *Platform) SetLifetimes(token, sign, nonce time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokenLife = cmp.Or(token, p.tokenLife)
	p.signLife = cmp.Or(sign, p.signLife)
	p.nonceLife = cmp.Or(nonce, p.nonceLife)
}

// SetMediaLag hides photo and video from getLiveResult until d after the person finished.
func (p *Platform) SetMediaLag(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mediaLag = d
}

// KeepResults lets results be fetched for as long as the platform lives, not only for the 72 hours that a fake keeps them
// otherwise. Of checks that were launched it remembers the last 20,000 all the same.
func (p *Platform) KeepResults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep = true
}

// OnRefusal has f called with every text that Refusals gets from now on, by the goroutine that serves the request and
// before the reply. The texts quote what the request carried; nil ends it.
func (p *Platform) OnRefusal(f func(refusal string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onRefusal = f
}

// SetMarker makes a new secret that contains marker, and so will every token and ticket from now on, so that a test can
// look for leaks. As with the vendor a new secret ends the token and all tickets. Use letters and digits, so that no
// encoding hides the marker.
func (p *Platform) SetMarker(marker string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marker = marker
	p.first.secret = p.newSecret()
	p.first.ledger.revoke(p.Now())
}

// Rotate replaces the token and the SIGN ticket as another machine of the partner would, and returns what that machine
// got. The old ones live one more minute.
func (p *Platform) Rotate() (accessToken, signTicket string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := p.mintToken(p.first)
	return token.value, p.mintSign(p.first, token).value
}

// Revoke ends the token and all tickets at once. Callbacks carry no signature until a new SIGN ticket is made.
func (p *Platform) Revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first.ledger.revoke(p.Now())
}

// Request is one request as it arrived. It is shared and must not be modified.
type Request struct {
	Time   time.Time // on the platform's clock
	Method string
	Path   string
	Query  url.Values
	Header http.Header
}

// Calls returns how many requests arrived at e, refused and sabotaged ones included.
func (p *Platform) Calls(e Endpoint) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[e]
}

// Requests returns the requests to e, oldest first; of very many only the newest, ten thousand at least.
func (p *Platform) Requests(e Endpoint) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.requests[e]; h != nil {
		return slices.Clone(h.items)
	}
	return nil
}

// Mints returns when access tokens were handed out over HTTP, on the platform's clock. Rotate does not count.
func (p *Platform) Mints() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mints.items)
}

// Refusals returns, oldest first, why the platform refused requests: endpoint, exact reason, code. No text in it is secret.
// Replies made by Fail are not refusals.
func (p *Platform) Refusals() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refusals.items)
}

// newSecret returns a new secret, token or ticket, which begins with the marker.
func (p *Platform) newSecret() string {
	return p.marker + random(max(credentialLen-len(p.marker), 32))
}

// random returns n letters and digits. The small bias of the remainder does no harm in a fake.
func random(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// history keeps the newest items, so that a long benchmark does not use up the memory.
type history[T any] struct{ items []T }

func (h *history[T]) add(item T) {
	if len(h.items) >= 2*remembered {
		h.items = slices.Clone(h.items[remembered:])
	}
	h.items = append(h.items, item)
}
