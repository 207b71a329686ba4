//go:build go1.25

package main

// The run: workers that launch, the other machine that rotates the credential, and the rules for how a call may end.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

const (
	machines = 4                // clients that share one store
	users    = 5000             // so few that some launch again within the two seconds between two NONCE tickets
	rotation = 20 * time.Minute // how often another machine of the partner, which does not share the store, mints
	overlap  = time.Minute      // how long a credential lives after the next one was minted

	// onTheWay is how long a callback may take from the page to the partner: long enough for rotations to fall into it.
	onTheWay = 40 * time.Second

	// longest is the longest time that a call may take: waiting for a mint, three slow requests, 400504 and three more, all
	// twice, because the platform may refuse a credential. A reply with media may take ten minutes.
	longest      = 2 * (46 + 3*30 + 2 + 3*30 + 5) * time.Second
	longestMedia = 2 * (46*time.Second + 3*10*time.Minute + 5*time.Second)

	// stuck is how long, on the real clock, no launch may end before the run is given up.
	stuck = time.Minute
)

type options struct {
	launches, workers int
	seed              uint64
}

// run is one soak.
type run struct {
	options
	t        *testing.T
	platform *livetest.Platform
	network  *network
	clients  []*webanklive.Client
	started  atomic.Int64
	over     chan struct{}
	figures
}

// soak runs o.launches launches, reports to t each call that did not end as designed, and shows the figures.
func soak(t *testing.T, o options, show func(table string)) {
	r := &run{options: o, t: t, figures: newFigures()}
	watched := make(chan struct{})
	defer close(watched)
	go r.watch(watched)
	began := time.Now()
	defer func() { // synctest.Test does not return when it failed
		r.wall = time.Since(began)
		r.check(t)
		show(r.String())
	}()
	synctest.Test(t, func(t *testing.T) {
		r.t = t
		r.simulate()
	})
}

// watch ends the process when no launch ends any more. A deadlock that synctest detects ends the process at once.
func (r *run) watch(done <-chan struct{}) {
	for last := int64(-1); ; {
		select {
		case <-done:
			return
		case <-time.After(stuck):
		}
		now := r.ended.Load()
		if now == last {
			stacks := make([]byte, 1<<20)
			panic(fmt.Sprintf("soak: nothing happened for %v\n%s", stuck, stacks[:runtime.Stack(stacks, true)]))
		}
		last = now
	}
}

// simulate runs the workers and the other machine, in simulated time.
func (r *run) simulate() {
	r.over = make(chan struct{})
	r.platform = livetest.New()
	r.network = newNetwork(r.platform, r.seed)
	store := webanklive.NewMemoryStore()
	for range machines {
		c, err := webanklive.NewClient(r.platform.AppID(), r.platform.Secret(),
			webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
			webanklive.WithHTTPClient(&http.Client{Transport: r.network}),
			webanklive.WithCredentialStore(store))
		if err != nil {
			r.t.Fatal(err)
		}
		r.clients = append(r.clients, c)
	}

	began := time.Now()
	var workers, others sync.WaitGroup
	others.Go(r.rotate)
	for i := range r.workers {
		workers.Go(func() { r.work(rand.New(rand.NewPCG(r.seed, uint64(i)+1))) })
	}
	workers.Wait()
	close(r.over)
	others.Wait()
	r.simulated = time.Since(began)
	r.tokens = len(r.platform.Mints())
	r.struck, r.wasted = r.network.struck, r.network.wasted
}

// rotate is the other machine. It also reads the platform's list of refusals before the platform forgets the oldest.
func (r *run) rotate() {
	for {
		select {
		case <-r.over:
			r.readRefusals()
			return
		case <-time.After(rotation):
		}
		_, sign := r.platform.Rotate()
		r.network.noClientHas(sign)
		r.rotated()
		r.readRefusals()
	}
}

func (r *run) work(rng *rand.Rand) {
	upTo := func(most time.Duration) { time.Sleep(time.Duration(rng.Int64N(int64(most)))) }
	user := ""
	for {
		number := r.started.Add(1)
		if number > int64(r.launches) {
			return
		}
		if user == "" || rng.IntN(2) == 0 { // else the same person tries again
			user = fmt.Sprintf("user%d", rng.IntN(users))
		}
		r.launch(number, user, rng, upTo)
		r.end(number)
		upTo(10 * time.Second)
	}
}

// people are the persons who go through a check, each with the percentage of launches.
var people = []struct {
	share  int
	person livetest.Person
}{
	{4, livetest.Quitting()}, {4, livetest.WithoutRecorder()}, {7, livetest.Failing("-5013")},
	{85, livetest.Person{Code: "0", LiveRate: "95", Photo: []byte("\xFF\xD8\xFF" + strings.Repeat(" a face", 10))}},
}

