package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
	"github.com/webanklive/webanklive/internal/logtest"
)

func TestNew_RefusesAFileSystemThatDoesNotLock(t *testing.T) {
	t.Parallel()
	errNoLocks := errors.New("no locks available")
	for name, try := range map[string]func(*flock.Flock) (bool, error){
		"none":        func(*flock.Flock) (bool, error) { return false, errNoLocks },
		"not for one": func(*flock.Flock) (bool, error) { return false, nil },
		"for two":     func(*flock.Flock) (bool, error) { return true, nil },
	} {
		dir := filepath.Join(t.TempDir(), "credentials")
		_, err := filestore.New(dir, filestore.WithTryLock(try))
		require.ErrorContains(t, err, "filestore: the file system of "+dir+" does not lock files, so two processes could refresh at once", name)
		if name == "none" {
			require.ErrorIs(t, err, errNoLocks)
		}
		assert.Empty(t, files(t, dir), name)
	}
}

// A handle has a queue and an open file of its own, as another process has.
func TestUpdate_OfManyHandlesLosesNothing(t *testing.T) {
	t.Parallel()
	const handles, rounds = 8, 15
	dir, s := newDir(t)
	var counters sync.WaitGroup
	for range handles {
		handle := newStore(t, dir)
		counters.Add(1)
		go func() {
			defer counters.Done()
			for counted := 0; counted < rounds; {
				_, err := handle.Update(t.Context(), key, func(_ context.Context, current []byte) ([]byte, time.Duration, error) {
					counted++ // else another handle's value came while this one waited
					n, _ := strconv.Atoi(string(current))
					time.Sleep(time.Millisecond) // a window for a lock that does not hold
					return []byte(strconv.Itoa(n + 1)), time.Hour, nil
				})
				if !assert.NoError(t, err) {
					return
				}
			}
		}()
	}
	counters.Wait()
	fleettest.WantValue(t, s, key, strconv.Itoa(handles*rounds))
}

func TestUpdate_WritesNothingWhenItsLockFileWasRemoved(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove a file that is open")
	}
	dir, s := newDir(t)
	fleettest.Store(t, s, key, "theirs")
	for name, tc := range map[string]struct {
		next  []byte
		taken bool // by another process, which has a lock file of its own
	}{"with a value": {[]byte("mine"), true}, "without": {nil, true}, "not taken": {[]byte("mine"), false}} {
		_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			assert.NoError(t, os.Remove(s.LockPath(key)))
			if tc.taken {
				_, err := newStore(t, dir).Update(t.Context(), key, fleettest.Put("theirs", 0))
				assert.NoError(t, err)
			}
			return tc.next, 0, nil
		})
		require.ErrorIs(t, err, filestore.ErrLockLost, name)
		fleettest.WantValue(t, s, key, "theirs")
	}
}

// The suite of package storetest has two stores; here are many, some of which share one.
func TestUpdate_WaitersReturnANewValueWithoutDoingTheWorkAgain(t *testing.T) {
	t.Parallel()
	h := hold(t, time.Hour)
	var ran atomic.Int32
	const stores, callers = 5, 4
	values := make(chan string, stores*callers)
	var waiting sync.WaitGroup
	for range stores {
		s := newStore(t, h.dir)
		for range callers {
			waiting.Add(1)
			ctx := &waitingContext{Context: t.Context(), waits: sync.OnceFunc(waiting.Done)}
			go func() {
				value, err := s.Update(ctx, key, func(context.Context, []byte) ([]byte, time.Duration, error) {
					ran.Add(1)
					return nil, 0, nil
				})
				assert.NoError(t, err)
				values <- string(value)
			}()
		}
	}
	waiting.Wait()
	h.finish <- "new"
	require.NoError(t, <-h.done)
	for range stores * callers {
		assert.Equal(t, "new", <-values)
	}
	assert.Zero(t, ran.Load())
}

// A waitingContext tells when somebody waits for its end.
type waitingContext struct {
	context.Context
	waits func()
}

func (c *waitingContext) Done() <-chan struct{} {
	c.waits()
	return c.Context.Done()
}

// A holder that was stopped shows nothing, like one whose signs are hours apart.
func TestUpdate_TakesTheLockOfAHolderThatGivesNoSignOfLife(t *testing.T) {
	t.Parallel()
	h := hold(t, time.Hour)
	log := &logtest.Log{}
	waiter := newStore(t, h.dir, filestore.WithSilence(300*time.Millisecond), filestore.WithLogger(log.Logger()))
	fleettest.Store(t, waiter, key, "the waiter's")
	assert.Contains(t, log.String(), "gave no sign of life; taking its lock away")

	h.finish <- "stale"
	require.ErrorIs(t, <-h.done, filestore.ErrLockLost)
	fleettest.WantValue(t, waiter, key, "the waiter's")
	assert.Len(t, files(t, h.dir), 2, "the value and the lock")
}

// The wait of several callers counts, and so does none of them alone.
func TestUpdate_AddsUpTheSilenceOverImpatientCallers(t *testing.T) {
	t.Parallel()
	h := hold(t, time.Hour)
	waiter := newStore(t, h.dir, filestore.WithSilence(time.Second))
	for calls := 0; ; calls++ {
		brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := waiter.Update(brief, key, fleettest.Put("the waiter's", 0))
		cancel()
		if err == nil {
			assert.Greater(t, calls, 1)
			break
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "the lock is held")
		require.Less(t, calls, 1000)
	}
	h.finish <- "stale"
	require.ErrorIs(t, <-h.done, filestore.ErrLockLost)
}

func TestUpdate_LeavesTheLockToAHolderThatIsSlow(t *testing.T) {
	t.Parallel()
	const silence = time.Second
	h := hold(t, silence)
	waiter := newStore(t, h.dir, filestore.WithSilence(silence))
	ctx, cancel := context.WithTimeout(t.Context(), 3*silence)
	defer cancel()
	_, err := waiter.Update(ctx, key, fleettest.Refuse(t, "the lock was taken from a holder that shows life"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	h.finish <- "slow"
	require.NoError(t, <-h.done)
	fleettest.WantValue(t, waiter, key, "slow")
}

// A holder is an Update of another process, so to speak, that is waiting in fn.
type holder struct {
	dir    string
	finish chan string
	done   chan error
}

func hold(t *testing.T, silence time.Duration) *holder {
	t.Helper()
	dir, s := newDir(t, filestore.WithSilence(silence))
	h := &holder{dir: dir, finish: make(chan string, 1), done: make(chan error, 1)}
	entered := make(chan struct{})
	go func() {
		_, err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, time.Duration, error) {
			close(entered)
			return []byte(<-h.finish), 0, nil
		})
		h.done <- err
	}()
	<-entered
	return h
}
