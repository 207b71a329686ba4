package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/storetest"
)

const (
	key    = "TIDA0001@idasc.example:443/x"
	secret = "MARKER-bearer-secret"
)

// processMain ends a process that a test started, where the tests have such processes.
var processMain = func() {}

func TestMain(m *testing.M) {
	fleettest.Main(func(dir string) (webanklive.CredentialStore, error) { return filestore.New(dir) })
	processMain()
	os.Exit(m.Run())
}

func TestStore_KeepsEveryRule(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	var dirs sync.Map // of each store
	storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
		dir, s := newDir(t, filestore.WithSilence(silence))
		dirs.Store(s, dir)
		return s
	},
		storetest.WithLease(silence),
		storetest.WithLockBreaker(func(t *testing.T, s webanklive.CredentialStore, key string) {
			assert.NoError(t, os.Remove(s.(*filestore.Store).LockPath(key)))
		}),
		storetest.WithSecondHandle(func(t *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
			dir, _ := dirs.Load(s)
			return newStore(t, dir.(string), filestore.WithSilence(silence))
		}),
		storetest.WithOutage(func(t *testing.T, s webanklive.CredentialStore) {
			dir, _ := dirs.Load(s)
			require.NoError(t, os.RemoveAll(dir.(string)))
		}))
}

func TestStore_TwentyFourClientsInEightProcessesMintOnce(t *testing.T) {
	t.Parallel()
	fleettest.Clients(t, t.TempDir()+"/store", 8, 3)
}

func TestStore_WhenTheMintingProcessIsKilledAnotherMintsAtOnce(t *testing.T) {
	t.Parallel()
	fleettest.KilledMint(t, t.TempDir()+"/store", 5*time.Second)
}

func TestNew_RefusesWhatIsNoDirectory(t *testing.T) {
	t.Parallel()
	_, err := filestore.New("")
	require.ErrorContains(t, err, "filestore: the directory must not be empty")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		_, err = filestore.New(dir)
		require.ErrorContains(t, err, "filestore: create the directory")
	}
}

func TestWithLogger_RefusesNil(t *testing.T) {
	t.Parallel()
	_, err := filestore.New(t.TempDir(), filestore.WithLogger(nil))
	require.ErrorContains(t, err, "filestore: logger must not be nil")
}

func TestNew_ARelativeDirectoryStaysWhereItWas(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := newStore(t, "credentials")
	t.Chdir(t.TempDir())
	fleettest.Store(t, s, key, "value")
	assert.Len(t, files(t, filepath.Join(dir, "credentials")), 2)
}

// Readers must never see half a file while writers replace it.
func TestLoad_SeesWholeValues(t *testing.T) {
	t.Parallel()
	dir, writer := newDir(t)
	log := &logtest.Log{}
	fleettest.Store(t, writer, key, "v")
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		reader := newStore(t, dir, filestore.WithLogger(log.Logger()))
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				value, err := reader.Load(t.Context(), key)
				if !assert.NoError(t, err) || !assert.Empty(t, strings.Trim(string(value), "v")) {
					return
				}
			}
		}()
	}
	for i := range 100 {
		fleettest.Store(t, writer, key, strings.Repeat("v", 1+i*997))
	}
	close(stop)
	readers.Wait()
	assert.Empty(t, log.String())
}

func TestStore_PrintsItsDirectoryOnly(t *testing.T) {
	t.Parallel()
	dir, s := newDir(t)
	fleettest.Store(t, s, key, secret)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		assert.Equal(t, fmt.Sprintf("filestore.Store{Dir: %q}", dir), fmt.Sprintf(verb, s))
	}
}

func newStore(t *testing.T, dir string, opts ...filestore.Option) *filestore.Store {
	t.Helper()
	s, err := filestore.New(dir, opts...)
	require.NoError(t, err)
	return s
}

// newDir returns a new directory and a store in it.
func newDir(t *testing.T, opts ...filestore.Option) (string, *filestore.Store) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "credentials")
	return dir, newStore(t, dir, opts...)
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// valueFile returns the path of the first value in dir.
func valueFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.credential"))
	require.NoError(t, err)
	require.NotEmpty(t, found, "no value is stored")
	return found[0]
}
