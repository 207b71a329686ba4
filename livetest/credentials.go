// Tokens and tickets: for which partner they were made, how long they live, and what replaces them.

package livetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	kindToken = "access token"
	kindSign  = "SIGN ticket"
	kindNonce = "NONCE ticket"
)

// credential is an access token or a ticket.
type credential struct {
	kind    string
	value   string
	user    string // of a NONCE ticket
	made    time.Time
	expires time.Time
	token   *credential // a ticket dies with the token it was made with
	used    bool        // a NONCE ticket that opened a link, or tried to
}

func (c *credential) alive(now time.Time) bool {
	return now.Before(c.expires) && (c.token == nil || c.token.alive(now))
}

// retire brings the end forward to t; it never postpones it.
func (c *credential) retire(t time.Time) {
	if t.Before(c.expires) {
		c.expires = t
	}
}

// ledger holds the credentials of one app ID. Platform.mu guards it.
type ledger struct {
	tokens []*credential            // newest last, dead ones dropped at the next mint
	signs  []*credential            // the same
	nonces map[string][]*credential // by user, the same
	all    history[*credential]     // dead ones too, to explain a refusal
}

// add appends c to list without the dead, and to the record of all.
func (l *ledger) add(list []*credential, c *credential) []*credential {
	l.all.add(c)
	return append(slices.DeleteFunc(list, func(old *credential) bool { return !old.alive(c.made) }), c)
}

// revoke ends the tokens, and with them every ticket.
func (l *ledger) revoke(now time.Time) {
	for _, t := range l.tokens {
		t.retire(now)
	}
}

func (p *Platform) mintToken(who *partner) *credential {
	now := p.Now()
	c := &credential{kind: kindToken, value: p.newSecret(), made: now, expires: now.Add(p.tokenLife)}
	for _, old := range who.ledger.tokens {
		old.retire(now.Add(overlap))
	}
	who.ledger.tokens = who.ledger.add(who.ledger.tokens, c)
	return c
}

func (p *Platform) mintSign(who *partner, token *credential) *credential {
	now := p.Now()
	c := &credential{kind: kindSign, value: p.newSecret(), made: now, expires: now.Add(p.signLife), token: token}
	for _, old := range who.ledger.signs {
		old.retire(now.Add(overlap))
	}
	who.ledger.signs = who.ledger.add(who.ledger.signs, c)
	return c
}

// mintNonce returns nil while the user's last ticket is too young.
func (p *Platform) mintNonce(who *partner, token *credential, user string) *credential {
	now := p.Now()
	list := who.ledger.nonces[user]
	if len(list) > 0 && now.Sub(list[len(list)-1].made) < nonceInterval {
		return nil
	}
	c := &credential{kind: kindNonce, value: p.newSecret(), user: user, made: now, expires: now.Add(p.nonceLife), token: token}
	who.ledger.nonces[user] = who.ledger.add(list, c)
	return c
}

// liveToken returns the token with that value, or nil.
func (p *Platform) liveToken(who *partner, value string) *credential {
	return p.find(who.ledger.tokens, func(c *credential) bool { return c.value == value })
}

// heldSign returns the SIGN ticket that signs callbacks: the newest one, if it still lives.
func (p *Platform) heldSign(who *partner) *credential {
	signs := who.ledger.signs
	return p.find(signs[max(len(signs)-1, 0):], func(*credential) bool { return true })
}

func (p *Platform) find(list []*credential, match func(*credential) bool) *credential {
	now := p.Now()
	for _, c := range list {
		if c.alive(now) && match(c) {
			return c
		}
	}
	return nil
}

// signedBy returns a test for the credential that made signature out of values.
func signedBy(signature string, values ...string) func(*credential) bool {
	signature = strings.ToUpper(signature)
	return func(c *credential) bool { return sign(append(slices.Clone(values), c.value)...) == signature }
}

// explain says why a signature is refused, by finding the credential behind it among all that were ever made. It names no
// credential's value.
func (p *Platform) explain(who *partner, wanted, user string, match func(*credential) bool) string {
	all := who.ledger.all.items
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		if !match(c) {
			continue
		}
		switch {
		case c.kind != wanted:
			return fmt.Sprintf("signed with the %s, a %s is needed", c.kind, wanted)
		case c.user != user:
			return fmt.Sprintf("the NONCE ticket was made for user %q, the request names %q", c.user, user)
		case c.used:
			return "the NONCE ticket was used before: a link opens once"
		case c.token.alive(p.Now()):
			return fmt.Sprintf("the %s is dead: made %v ago, ended %v ago", c.kind, p.since(c.made), p.since(c.expires))
		}
		return fmt.Sprintf("the %s died with its access token %v ago", c.kind, p.since(c.token.expires))
	}
	return "the signature matches no ticket of this platform: the values signed must be the values sent"
}

func (p *Platform) since(t time.Time) time.Duration { return p.Now().Sub(t).Round(time.Millisecond) }

// carries reports whether a value contains the secret or a living token or ticket: nothing that is signed sends those.
func (p *Platform) carries(who *partner, values map[string][]string) bool {
	secrets := []string{who.secret}
	now := p.Now()
	for _, list := range append([][]*credential{who.ledger.tokens, who.ledger.signs}, who.ledger.nonces[first(values["userId"])]) {
		for _, c := range list {
			if c.alive(now) {
				secrets = append(secrets, c.value)
			}
		}
	}
	for _, vs := range values {
		for _, v := range vs {
			if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(v, s) }) {
				return true
			}
		}
	}
	return false
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