// launch is one check from the shop to the decision.
func (r *run) launch(number int64, user string, rng *rand.Rand, upTo func(time.Duration)) {
	who := people[0].person
	for i, share := 0, rng.IntN(100); share >= 0; i++ {
		who = people[i].person
		share -= people[i].share
	}
	machine := func() *webanklive.Client { return r.clients[rng.IntN(len(r.clients))] }
	order := fmt.Sprintf("A%d", number)

	ctx, call := newCall(longest)
	link, err := machine().BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: order, UserID: user, CallbackURL: "https://shop.example/done", SkipResultPage: rng.IntN(2) == 0,
	})
	if !r.outcome("launch", call, err, nil) {
		return
	}
	upTo(2 * time.Second)
	back, err := r.platform.Visit(context.Background(), link, who)
	if err != nil {
		dead := strings.Contains(err.Error(), "died with its access token") && r.rotatedWithin(2*overlap)
		r.count("link", "died in a rotation", dead, err)
		return
	}
	r.count("link", "opened", true, nil)
	upTo(onTheWay)

	if !who.GivesUp {
		r.callback(machine(), order, back, who)
	}
	request, limit := webanklive.LiveResultRequest{OrderNo: order}, longest
	if rng.IntN(20) == 0 {
		request.GetFile, limit = webanklive.GetFilePhoto, longestMedia
	}
	ctx, call = newCall(limit)
	res, err := machine().GetLiveResult(ctx, request)
	if !r.outcome("result", call, err, &who) {
		return
	}
	if whole := res.OrderNo == order && (request.GetFile == "" || res.PhotoSize == int64(len(who.Photo))); !whole {
		r.t.Errorf("the result of %s is not whole", order)
	}
}

// callback checks what the browser brought back.
func (r *run) callback(c *webanklive.Client, order, back string, who livetest.Person) {
	u, err := url.Parse(back)
	if err != nil {
		r.t.Error(err)
		return
	}
	ctx, call := newCall(longest)
	defer call.cancel()
	query := u.Query()
	cb, err := c.VerifyCallback(ctx, query, order)
	r.took(call)
	switch {
	case err == nil:
		r.count("callback", "verified", cb.Code == who.Code, errors.New("another code"))
	case errors.Is(err, webanklive.ErrUnsignedCallback):
		r.count("callback", "unsigned: no camera", who.Code == "3001", err)
	case errors.Is(err, webanklive.ErrBadCallback):
		r.count("callback", "refused: signed with a ticket that no client has", r.network.signedByUnknown(r.platform.AppID(), query), err)
	default:
		r.count("callback", "cannot tell while a mint fails", isMint(err) && r.network.mintTroubled(), err)
	}
}

// outcome counts how a call ended, and reports an error unless that was designed. It returns whether the call succeeded. who is
// the person whose result was asked for, nil for a launch.
func (r *run) outcome(what string, c *call, err error, who *livetest.Person) bool {
	defer c.cancel()
	r.took(c)
	last, enough := c.end()
	honest := last == nil || last.class == nil // the platform's own reply reached the call
	var e *webanklive.Error
	switch {
	case errors.Is(err, context.Canceled) && c.left(): // a mint that it began goes on, and a fault may strike that
		r.count(what, "the caller left", true, err)
	case !enough:
		r.count(what, "too few requests, or too many", false, err)
	case err == nil:
		r.count(what, "passed", honest && (who == nil || who.Code == "0"), errors.New("passed all the same"))
	case !errors.As(err, &e):
		r.count(what, "", false, err)
	case isMint(err):
		r.count(what, "a mint failed", r.network.mintTroubled(), err)
	case honest && who != nil && who.Code == "-5013":
		r.count(what, "not passed", errors.Is(err, webanklive.ErrNotPassed) && e.Code == who.Code, err)
	case honest && who != nil && (who.GivesUp || who.Code == "3001"):
		r.count(what, "no result", errors.Is(err, webanklive.ErrNotReady), err)
	case honest && e.Code == "400504":
		r.count(what, "too soon after waiting two seconds", errors.Is(err, webanklive.ErrThrottled) && time.Since(c.began) >= 2*time.Second, err)
	case honest:
		r.count(what, "", false, err)
	default:
		class := last.class
		if who != nil && last.verdict != nil {
			class = last.verdict
		}
		r.count(what, "failed: "+className(err), errors.Is(err, class), err)
	}
	return err == nil
}

// isMint reports whether err is about getting a credential, which all calls share.
func isMint(err error) bool {
	var e *webanklive.Error
	return errors.As(err, &e) && slices.Contains([]string{"get credential", "get access token", "get SIGN ticket"}, e.Op)
}

func className(err error) string {
	for _, class := range []error{
		webanklive.ErrNotPassed, webanklive.ErrNotReady, webanklive.ErrCredential, webanklive.ErrThrottled,
		webanklive.ErrUnavailable, webanklive.ErrInvalidRequest, webanklive.ErrAccount,
	} {
		if errors.Is(err, class) {
			return class.Error()
		}
	}
	return "no class"
}
