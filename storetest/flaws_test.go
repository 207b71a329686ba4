//go:build go1.25

package storetest

// The in-memory store passes, and each rule fails for a store that breaks it. Each rule runs on a clock of its own, on
// which no wait takes any time.

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
)

func TestMemoryStore_KeepsEveryRule(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			rec := check(t, r, "", func(b *bench) {
				b.newStore, b.secondHandle, b.breakLock, b.stop, b.lease = webanklive.NewMemoryStore, nil, nil, nil, 0
			})
			assert.Empty(t, rec.failures)
		})
	}
}

func TestRun_SkipsRulesWithoutTheirOptions(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			rec := check(t, r, "", func(b *bench) { b.secondHandle, b.breakLock, b.stop, b.lease = nil, nil, nil, 0 })
			needsOption := strings.Contains(r.name, "outage") || strings.Contains(r.name, "lost ")
			assert.Equal(t, needsOption, rec.skipped)
			assert.Empty(t, rec.failures)
		})
	}
}

// flaws names, for each way to break a store, the rules that must notice.
var flaws = map[string][]string{
	"absent is some error":             {"absent is ErrNoCredential"},
	"absent is a nil value":            {"absent is ErrNoCredential"},
	"every error is absence":           {"a failed Load is not ErrNoCredential", "an outage is not ErrNoCredential and runs no fn"},
	"runs fn without a backend":        {"an outage is not ErrNoCredential and runs no fn"},
	"forgets the write":                {"Load returns what Update stored", "the lock is exclusive"},
	"keeps the first value":            {"Load returns what Update stored"},
	"returns the old value":            {"Load returns what Update stored"},
	"values end at NUL":                {"values are opaque bytes"},
	"values end at 64 KiB":             {"values are opaque bytes"},
	"values are trimmed":               {"values are opaque bytes"},
	"an empty value is none":           {"values are opaque bytes"},
	"an empty current is nil":          {"values are opaque bytes"},
	"one lock for all keys":            {"keys are independent"},
	"keys fold case":                   {"keys are independent"},
	"keys end at 255 bytes":            {"keys are independent"},
	"keys are cleaned like paths":      {"keys are independent"},
	"never expires":                    {"a value expires after its ttl"},
	"expires early":                    {"a value expires after its ttl"},
	"current outlives its ttl":         {"a value expires after its ttl"},
	"ttl of the first value stays":     {"a ttl of 0 keeps the value"},
	"ttl 0 ends at once":               {"a ttl of 0 keeps the value"},
	"a negative ttl ends at once":      {"a ttl of 0 keeps the value"},
	"keeps next itself":                {"the caller owns what it gets and gives"},
	"hands out its own bytes":          {"the caller owns what it gets and gives"},
	"Load takes the lock":              {"Load does not wait for the lock"},
	"current is empty, not nil":        {"current is the newest value, nil when there is none"},
	"calls fn twice":                   {"current is the newest value, nil when there is none"},
	"reads before it locks":            {"the lock is exclusive"},
	"stores a nil next":                {"a nil next stores nothing and returns the current value"},
	"returns nil for a nil next":       {"a nil next stores nothing and returns the current value"},
	"a nil next sets the ttl":          {"a nil next stores nothing and returns the current value"},
	"stores in spite of an error":      {"an error of fn stores nothing and is returned"},
	"hides the error of fn":            {"an error of fn stores nothing and is returned"},
	"swallows the error of fn":         {"an error of fn stores nothing and is returned"},
	"an error keeps the lock":          {"an error of fn releases the lock"},
	"a panic keeps the lock":           {"a panic in fn stores nothing and releases the lock"},
	"a panic is success":               {"a panic in fn stores nothing and releases the lock"},
	"does not lock":                    {"the lock is exclusive", "a waiter leaves when its context ends and disturbs nothing"},
	"each handle has its own lock":     {"the lock is exclusive", "a waiter leaves when its context ends and disturbs nothing"},
	"a waiter does not look at ctx":    {"a waiter leaves when its context ends and disturbs nothing"},
	"a waiter invents an error":        {"a waiter leaves when its context ends and disturbs nothing"},
	"a waiter that leaves unlocks":     {"a waiter leaves when its context ends and disturbs nothing"},
	"an ended context may lock":        {"an ended context runs no fn"},
	"an ended context is an error":     {"an ended context runs no fn"},
	"fn's ctx goes on":                 {"a context that ends while fn runs ends fn's and releases the lock"},
	"an ended context keeps the lock":  {"a context that ends while fn runs ends fn's and releases the lock"},
	"does not watch the lock":          {"a lost lock ends fn's context and Update fails"},
	"a lost lock is success":           {"a lost lock ends fn's context and Update fails", "a holder that lost its lock unnoticed cannot write or unlock"},
	"a lost lock is absence":           {"a lost lock ends fn's context and Update fails"},
	"writes without the lock":          {"a holder that lost its lock unnoticed cannot write or unlock"},
	"unlocks whoever holds the lock":   {"a holder that lost its lock unnoticed cannot write or unlock"},
	"a lost lock is never taken again": {"a holder that lost its lock unnoticed cannot write or unlock"},

	// What the end of a short lease used to hide.
	"the lease is watched but not extended":     {longHoldRule},
	"the lease is not extended":                 {longHoldRule},
	"the lease is extended twice at most":       {longHoldRule},
	"leases are judged by the reader's clock":   {"the lock is exclusive", longHoldRule},
	"lives are judged by the reader's clock":    {"Load returns what Update stored"},
	"fn that ends its goroutine keeps the lock": {"an fn that ends its goroutine stores nothing and releases the lock"},
	"fn that ends its goroutine stores":         {"an fn that ends its goroutine stores nothing and releases the lock"},
	"a panic stores":                            {"a panic in fn stores nothing and releases the lock"},

	// Waiting.
	"who waits looks only with the lock":            {waiterLooksRule},
	"who waits runs fn whatever was stored":         {waiterLooksRule},
	"who waits returns the value it saw first":      {waiterLooksRule},
	"who waits returns when the lock is free":       {waiterRunsRule, "waiting has no end of its own"},
	"who waits runs fn without the lock":            {"waiting has no end of its own"},
	"who waits gets a current of its own":           {waiterRunsRule},
	"waiting gives up by itself":                    {"waiting has no end of its own"},
	"waiting returns the current value by itself":   {"waiting has no end of its own"},
	"an ended context writes nothing":               {"what fn returns after its context has ended is stored"},
	"an ended context is success and stores naught": {"what fn returns after its context has ended is stored"},

	// Errors.
	"a failed write quotes the value":   {quotesRule},
	"a lost lock quotes the value":      {quotesRule},
	"an error of fn quotes the value":   {quotesRule},
	"a failed Load quotes the value":    {quotesRule},
	"a wait that ends quotes the value": {quotesRule},
	"a failed Load quotes it in hex":    {quotesRule},
	"a failed Load quotes a part":       {quotesRule},
}

