// Package clockhook lets the fleet simulator give a client a wrong clock. It is internal because no user needs that: a
// client follows the platform's clock by itself.
package clockhook

import "time"

// WithClock returns a webanklive.Option that replaces the local clock. Package webanklive sets it, because this package
// cannot import that one; the result is an any for the same reason.
var WithClock func(now func() time.Time) any
