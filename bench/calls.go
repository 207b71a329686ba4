package main

// The small calls: building a URL, connections under load, the one mint of ten thousand, a result without media.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webanklive/webanklive"
)

// launch compares BuildLiveLoginURL with a bare GET of the same kind of reply.
func (b *bench) launch() error {
	f, err := newFetcher(b.ctx, b.plat.Plain, b.plat.AppID, b.plat.Secret)
	if err != nil {
		return err
	}
	credential, err := f.sdk.Credential(b.ctx)
	if err != nil {
		return err
	}
	query := url.Values{
		"app_id": {b.plat.AppID}, "access_token": {credential.AccessToken}, "type": {"NONCE"}, "version": {"1.0.0"},
	}
	prefix := b.plat.Plain + "/api/oauth2/api_ticket?" + query.Encode() + "&user_id="

	// The platform grants a user one ticket in two seconds, so every call is another user's.
	var users, builds atomic.Int64
	ways := []way{
		{"floor: http.Client GET of the NONCE reply", func() error {
			req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, prefix+"u"+strconv.FormatInt(users.Add(1), 10), nil)
			if err != nil {
				return err
			}
			resp, err := f.http.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		}},
		{"SDK: BuildLiveLoginURL", func() error {
			builds.Add(1)
			n := strconv.FormatInt(users.Add(1), 10)
			_, err := f.sdk.BuildLiveLoginURL(b.ctx, webanklive.LiveLoginRequest{
				OrderNo: "A" + n, UserID: "u" + n, CallbackURL: "https://shop.example/liveness/done?x=1",
			})
			return err
		}},
	}
	for _, workers := range []int{1, 16} {
		figures, err := sideBySide(b.pick(120, 8), 10*time.Millisecond, workers, ways)
		if err != nil {
			return err
		}
		for i, fig := range figures {
			r := costRow(fmt.Sprintf("Building a URL, warm, %d at once", workers), ways[i].name, fig, none, none)
			r.result = "CPU " + nanoseconds(fig.cpu)
			r.usual, r.floor = "", number(fig.cpu/figures[0].cpu)
			if i == 1 {
				r.targets = []target{atMost("CPU ≤ 2.1 × floor", fig.cpu/figures[0].cpu, 2.1)}
			}
			b.table.add(r)
		}
	}

	before, err := b.plat.tally(b.ctx)
	if err != nil {
		return err
	}
	builds.Store(0)
	if err := together(16, 500, ways[1].run); err != nil {
		return err
	}
	after, err := b.plat.tally(b.ctx)
	if err != nil {
		return err
	}
	each := float64(after.Calls-before.Calls) / float64(builds.Load())
	b.table.add(row{
		what: "Upstream calls of a build", way: ways[1].name, result: number(each) + " calls",
		targets: []target{atMost("1 call", math.Abs(each-1), 0)},
	})
	return nil
}

// transport counts the connections of 64 busy workers.
func (b *bench) transport() error {
	total := 2 * time.Second
	if b.short {
		total = time.Second / 2
	}
	for _, scheme := range []struct{ name, base string }{{"plain HTTP", b.plat.Plain}, {"TLS", b.plat.TLS}} {
		what := fmt.Sprintf("Connections, 64 workers, %v, %s", total, scheme.name)
		sdk, err := webanklive.NewClient(b.plat.AppID, b.plat.Secret,
			webanklive.WithBaseURLs(scheme.base, scheme.base), webanklive.WithMaxRetries(0))
		if err != nil {
			return err
		}
		if _, err := sdk.Credential(b.ctx); err != nil {
			b.table.add(row{what: what, way: "SDK: its own transport", result: "the certificate is not trusted here", targets: []target{
				atMost("≤ 128 dials", math.NaN(), 128), atMost("0 in the steady state", math.NaN(), 0),
			}})
			continue
		}
		limited := http.DefaultTransport.(*http.Transport).Clone()
		few := &http.Client{Transport: limited}
		plain := &fetcher{ctx: b.ctx, base: scheme.base, http: few}
		ask := func(ctx context.Context) error {
			_, err := sdk.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: orderTiny})
			return err
		}
		var usual crowd
		for i, w := range []way{
			{"usual: default transport, ReadAll, Unmarshal", func() error {
				_, _, err := plain.get(orderTiny, usualDecode)
				return err
			}},
			{"SDK: GetLiveResult, its own transport", func() error { return ask(b.ctx) }},
		} {
			got, err := b.crowd(64, total, w.run)
			if err != nil {
				return err
			}
			r := row{
				what: what, way: w.name,
				result: fmt.Sprintf("%s calls/s, %d dials, %d of them after the first quarter", number(got.rate), got.dials, got.late),
			}
			if i == 0 {
				usual = got
			} else {
				r.targets = []target{
					atMost("≤ 128 dials", float64(got.dials), 128), atMost("0 in the steady state", float64(got.late), 0),
				}
			}
			r.usual = number(got.rate / usual.rate)
			b.table.add(r)
		}
		limited.CloseIdleConnections()
	}
	return nil
}

