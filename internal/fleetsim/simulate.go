//go:build go1.25

// Package fleetsim simulates a day of many replicas with one app ID: they launch, verify and query at random, while machines,
// the store and the platform fail. It must run inside a bubble of testing/synctest, whose clock jumps when all goroutines wait.
package fleetsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clockhook"
	"github.com/webanklive/webanklive/livetest"
)

// Config says what to simulate.
type Config struct {
	Replicas int
	Hours    int
	Every    time.Duration // mean time between two calls of one replica
	Alone    bool          // every replica refreshes for itself
	Faults   bool

	Platform *livetest.Platform                             // nil: a new one
	Wire     func(next http.RoundTripper) http.RoundTripper // put before the platform; nil: nothing is
	Options  []webanklive.Option                            // of every replica's client, too
	Log      slog.Handler                                   // what the clients log; nil: nowhere
	Failed   func(ctx context.Context, failed error)        // is told of each call that failed; may be nil
}

// Outcome is what came of it.
type Outcome struct {
	Calls     int
	Refused   int           // API calls that the platform refused and the user saw fail
	Callbacks int           // callbacks that could not be verified
	Unknown   int           // likewise, signed with a ticket that is in no store
	Outage    int           // calls that failed while the store was down
	Killed    int           // calls that failed for another reason, as those of a process that was killed
	Longest   time.Duration // the slowest call
	Mints     []time.Time

	needed []time.Time // when a mint became necessary: a refused credential, a half-done mint, a flushed store
}

// TooSoon counts the mints that came within 17 minutes of the mint before and were not necessary.
func (o *Outcome) TooSoon() (n int) {
	for i := 1; i < len(o.Mints); i++ {
		before, at := o.Mints[i-1], o.Mints[i]
		if at.Sub(before) < 17*time.Minute && !slices.ContainsFunc(o.needed, func(t time.Time) bool {
			return !t.Before(before) && !t.After(at)
		}) {
			n++
		}
	}
	return n
}

// fleet is a simulation under way. It must run inside a synctest bubble.
type fleet struct {
	Config
	platform *livetest.Platform
	store    *sharedStore

	mu        sync.Mutex
	outcome   Outcome
	crashNext bool     // kill the next process that asks for a SIGN ticket
	lost      []string // SIGN tickets that are in no store: those of the foreign process, and the flushed one
	orders    int
}

// replica is one process of the partner's.
type replica struct {
	client  *webanklive.Client
	process *process
}

// Simulate runs one simulation to its end.
func Simulate(ctx context.Context, cfg Config) *Outcome {
	f := &fleet{Config: cfg, platform: cfg.Platform, store: &sharedStore{}}
	if f.platform == nil {
		f.platform = livetest.New()
	}
	f.platform.AddResult("known", livetest.Passing())
	ctx, stop := context.WithTimeout(ctx, time.Duration(cfg.Hours)*time.Hour)
	defer stop()
	var wg sync.WaitGroup
	for i := range cfg.Replicas {
		wg.Go(func() { f.runReplica(ctx, i) })
	}
	if cfg.Faults {
		wg.Go(func() { f.fail(ctx) })
	}
	wg.Wait()
	f.outcome.Mints = f.platform.Mints()
	time.Sleep(time.Minute) // a refresh goes on without its caller, and a bubble must not end before its goroutines
	return &f.outcome
}

// runReplica runs replica number i, and starts it again after a restart or when it was killed.
func (f *fleet) runReplica(ctx context.Context, i int) {
	restart := time.NewTimer(12*time.Hour + time.Duration(i)*10*time.Second)
	defer restart.Stop()
	r := f.start(ctx, i)
	for {
		wait := time.NewTimer(time.Duration(rand.ExpFloat64() * float64(f.Every)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-restart.C:
			if f.Faults {
				r = f.start(ctx, i)
			}
		case <-r.process.ctx.Done(): // killed; a new one takes its place
			r = f.start(ctx, i)
		case <-wait.C:
			f.use(ctx, r)
		}
		wait.Stop()
	}
}

func (f *fleet) start(ctx context.Context, i int) *replica {
	ctx, kill := context.WithCancel(ctx)
	p := &process{store: f.store, ctx: ctx}
	var wire http.RoundTripper = network{f, p, kill}
	if f.Faults && i < 2 { // two machines whose clocks are off
		off := 5 * time.Minute * time.Duration(1-2*i)
		wire = clockhook.Transport{RoundTripper: wire, Now: func() time.Time { return time.Now().Add(off) }}
	}
	opts := []webanklive.Option{
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: wire}),
		webanklive.WithLogger(slog.New(refusals{f})),
	}
	if !f.Alone {
		opts = append(opts, webanklive.WithCredentialStore(p))
	}
	c, err := webanklive.NewClient(f.platform.AppID(), f.platform.Secret(), append(opts, f.Options...)...)
	if err != nil {
		panic(err) // the options are valid
	}
	return &replica{client: c, process: p}
}

// network is the way from one process to the platform: slow, cut off when the process dies.
type network struct {
	fleet   *fleet
	process *process
	kill    context.CancelFunc
}

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(20*time.Millisecond + rand.N(60*time.Millisecond))
	f := n.fleet
	if req.URL.Query().Get("type") == "SIGN" {
		f.mu.Lock()
		crash := f.crashNext
		f.crashNext = false
		f.mu.Unlock()
		if crash { // the token is minted, so the old one will die, and no other process knows the new one
			f.mintNeeded()
			n.process.die()
			n.kill()
		}
	}
	if n.process.ctx.Err() != nil && !n.process.died.IsZero() {
		return nil, errKilled
	}
	if f.Wire != nil {
		return f.Wire(f.platform.Transport()).RoundTrip(req)
	}
	return f.platform.Transport().RoundTrip(req)
}