const (
	longHoldRule    = "the lock is held for as long as fn runs, however short the lease"
	waiterLooksRule = "who waits returns a new value as soon as it is there, without fn"
	waiterRunsRule  = "who waits runs fn once when the lock is free and the value as it was"
	quotesRule      = "no error quotes a value"
)

func TestRun_EveryRuleNoticesItsFlaws(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for flaw, names := range flaws {
		for _, name := range names {
			covered[name] = true
			t.Run(flaw+", "+name, func(t *testing.T) {
				t.Parallel()
				i := slices.IndexFunc(rules, func(r rule) bool { return r.name == name })
				require.GreaterOrEqual(t, i, 0, "no such rule")
				rec := check(t, rules[i], flaw, func(b *bench) { b.patience = 4 * flawedLease })
				assert.NotEmpty(t, rec.failures, "the rule did not notice")
				assert.False(t, rec.skipped)
			})
		}
	}
	for _, r := range rules {
		assert.True(t, covered[r.name], "no flaw shows that the rule %q can fail", r.name)
	}
}

// check runs one rule on a store with a flaw, "" for none.
func check(t *testing.T, r rule, flaw string, change func(*bench)) *recorder {
	t.Helper()
	rec := &recorder{}
	synctest.Test(t, func(*testing.T) {
		s := newFlawed(flaw)
		b := &bench{
			tb: rec, patience: patience, lease: flawedLease, longHold: 3 * flawedLease, prefix: "storetest",
			newStore:     func() webanklive.CredentialStore { return s },
			secondHandle: secondFlawed, breakLock: breakFlawed, stop: stopFlawed,
		}
		change(b)
		done := make(chan struct{})
		go func() { // which Fatalf ends
			defer close(done)
			r.check(b)
		}()
		<-done
		s.endWaits()
		time.Sleep(3 * patience) // every goroutine that the rule left behind has ended
	})
	return rec
}

// A recorder is a tb that expects failures.
type recorder struct {
	mu       sync.Mutex
	failures []string
	skipped  bool
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}
