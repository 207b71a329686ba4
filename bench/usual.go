package main

// A result without media, as in-house code asks for it.

import (
	"crypto/rand"
	"crypto/sha1"
	"fmt"
	"math/big"
	"net/url"
	"sort"
)

// usualResult signs a query with the ticket at hand, sends it and decodes the reply.
func (f *fetcher) usualResult(ticket string) error {
	nonce := usualNonce()
	query := url.Values{}
	query.Set("app_id", appID)
	query.Set("version", "1.0.0")
	query.Set("nonce", nonce)
	query.Set("order_no", orderTiny)
	query.Set("sign", usualSign(appID, orderTiny, "1.0.0", ticket, nonce))
	_, _, err := f.get(resultPath, query.Encode(), usualDecode)
	return err
}

func usualSign(values ...string) string {
	sort.Strings(values)
	text := ""
	for _, v := range values {
		text += v
	}
	return fmt.Sprintf("%X", sha1.Sum([]byte(text)))
}

func usualNonce() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	nonce := make([]byte, 32)
	for i := range nonce {
		k, _ := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet)))) // its reader never fails
		nonce[i] = alphabet[k.Int64()]
	}
	return string(nonce)
}
