package filestore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/storetest"
)

const (
	key    = "TIDA0001@idasc.example:443/x"
	secret = "MARKER-bearer-secret"
)

func TestMain(m *testing.M) {
	fleettest.Main(fleetStore)
	if dir := os.Getenv("FILESTORE_TEST_COUNT"); dir != "" {
		countTo(dir)
	}
	if dir := os.Getenv("FILESTORE_TEST_HOLD"); dir != "" {
		holdUntilKilled(dir)
	}
	processMain()
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	var dirs sync.Map // of each store
	storetest.Run(t, func(t *testing.T) webanklive.CredentialStore {
		dir := filepath.Join(t.TempDir(), "credentials")
		s, err := filestore.New(dir, filestore.WithSilence(silence))
		require.NoError(t, err)
		dirs.Store(s, dir)
		return s
	},
		storetest.WithLease(silence),
		storetest.WithLockBreaker(func(t *testing.T, s webanklive.CredentialStore, key string) {
			assert.NoError(t, os.Remove(s.(*filestore.Store).LockPath(key)))
		}),
		storetest.WithSecondHandle(func(t *testing.T, s webanklive.CredentialStore) webanklive.CredentialStore {
			dir, _ := dirs.Load(s)
			second, err := filestore.New(dir.(string), filestore.WithSilence(silence))
			require.NoError(t, err)
			return second
		}),
		storetest.WithOutage(func(t *testing.T, s webanklive.CredentialStore) {
			dir, _ := dirs.Load(s)
			require.NoError(t, os.RemoveAll(dir.(string)))
		}))
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "credentials")
	s, err := filestore.New(dir)
	require.NoError(t, err)
	_, err = s.Update(context.Background(), key, put(secret, 0))
	require.NoError(t, err)

	names := files(t, dir)
	require.Len(t, names, 2)
	for _, name := range names {
		assert.Regexp(t, `^[0-9a-f]{64}\.(credential|lock)$`, name)
		if runtime.GOOS == "windows" {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode(), name)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, dir := range []string{dir, filepath.Dir(dir)} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), dir)
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	t.Parallel()
	_, err := filestore.New("")
	require.ErrorContains(t, err, "filestore: the directory must not be empty")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = filestore.New(file)
	require.ErrorContains(t, err, "filestore: create the directory")
	_, err = filestore.New(filepath.Join(file, "below"))
	require.ErrorContains(t, err, "filestore: create the directory")

	_, err = filestore.New(t.TempDir(), filestore.WithLogger(nil))
	require.ErrorContains(t, err, "filestore: logger must not be nil")

}

func TestARelativeDirectoryStaysWhereItWas(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s, err := filestore.New("credentials")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	_, err = s.Update(context.Background(), key, put("value", 0))
	require.NoError(t, err)
	assert.Len(t, files(t, filepath.Join(dir, "credentials")), 2)
}

func TestAnEmptyValueIsAValue(t *testing.T) {
	t.Parallel()
	s := newStore(t, t.TempDir(), nil)
	_, err := s.Update(context.Background(), key, put("", 0))
	require.NoError(t, err)
	value, err := s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Empty(t, value)
	_, err = s.Update(context.Background(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		assert.NotNil(t, current)
		return nil, 0, nil
	})
	require.NoError(t, err)
}

func TestAValueThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	_, err := s.Update(context.Background(), key, put(strings.Repeat("v", 16<<20), 0))
	require.ErrorContains(t, err, "too long")
	_, err = s.Load(context.Background(), key)
	require.ErrorIs(t, err, webanklive.ErrNoCredential)
}

