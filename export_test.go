package webanklive

import (
	"time"

	"github.com/webanklive/webanklive/internal/clockhook"
)

// WithClock gives a client another local clock.
func WithClock(now func() time.Time) Option { return clockhook.WithClock(now).(Option) }

// WithNonce gives a client a fixed random value, so that whole links and queries can be golden.
func WithNonce(nonce string) Option {
	return func(o *options) error {
		o.nonce = func() string { return nonce }
		return nil
	}
}