// crowd is what many workers did.
type crowd struct {
	rate        float64 // calls per second
	dials, late int64   // late: after a quarter of the time
}

func (b *bench) crowd(workers int, total time.Duration, run func() error) (c crowd, err error) {
	before, err := b.plat.tally(b.ctx)
	if err != nil {
		return c, err
	}
	var calls atomic.Int64
	var all sync.WaitGroup
	failed := make(chan error, workers)
	start := time.Now()
	for range workers {
		all.Go(func() {
			for time.Since(start) < total {
				if err := run(); err != nil {
					failed <- err
					return
				}
				calls.Add(1)
			}
		})
	}
	time.Sleep(total / 4)
	early, err := b.plat.tally(b.ctx)
	all.Wait()
	took := time.Since(start)
	after, lastErr := b.plat.tally(b.ctx)
	close(failed)
	c = crowd{
		rate: float64(calls.Load()) / took.Seconds(), dials: after.Dials - before.Dials, late: after.Dials - early.Dials,
	}
	return c, errors.Join(err, lastErr, <-failed)
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
	const callers = 10_000
	cold := func(opts ...webanklive.Option) error {
		c, err := webanklive.NewClient(b.plat.AppID, b.plat.Secret, append(opts, webanklive.WithBaseURLs(b.plat.Plain, b.plat.Plain))...)
		if err != nil {
			return err
		}
		gate := make(chan struct{})
		failed := make(chan error, callers)
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				<-gate
				if _, err := c.Credential(b.ctx); err != nil {
					failed <- err
				}
			})
		}
		close(gate)
		all.Wait()
		close(failed)
		return <-failed
	}

	turns := b.pick(30, 5)
	var worst int64
	for range turns {
		source := &instantSource{}
		if err := cold(webanklive.WithCredentialSource(source)); err != nil {
			return err
		}
		worst = max(worst, source.calls.Load())
	}
	b.table.add(row{
		what: "Cold credential, 10,000 goroutines", way: "SDK: instant source",
		result:  fmt.Sprintf("%d call in the worst of %d turns", worst, turns),
		targets: []target{atMost("1 call", float64(worst), 1)},
	})

	worst = 0
	for range turns {
		before, err := b.plat.tally(b.ctx)
		if err != nil {
			return err
		}
		if err := cold(); err != nil {
			return err
		}
		after, err := b.plat.tally(b.ctx)
		if err != nil {
			return err
		}
		worst = max(worst, after.Mints-before.Mints)
	}
	b.table.add(row{
		what: "Cold credential, 10,000 goroutines", way: "SDK: platform over HTTP",
		result:  fmt.Sprintf("%d mint in the worst of %d turns", worst, turns),
		targets: []target{atMost("1 mint", float64(worst), 1)},
	})
	return nil
}

// tiny compares a result without media, from the request to the answer.
func (b *bench) tiny() error {
	f, err := newFetcher(b.ctx, b.plat.Plain, b.plat.AppID, b.plat.Secret)
	if err != nil {
		return err
	}
	credential, err := f.sdk.Credential(b.ctx)
	if err != nil {
		return err
	}
	usual := &usualClient{
		http: f.http, base: b.plat.Plain, appID: b.plat.AppID, secret: b.plat.Secret,
		ticket: credential.SignTicket, expires: credential.ExpiresAt,
	}
	ways := []way{
		{"usual: big nonce, +=, url.Values, ReadAll, Unmarshal", func() error {
			_, err := usual.liveResult(b.ctx, orderTiny)
			return err
		}},
		{"SDK: GetLiveResult", func() error {
			_, err := f.sdk.GetLiveResult(b.ctx, webanklive.LiveResultRequest{OrderNo: orderTiny})
			return err
		}},
		{"floor: http.Client GET, read and discard", func() error {
			_, _, err := f.get(orderTiny, discardDecode)
			return err
		}},
	}
	for _, workers := range []int{1, 16} {
		figures, err := sideBySide(b.pick(120, 8), 10*time.Millisecond, workers, ways)
		if err != nil {
			return err
		}
		for i, fig := range figures {
			r := costRow(fmt.Sprintf("Result without media, %d at once", workers), ways[i].name, fig, figures[0], figures[2])
			r.result = nanoseconds(fig.wall) + ", CPU " + nanoseconds(fig.cpu)
			if i == 1 {
				r.targets = []target{atMost("≤ 1.15 × usual time", fig.wall/figures[0].wall, 1.15)}
			}
			b.table.add(r)
		}
	}
	return nil
}
