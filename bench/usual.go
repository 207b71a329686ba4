package main

// A client of these APIs as in-house code has it, for the calls without media.

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"sort"
	"sync"
	"time"
)

type usualClient struct {
	http          *http.Client
	base          string
	appID, secret string

	mu      sync.Mutex
	ticket  string
	expires time.Time
}

// liveResult asks for a result without media.
func (u *usualClient) liveResult(ctx context.Context, order string) (*textReply, error) {
	nonce, err := usualNonce()
	if err != nil {
		return nil, err
	}
	ticket, err := u.signTicket()
	if err != nil {
		return nil, err
	}
	params := url.Values{}
	params.Set("app_id", u.appID)
	params.Set("version", "1.0.0")
	params.Set("nonce", nonce)
	params.Set("order_no", order)
	params.Set("sign", usualSign(u.appID, order, "1.0.0", ticket, nonce))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base+"/api/server/getLiveResult?"+params.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	reply := &textReply{}
	if err := json.Unmarshal(data, reply); err != nil {
		return nil, err
	}
	if reply.Code != "0" {
		return nil, errNotPassed
	}
	return reply, nil
}

var errExpired = fmt.Errorf("the ticket has expired")

// signTicket returns the ticket that is at hand.
func (u *usualClient) signTicket() (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !time.Now().Before(u.expires) {
		return "", errExpired
	}
	return u.ticket, nil
}

func usualSign(values ...string) string {
	sort.Strings(values)
	text := ""
	for _, v := range values {
		text += v
	}
	return fmt.Sprintf("%X", sha1.Sum([]byte(text)))
}

func usualNonce() (string, error) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	nonce := make([]byte, 32)
	for i := range nonce {
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		nonce[i] = alphabet[k.Int64()]
	}
	return string(nonce), nil
}
