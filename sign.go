package webanklive

// The signature of every call and callback, and the random value that goes into it: pure functions.

import (
	"crypto/rand"
	"crypto/sha1"
	"slices"
)

// Sign returns the platform's signature of values: sorted in ASCII order (upper case before lower case), joined
// without a separator, hashed with SHA-1 over UTF-8, as 40 upper-case hexadecimal digits.
//
// Only the values are signed, not their names, and an empty value adds nothing. Which values belong to a call is the
// vendor's table for that call; all of them include a ticket, so the caller keeps them out of logs. The caller's slice is not
// changed. It is safe for concurrent use.
//
// It is exported for golden tests ("does my order number sign to what the vendor's page prints?"); the methods of
// [Client] sign by themselves.
//
// 签名算法说明: https://cloud.tencent.com/document/product/655/31969
func Sign(values ...string) string {
	// Both buffers hold the longest call of the protocol, so that they stay on the stack.
	var few [8]string
	sorted := append(few[:0], values...)
	slices.Sort(sorted)

	var short [512]byte
	joined := short[:0]
	for _, v := range sorted {
		joined = append(joined, v...)
	}
	sum := sha1.Sum(joined)

	const digits = "0123456789ABCDEF"
	var text [2 * sha1.Size]byte
	for i, b := range sum {
		text[2*i], text[2*i+1] = digits[b>>4], digits[b&0xF]
	}
	return string(text[:])
}

// nonceLength is what the platform asks of a 随机数: 32 letters and digits.
const nonceLength = 32

// newNonce returns 32 random letters and digits, each of the 62 equally likely.
func newNonce() string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// A byte of 248 or more would favour the first symbols, so it is not used. One read of 48 bytes brings 32 others nearly
	// always.
	const fair = 256 - 256%len(alphabet)

	var nonce [nonceLength]byte
	var random [48]byte
	for n := 0; n < nonceLength; {
		rand.Read(random[:]) // never fails: the runtime ends the program when the system has no randomness
		for _, b := range random {
			if int(b) < fair && n < nonceLength {
				nonce[n] = alphabet[int(b)%len(alphabet)]
				n++
			}
		}
	}
	return string(nonce[:])
}
