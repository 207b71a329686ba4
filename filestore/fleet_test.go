package filestore_test

// The SDK on one directory, in several processes.

import (
	"testing"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
)

func fleetStore(dir string) (webanklive.CredentialStore, error) { return filestore.New(dir) }

func TestTwentyFourClientsInEightProcessesMintOnce(t *testing.T) {
	t.Parallel()
	fleettest.Clients(t, t.TempDir()+"/store", 8, 3)
}

func TestWhenTheMintingProcessIsKilledAnotherMintsAtOnce(t *testing.T) {
	t.Parallel()
	fleettest.KilledMint(t, t.TempDir()+"/store", 5*time.Second)
}