// refusals is a log handler that notes when a credential was refused, which makes a mint necessary.
type refusals struct{ fleet *fleet }

func (refusals) Enabled(context.Context, slog.Level) bool { return true }
func (r refusals) WithAttrs([]slog.Attr) slog.Handler     { return r } // the SDK uses neither
func (r refusals) WithGroup(string) slog.Handler          { return r }

func (r refusals) Handle(ctx context.Context, line slog.Record) error {
	if strings.Contains(line.Message, "the platform refused the credential") {
		r.fleet.mintNeeded()
	}
	if r.fleet.Log != nil {
		return r.fleet.Log.Handle(ctx, line)
	}
	return nil
}

// use makes one random call and counts its outcome.
func (f *fleet) use(ctx context.Context, r *replica) {
	began := time.Now()
	var err error
	var query url.Values
	switch rand.N(4) {
	case 0:
		query, err = f.check(ctx, r)
	case 1:
		_, err = r.client.BuildLiveLoginURL(ctx, f.launch())
	default:
		_, err = r.client.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: "known"})
	}
	if ctx.Err() != nil {
		return // the day is over
	}
	if err != nil && f.Failed != nil {
		f.Failed(ctx, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outcome.Calls++
	f.outcome.Longest = max(f.outcome.Longest, time.Since(began))
	switch {
	case err == nil:
	case errors.Is(err, webanklive.ErrBadCallback) && f.signedWithLost(query):
		f.outcome.Unknown++
	case errors.Is(err, webanklive.ErrBadCallback):
		f.outcome.Callbacks++
	case errors.Is(err, webanklive.ErrCredential):
		f.outcome.Refused++
	case f.store.isDown():
		f.outcome.Outage++
	default:
		f.outcome.Killed++
	}
}

// check is a whole liveness check. The person takes a minute, so a refresh may fall into it.
func (f *fleet) check(ctx context.Context, r *replica) (url.Values, error) {
	req := f.launch()
	link, err := r.client.BuildLiveLoginURL(ctx, req)
	if err != nil {
		return nil, err
	}
	back, err := f.platform.Visit(ctx, link, livetest.Passing())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", webanklive.ErrCredential, err) // a link that does not open is a refusal
	}
	u, err := url.Parse(back)
	if err != nil {
		return nil, err
	}
	if _, err = r.client.VerifyCallback(ctx, u.Query(), req.OrderNo); err != nil {
		return u.Query(), err
	}
	_, err = r.client.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: req.OrderNo})
	return nil, err
}

func (f *fleet) launch() webanklive.LiveLoginRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders++
	return webanklive.LiveLoginRequest{
		OrderNo: fmt.Sprint("F", f.orders), UserID: fmt.Sprint("user", f.orders),
		CallbackURL: "https://shop.example/done", SkipResultPage: true,
	}
}

// signedWithLost must be called with f.mu held.
func (f *fleet) signedWithLost(query url.Values) bool {
	return slices.ContainsFunc(f.lost, func(ticket string) bool {
		return query.Get("newSignature") == webanklive.Sign(f.platform.AppID(), query.Get("orderNo"), ticket, query.Get("code"))
	})
}

// fail makes things fail, each at its time of the day.
func (f *fleet) fail(ctx context.Context) {
	began := time.Now()
	at := func(after time.Duration) bool { // sleeps until then
		select {
		case <-time.After(time.Until(began.Add(after))):
			return true
		case <-ctx.Done():
			return false
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { // a foreign process with the same app ID mints for itself every hour
		for hour := range f.Hours {
			if !at(time.Duration(hour)*time.Hour + 37*time.Minute) {
				return
			}
			_, sign := f.platform.Rotate()
			f.lose(sign)
		}
	})
	for _, event := range []struct {
		after  time.Duration
		happen func()
	}{
		{2 * time.Hour, func() { f.mu.Lock(); f.crashNext = true; f.mu.Unlock() }},
		{5 * time.Hour, func() { f.store.set(true) }},
		{5*time.Hour + 90*time.Second, func() { f.store.set(false) }},
		{7 * time.Hour, f.flush},
		// The foreign process made the fleet mint at 8:37 or soon after, so the second refresh after that falls into it.
		{9*time.Hour + 14*time.Minute + 30*time.Second, func() { f.platform.Fail(livetest.AccessToken, livetest.Fault{Status: 503}, -1) }},
		{9*time.Hour + 24*time.Minute + 30*time.Second, func() { f.platform.Fail(livetest.AccessToken, livetest.Fault{}, 0) }},
	} {
		if !at(event.after) {
			return
		}
		event.happen()
	}
}

// flush empties the store. Replicas that have read the value know its ticket; the others know an older one at best, and have
// to mint.
func (f *fleet) flush() {
	f.mintNeeded()
	f.lose(f.store.flush())
}

func (f *fleet) lose(ticket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = append(f.lost, ticket)
}

// mintNeeded notes that a mint is necessary from now on.
func (f *fleet) mintNeeded() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outcome.needed = append(f.outcome.needed, time.Now())
}
