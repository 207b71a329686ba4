package main

// The small calls: building a URL, connections under load, the one mint of ten thousand, a result without media.

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/webanklive/webanklive"
)

// smallCalls compares ways of some microseconds, alone and 16 at once.
func (b *bench) smallCalls(what string, ways []way, complete func(r *row, i int, figures []figure)) error {
	for _, workers := range []int{1, 16} {
		what := fmt.Sprintf("%s, %d at once", what, workers)
		if err := b.compare(what, b.pick(120, 8), 10*time.Millisecond, workers, ways, complete); err != nil {
			return err
		}
	}
	return nil
}

// launch compares BuildLiveLoginURL with a bare GET of the same kind of reply.
func (b *bench) launch() error {
	ctx := context.Background()
	credential, err := b.sdk.Credential(ctx)
	if err != nil {
		return err
	}
	query := url.Values{
		"app_id": {appID}, "access_token": {credential.AccessToken}, "type": {"NONCE"}, "version": {"1.0.0"},
	}.Encode() + "&user_id=u"

	// The platform grants a user one ticket in two seconds, so every call is another user's.
	var users atomic.Int64
	user := func() string { return strconv.FormatInt(users.Add(1), 10) }
	floor := way{"floor: http.Client GET of the NONCE reply", func() error {
		_, _, err := b.get("/api/oauth2/api_ticket?", query+user(), copyDecode)
		return err
	}}
	build := way{"SDK: BuildLiveLoginURL", func() error {
		n := user()
		_, err := b.sdk.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
			OrderNo: "A" + n, UserID: "u" + n, CallbackURL: "https://shop.example/liveness/done?x=1",
		})
		return err
	}}
	err = b.smallCalls("Building a URL, warm", []way{floor, build}, func(r *row, i int, figures []figure) {
		cost := figures[i].cpu / figures[0].cpu
		r.result, r.floor = "CPU "+nanoseconds(figures[i].cpu), number(cost)
		if i == 1 {
			r.targets = []target{atMost("CPU ≤ 2.1 × floor", cost, 2.1)}
		}
	})
	if err != nil {
		return err
	}

	const builds = 500
	_, startErr := b.tally()
	err = together(16, builds, build.run)
	counted, endErr := b.tally()
	each := float64(counted.Calls) / builds
	b.add(row{
		what: "Upstream calls of a build", way: build.name, result: number(each) + " calls",
		targets: []target{atMost("1 call", math.Abs(each-1), 0)},
	})
	return errors.Join(startErr, err, endErr)
}

// transport counts the connections of 64 busy workers.
func (b *bench) transport() error {
	for _, scheme := range []struct{ name, base string }{{"plain HTTP", b.Plain}, {"TLS", b.TLS}} {
		own, err := newFetcher(scheme.base)
		if err != nil {
			return err
		}
		few := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
		usual := &fetcher{base: scheme.base, http: few}
		var usualRate float64
		for i, w := range []way{
			usual.tinyWay("usual: default transport, ReadAll, Unmarshal", wayUsual),
			{"SDK: GetLiveResult, its own transport", tinyResult(own.sdk)},
		} {
			total := time.Duration(b.pick(2000, 500)) * time.Millisecond
			rate, early, late, err := b.crowd(total, w.run)
			if err != nil {
				return err
			}
			dials := early + late
			r := row{
				what: fmt.Sprintf("Connections, 64 workers, %v, %s", total, scheme.name), way: w.name,
				result: fmt.Sprintf("%s calls/s, %d dials, %d of them after the first quarter", number(rate), dials, late),
			}
			if i == 0 {
				usualRate = rate
			} else {
				r.targets = []target{atMost("≤ 128 dials", float64(dials), 128), atMost("0 in the steady state", float64(late), 0)}
			}
			r.usual = number(rate / usualRate)
			b.add(r)
		}
		few.CloseIdleConnections()
	}
	return nil
}

// crowd lets 64 workers run until the time is over. It returns the calls per second, and the dials before and after a
// quarter of the time.
func (b *bench) crowd(total time.Duration, run func() error) (rate float64, early, late int64, err error) {
	_, startErr := b.tally()
	var calls atomic.Int64
	var workers errgroup.Group
	start := time.Now()
	for range 64 {
		workers.Go(func() error {
			for time.Since(start) < total {
				if err := run(); err != nil {
					return err
				}
				calls.Add(1)
			}
			return nil
		})
	}
	time.Sleep(total / 4)
	first, firstErr := b.tally()
	err = workers.Wait()
	rate = float64(calls.Load()) / time.Since(start).Seconds()
	rest, restErr := b.tally()
	return rate, first.Dials, rest.Dials, errors.Join(startErr, err, firstErr, restErr)
}