func TestAFileThatIsNotAWholeValueIsAbsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := &logBuffer{}
	s := newStore(t, dir, log)
	ctx := context.Background()
	_, err := s.Update(ctx, key, put(secret, time.Hour))
	require.NoError(t, err)
	path := valueFile(t, dir)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(whole), secret)

	damaged := map[string][]byte{
		"empty":          {},
		"garbage":        []byte("this is not what you are looking for, and it is longer than a header would be"),
		"zeros":          make([]byte, len(whole)),
		"too long":       append(bytes.Clone(whole), 'x'),
		"an older one":   append(append([]byte("WBLCRED\x00"), whole[8:]...), 'x'),
		"too big a file": append(bytes.Clone(whole), make([]byte, 16<<20)...),
	}
	for cut := range whole {
		damaged["cut to "+strconv.Itoa(cut)] = whole[:cut]
		if cut != 7 { // the version, see below
			flipped := bytes.Clone(whole)
			flipped[cut] ^= 0x10
			damaged["bit in byte "+strconv.Itoa(cut)] = flipped
		}
	}
	for name, content := range damaged {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		log.Reset()
		_, err := s.Load(ctx, key)
		require.ErrorIs(t, err, webanklive.ErrNoCredential, name)
		require.Contains(t, log.String(), "level=WARN", name)
		require.NotContains(t, log.String(), "MARKER", name)
	}

	// A lost value is made again, and whatever is in its place is replaced.
	_, err = s.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
		assert.Nil(t, current)
		return []byte("again"), 0, nil
	})
	require.NoError(t, err)
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "again", string(value))

	t.Run("a directory in its place", func(t *testing.T) {
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Mkdir(path, 0o700))
		_, err := s.Load(ctx, key)
		require.ErrorIs(t, err, webanklive.ErrNoCredential)
		_, err = s.Update(ctx, key, put("value", 0))
		require.Error(t, err, "a directory cannot be replaced")
		assert.Len(t, files(t, dir), 2, "a temporary file was left")
		require.NoError(t, os.Remove(path))
	})
	t.Run("the file of another key", func(t *testing.T) {
		another := strings.ToLower(key) // as long
		_, err = s.Update(ctx, another, put("value", 0))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(valueFile(t, dir), whole, 0o600)) // the only one
		_, err = s.Load(ctx, another)
		require.ErrorIs(t, err, webanklive.ErrNoCredential)
	})
}

func TestANewerFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	ctx := context.Background()
	_, err := s.Update(ctx, key, put(secret, 0))
	require.NoError(t, err)
	path := valueFile(t, dir)
	newer, err := os.ReadFile(path)
	require.NoError(t, err)
	newer[7]++
	require.NoError(t, os.WriteFile(path, newer, 0o600))

	_, err = s.Load(ctx, key)
	require.ErrorContains(t, err, "newer version")
	require.NotErrorIs(t, err, webanklive.ErrNoCredential)
	_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		assert.Fail(t, "fn ran")
		return nil, 0, nil
	})
	require.ErrorContains(t, err, "newer version")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, newer, after)
}

func TestLeftoverTemporaryFilesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	ctx := context.Background()
	for _, key := range []string{key, "another key"} {
		_, err := s.Update(ctx, key, put("value", 0))
		require.NoError(t, err)
	}
	before := files(t, dir)
	leftover := strings.TrimSuffix(valueFile(t, dir), ".credential") + ".123456.tmp"
	foreign := filepath.Join(dir, "notes.tmp")
	for _, path := range []string{leftover, foreign} {
		require.NoError(t, os.WriteFile(path, []byte("half a val"), 0o600))
	}
	for _, key := range []string{key, "another key"} {
		value, err := s.Load(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, "value", string(value))
		_, err = s.Update(ctx, key, put("next", 0))
		require.NoError(t, err)
	}
	assert.NoFileExists(t, leftover)
	assert.FileExists(t, foreign, "a file that is not the store's")
	assert.Len(t, files(t, dir), len(before)+1)
}

func TestARemovedLockFileRefusesTheWrite(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove a file that is open")
	}
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	ctx := context.Background()
	_, err := s.Update(ctx, key, put("before", 0))
	require.NoError(t, err)
	lockFile := strings.TrimSuffix(valueFile(t, dir), ".credential") + ".lock"
	for name, next := range map[string][]byte{"with a value": []byte("mine"), "without": nil} {
		_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			assert.NoError(t, os.Remove(lockFile))
			_, err := newStore(t, dir, nil).Update(ctx, key, put("theirs", 0)) // with a lock file of its own
			assert.NoError(t, err)
			return next, 0, nil
		})
		require.ErrorIs(t, err, filestore.ErrLockLost, name)
		value, err := s.Load(ctx, key)
		require.NoError(t, err)
		assert.Equal(t, "theirs", string(value), name)
	}

	_, err = s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		return []byte("mine"), 0, os.Remove(lockFile)
	})
	require.ErrorIs(t, err, filestore.ErrLockLost, "though no other process has taken it yet")
	value, err := s.Load(ctx, key)
	require.NoError(t, err)
	assert.Equal(t, "theirs", string(value))
}

func TestAValueMintedAfterItsCallerLeftIsStored(t *testing.T) {
	t.Parallel()
	s := newStore(t, t.TempDir(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
		cancel()
		return []byte("minted"), 0, nil
	})
	require.NoError(t, err)
	value, err := s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Equal(t, "minted", string(value))
}

func TestExpiryIsKeptInTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := context.Background()
	_, err := newStore(t, dir, nil).Update(ctx, key, put("value", 50*time.Millisecond))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := newStore(t, dir, nil).Load(ctx, key) // as after a restart
		return errors.Is(err, webanklive.ErrNoCredential)
	}, 10*time.Second, 5*time.Millisecond)
	_, err = newStore(t, dir, nil).Update(ctx, key, put("value", -time.Hour))
	require.NoError(t, err)
	_, err = newStore(t, dir, nil).Load(ctx, key)
	require.NoError(t, err, "a ttl that is not positive keeps")
}

// Readers must never see half a file while writers replace it.
func TestReadersSeeWholeValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := &logBuffer{}
	ctx := context.Background()
	writer := newStore(t, dir, nil)
	_, err := writer.Update(ctx, key, put("v", 0))
	require.NoError(t, err)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		reader := newStore(t, dir, log)
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				value, err := reader.Load(ctx, key)
				if !assert.NoError(t, err) || !assert.Empty(t, strings.Trim(string(value), "v")) {
					return
				}
			}
		}()
	}
	for i := range 100 {
		_, err := writer.Update(ctx, key, put(strings.Repeat("v", 1+i*997), 0))
		require.NoError(t, err)
	}
	close(stop)
	readers.Wait()
	assert.Empty(t, log.String())
}

const (
	processes = 8
	rounds    = 15
)

func TestProcessesLoseNoUpdate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil) // makes the directory the owner's
	var counters []*exec.Cmd
	for range processes {
		counter := exec.Command(os.Args[0])
		counter.Env = append(os.Environ(), "FILESTORE_TEST_COUNT="+dir)
		counter.Stderr = os.Stderr
		require.NoError(t, counter.Start())
		counters = append(counters, counter)
	}
	for _, counter := range counters {
		assert.NoError(t, counter.Wait())
	}
	value, err := s.Load(context.Background(), key)
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(processes*rounds), string(value))
}

// countTo is the main function of the processes of TestProcessesLoseNoUpdate.
func countTo(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := filestore.New(dir)
	for counted := 0; counted < rounds && err == nil; {
		_, err = s.Update(ctx, key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
			counted++ // else another process's value came while this one waited
			n, _ := strconv.Atoi(string(current))
			time.Sleep(time.Millisecond) // a window for a lock that does not hold
			return []byte(strconv.Itoa(n + 1)), time.Hour, nil
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestAKilledHolderLetsAnotherInAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "FILESTORE_TEST_HOLD="+dir)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked", strings.TrimSpace(line))

	brief, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Update(brief, key, put("too early", 0))
	require.ErrorIs(t, err, context.DeadlineExceeded, "the lock of another process does not hold")

	done := make(chan error, 1)
	go func() {
		_, err := s.Update(context.Background(), key, put("value", 0))
		done <- err
	}()
	killed := time.Now()
	require.NoError(t, holder.Process.Kill())
	select {
	case err := <-done:
		require.NoError(t, err)
		assert.Less(t, time.Since(killed), 3*time.Second)
	case <-time.After(20 * time.Second):
		t.Fatal("the lock of a dead process still holds")
	}
}

// holdUntilKilled is the main function of the process that TestAKilledHolderLetsAnotherInAtOnce kills.
func holdUntilKilled(dir string) {
	s, err := filestore.New(dir)
	if err == nil {
		_, err = s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			fmt.Println("locked")
			time.Sleep(time.Minute) // an orphan ends by itself
			return nil, 0, errors.New("not killed")
		})
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestPrintingShowsTheDirectoryOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStore(t, dir, nil)
	_, err := s.Update(context.Background(), key, put(secret, 0))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		assert.Equal(t, fmt.Sprintf("filestore.Store{Dir: %q}", dir), fmt.Sprintf(verb, s))
	}
}

// newStore returns a store in dir, which it makes the owner's alone.
func newStore(t *testing.T, dir string, log *logBuffer) *filestore.Store {
	t.Helper()
	require.NoError(t, os.Chmod(dir, 0o700))
	var opts []filestore.Option
	if log != nil {
		opts = append(opts, filestore.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	}
	s, err := filestore.New(dir, opts...)
	require.NoError(t, err)
	return s
}

// put is an UpdateFunc that stores value.
func put(value string, ttl time.Duration) webanklive.UpdateFunc {
	return func(context.Context, []byte) ([]byte, time.Duration, error) { return []byte(value), ttl, nil }
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
	for _, name := range files(t, dir) {
		if strings.HasSuffix(name, ".credential") {
			return filepath.Join(dir, name)
		}
	}
	t.Fatal("no value is stored")
	return ""
}

// A logBuffer collects what several goroutines write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
