package webanklive

// Calling a store, a source or a transport of the caller's, which may panic, hang or end its goroutine.

import (
	"context"
	"errors"
	"time"
)

const (
	storeGrace = time.Second // for a store or source whose ctx has ended

	// mintGrace is shorter: a transport or observer that hangs in a mint must not keep the lock of the store, in which the
	// mint runs.
	mintGrace = storeGrace / 2
)

type observeFunc func(ctx context.Context, a Activity, private ...string) (context.Context, func(Outcome))

// unobserved is for work whose own parts are observed.
func unobserved(ctx context.Context, _ Activity, _ ...string) (context.Context, func(Outcome)) {
	return ctx, func(Outcome) {}
}

// foreign calls fn, which runs code of the caller's, in a goroutine of its own. A panic and an early end of that goroutine
// are errors, and so is an fn that has not returned within grace after ctx ended: its late result is dropped.
func foreign[T any](ctx context.Context, grace time.Duration, observe observeFunc, name string, fn func(ctx context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 2)
	go func() {
		o := outcome{err: errors.New("it ended its goroutine")}
		ended := func(Outcome) {}
		defer func() { done <- o }() // also when the observer ends this goroutine
		defer func() {
			if recover() != nil { // what it panicked with may hold a secret
				o = outcome{err: errors.New("it panicked")}
			}
			end := Outcome{Err: o.err}
			if errors.Is(o.err, ErrNoCredential) { // which is no failure
				end.Err = nil
			}
			switch value := any(o.value).(type) {
			case []byte:
				end.Bytes = int64(len(value))
			case updated:
				end.Bytes = int64(len(value.value))
			}
			ended(end)
		}()
		going, observed := observe(ctx, Activity{Kind: ActivityStore, Name: name})
		ended = observed
		o.value, o.err = fn(going)
	}()
	defer context.AfterFunc(ctx, func() { // an fn that notices the end of ctx has a better error, so it gets a moment
		time.AfterFunc(grace, func() {
			done <- outcome{err: errors.New("it does not return, and ignores the end of its context")}
		})
	})()
	o := <-done
	return o.value, o.err
}

// foreignError wraps the error of a store or source. An *Error with a class, as of a source that is a [Client], is returned as
// it is.
func foreignError(what string, err error) error {
	var ours *Error
	if errors.As(err, &ours) && ours.classed() != nil {
		return ours
	}
	return unavailable("%s: %w", what, notCallers(err))
}
