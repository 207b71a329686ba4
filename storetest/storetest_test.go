package storetest

import (
	"testing"

	"github.com/webanklive/webanklive"
)

func TestRun_PassesAFlawlessStore(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) webanklive.CredentialStore { return newFlawed("") },
		WithSecondHandle(func(_ *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
			return secondFlawed(s)
		}),
		WithLease(flawedLease),
		WithLockBreaker(func(_ *testing.T, s webanklive.CredentialStore, key string) { breakFlawed(s, key) }),
		WithOutage(func(_ *testing.T, s webanklive.CredentialStore) { stopFlawed(s) }))
}
