// Package clockhook lets tests and the fleet simulator give a client another clock. It is internal because no user needs
// that: a client follows the platform's clock by itself.
package clockhook

import (
	"net/http"
	"time"
)

// A Transport brings a clock along: a client that is made with it takes Now for its local clock.
type Transport struct {
	http.RoundTripper
	Now func() time.Time
}