// tinyResult asks c for the result without media.
func tinyResult(c *webanklive.Client) func() error {
	return func() error {
		_, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: orderTiny})
		return err
	}
}

// instantSource answers at once, which is the hard case: a flight that is over before the next caller looks.
type instantSource struct{ calls atomic.Int64 }

func (s *instantSource) Credential(context.Context) (webanklive.Credential, error) {
	s.calls.Add(1)
	return webanklive.Credential{AccessToken: "T", SignTicket: "S"}, nil
}

func (s *instantSource) Invalidate(context.Context, webanklive.Credential) {}

// coldCredential lets 10,000 goroutines ask a client that has no credential.
func (b *bench) coldCredential() error {
	cold := func(opts ...webanklive.Option) error {
		c, err := newClient(b.Plain, opts...)
		if err != nil {
			return err
		}
		gate := make(chan struct{})
		var callers errgroup.Group
		for range 10_000 {
			callers.Go(func() error {
				<-gate
				_, err := c.Credential(context.Background())
				return err
			})
		}
		close(gate)
		return callers.Wait()
	}

	for _, source := range []struct {
		name, unit string
		calls      func() (int64, error)
	}{
		{"instant source", "call", func() (int64, error) {
			source := &instantSource{}
			err := cold(webanklive.WithCredentialSource(source))
			return source.calls.Load(), err
		}},
		{"platform over HTTP", "mint", func() (int64, error) {
			_, startErr := b.tally()
			err := cold()
			counted, endErr := b.tally()
			return counted.Mints, errors.Join(startErr, err, endErr)
		}},
	} {
		turns, worst := b.pick(30, 5), int64(0)
		for range turns {
			calls, err := source.calls()
			if err != nil {
				return err
			}
			worst = max(worst, calls)
		}
		b.add(row{
			what: "Cold credential, 10,000 goroutines", way: "SDK: " + source.name,
			result:  fmt.Sprintf("%d %s in the worst of %d turns", worst, source.unit, turns),
			targets: []target{atMost("1 "+source.unit, float64(worst), 1)},
		})
	}
	return nil
}

// bareTiny is the floor of a result without media.
func (b *bench) bareTiny() way {
	return b.tinyWay("floor: http.Client GET, read and discard", wayFloor)
}

// tiny compares a result without media, from the request to the answer.
func (b *bench) tiny() error {
	credential, err := b.sdk.Credential(context.Background())
	if err != nil {
		return err
	}
	ways := []way{
		{"usual: big nonce, +=, url.Values, ReadAll, Unmarshal", func() error { return b.usualResult(credential.SignTicket) }},
		{"SDK: GetLiveResult", tinyResult(b.sdk)},
		b.bareTiny(),
	}
	return b.smallCalls("Result without media", ways, func(r *row, i int, figures []figure) {
		fig, usual, floor := figures[i], figures[0], figures[2]
		r.result = nanoseconds(fig.wall) + ", CPU " + nanoseconds(fig.cpu)
		r.usual, r.floor = number(usual.wall/fig.wall), number(fig.wall/floor.wall)
		if i == 1 {
			r.targets = []target{atMost("≤ 1.15 × usual time", fig.wall/usual.wall, 1.15)}
		}
	})
}

// usualResult asks for a result without media as in-house code does.
func (f *fetcher) usualResult(ticket string) error {
	nonce := usualNonce()
	query := url.Values{}
	query.Set("app_id", appID)
	query.Set("version", "1.0.0")
	query.Set("nonce", nonce)
	query.Set("order_no", orderTiny)
	query.Set("sign", usualSign(appID, orderTiny, "1.0.0", ticket, nonce))
	_, _, err := f.get(resultPath, query.Encode(), usualDecode)
	return err
}

func usualSign(values ...string) string {
	sort.Strings(values)
	text := ""
	for _, v := range values {
		text += v
	}
	return fmt.Sprintf("%X", sha1.Sum([]byte(text)))
}

func usualNonce() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	nonce := make([]byte, 32)
	for i := range nonce {
		k, _ := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet)))) // its reader never fails
		nonce[i] = alphabet[k.Int64()]
	}
	return string(nonce)
}
