// The platform's own signer, kept apart from any client's so that both must agree with the vendor and not with each other.

package livetest

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
)

// sign returns the vendor's signature of values: sorted in ASCII order, joined, SHA-1, 40 upper-case hex digits.
func sign(values ...string) string {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return fmt.Sprintf("%X", sha1.Sum([]byte(strings.Join(sorted, ""))))
}
