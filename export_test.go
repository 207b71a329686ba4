package webanklive

import "time"

// WithClock gives a client another local clock.
func WithClock(now func() time.Time) Option {
	return func(o *options) error {
		o.now = now
		return nil
	}
}

// WithNonce gives a client a fixed random value, so that whole links and queries can be golden.
func WithNonce(nonce string) Option {
	return func(o *options) error {
		o.nonce = func() string { return nonce }
		return nil
	}
}
