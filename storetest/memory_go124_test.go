//go:build !go1.25

package storetest

import (
	"testing"

	"github.com/webanklive/webanklive"
)

// On a newer Go, TestMemoryStore_KeepsEveryRule in flaws_test.go runs the rules on a clock on which no wait takes time.
func TestMemoryStore_KeepsEveryRuleOnTheRealClock(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) webanklive.CredentialStore { return webanklive.NewMemoryStore() })
}
