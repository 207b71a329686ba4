package webanklive

// NONCE tickets: one for each launch, bound to a user, single use.

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// nonceUse is how long after the request a ticket is still worth launching with: five sixths of its life, because
	// the browser needs time, too.
	nonceUse = maxNonceLife * 5 / 6

	// nonceGap is how long the platform refuses a second ticket for the same user.
	nonceGap = 2 * time.Second

	// abandonedTime is how long a request goes on for a caller who left. Cancelling it would not take the ticket
	// back, and the platform would refuse the user's next launch.
	abandonedTime = 5 * time.Second

	// maxKept bounds the memory for tickets whose callers left.
	maxKept = 1024
)

// errEndedEarly is about a transport that ends its goroutine, as require does in a mock.
var errEndedEarly = &Error{Op: opNonce, class: ErrUnavailable, Err: errors.New("the HTTP client's transport did not return")}

// nonceTickets keeps the tickets whose callers left before they arrived, at most one for each user. It is safe for
// concurrent use.
type nonceTickets struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[string]*nonceFetch // by user ID
}

// A nonceFetch is one request for a ticket, under way or done. Whoever holds the pointer alone may use the ticket:
// it is handed from a caller who left to the map, and from there to one caller.
type nonceFetch struct {
	credential *held
	started    time.Time
	cancel     context.CancelFunc
	abandoned  *time.Timer // nil until its caller left

	done   chan struct{} // closed when the rest is set
	sent   time.Time     // before the request that brought the ticket
	ticket string
	life   time.Duration
	err    error
}

// nonceTicket returns a NONCE ticket for userID that nobody else has or gets.
func (c *Client) nonceTicket(ctx context.Context, userID string) (ticket string, err error) {
	if ctx.Err() != nil {
		return "", &Error{Op: opNonce, Err: ctx.Err()} // a request would cost the user two seconds
	}
	err = c.credential.withCredential(ctx, func(h *held) error {
		if kept := c.nonces.take(userID); kept != nil {
			if kept.credential.same(&h.record) && c.await(ctx, userID, kept) == nil && c.nonces.fresh(kept) {
				ticket = kept.ticket
				return nil
			}
			if ctx.Err() != nil {
				return &Error{Op: opNonce, Err: ctx.Err()}
			}
			kept.cancel() // of no use any more
		}
		fetch := c.fetchNonce(ctx, userID, h)
		if err := c.await(ctx, userID, fetch); err != nil {
			return err
		}
		ticket = fetch.ticket
		return nil
	})
	return ticket, err
}

// fetchNonce starts a request that survives its caller by abandonedTime.
func (c *Client) fetchNonce(ctx context.Context, userID string, h *held) *nonceFetch {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &nonceFetch{credential: h, started: c.nonces.now(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer cancel()
		defer close(f.done)
		q := ticketQuery{Type: "NONCE", UserID: userID}
		f.sent, f.err = f.started, errEndedEarly // until the request is over
		f.ticket, f.life, f.err = c.ticket(ctx, opNonce, h.AccessToken, q, maxNonceLife, h.SignTicket, h.PreviousSignTicket)
		var refused *Error
		if errors.As(f.err, &refused) && refused.Code == codeNonceTooSoon && pause(ctx, nonceGap) {
			f.sent = c.nonces.now()
			f.ticket, f.life, f.err = c.ticket(ctx, opNonce, h.AccessToken, q, maxNonceLife, h.SignTicket, h.PreviousSignTicket)
		}
	}()
	return f
}

// await waits for f. A caller whose ctx ends first leaves f for the user's next launch.
func (c *Client) await(ctx context.Context, userID string, f *nonceFetch) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		f.abandoned = time.AfterFunc(abandonedTime, f.cancel)
		c.nonces.keep(userID, f)
		return &Error{Op: opNonce, Err: ctx.Err()}
	}
}

// take removes and returns what is kept for userID, nil if nothing is.
func (n *nonceTickets) take(userID string) *nonceFetch {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.kept[userID]
	delete(n.kept, userID)
	if f != nil {
		f.abandoned.Stop() // somebody waits for it again
	}
	return f
}

// keep stores f for userID. When memory is full and nothing in it is stale, f is lost: the user waits two seconds.
func (n *nonceTickets) keep(userID string, f *nonceFetch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.kept) >= maxKept {
		for user, kept := range n.kept {
			if user == userID || n.now().Sub(kept.started) >= nonceUse {
				delete(n.kept, user)
			}
		}
	}
	if len(n.kept) < maxKept {
		n.kept[userID] = f
	}
}

// fresh reports whether a ticket that arrived is still worth launching with.
func (n *nonceTickets) fresh(f *nonceFetch) bool {
	return n.now().Sub(f.sent) < f.life*5/6
}
