package main

// Mistakes in the hash: an HMAC with a key in place of a plain hash, or another hash function.

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // what others may have used
	"crypto/sha1" //nolint:gosec // the protocol's
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"
)

var hashes = []struct {
	name string
	make func() hash.Hash
}{
	{"SHA-1", sha1.New}, {"MD5", md5.New}, {"SHA-256", sha256.New}, {"SHA-384", sha512.New384}, {"SHA-512", sha512.New},
}

// hexDigits reports whether a signature of that length may be one of those hashes.
func hexDigits(n int) bool {
	for _, h := range hashes {
		if 2*h.make().Size() == n {
			return true
		}
	}
	return false
}

// keyedHash makes an HMAC with each secret as its key, of the values with the secret among them and without it.
func keyedHash(v *values) (found []candidate) {
	secrets := slices.DeleteFunc(slices.Clone(v.carried), func(p pair) bool { return !isSecret(p.name) })
	for _, p := range secrets {
		secrets = append(secrets, v.others[canonical(p.name)]...)
	}
	for _, secret := range secrets {
		without := func(pairs []pair) []pair {
			return slices.DeleteFunc(slices.Clone(pairs), func(p pair) bool { return p.name == secret.name })
		}
		for _, h := range hashes {
			why := fmt.Sprintf("an HMAC with %s was made, with the %s as the key", h.name, secret.name)
			sum := func(text string) []byte {
				mac := hmac.New(h.make, []byte(secret.value))
				mac.Write([]byte(text))
				return mac.Sum(nil)
			}
			for _, pairs := range [][]pair{without(v.sorted()), v.sorted(), without(v.carried)} {
				found = append(found, candidate{why: why, pieces: v.pieces(pairs), sum: sum})
			}
		}
	}
	return found
}

func otherHash(v *values) (found []candidate) {
	for _, h := range hashes[1:] {
		found = append(found, candidate{
			why: fmt.Sprintf("the hash is %s, not SHA-1", h.name), pieces: v.pieces(v.sorted()),
			sum: func(text string) []byte {
				sum := h.make()
				sum.Write([]byte(text))
				return sum.Sum(nil)
			},
		})
	}
	return found
}
