package filestore_test

// Waiting for the lock, and holders that do not go on.

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
)

// The suite of package storetest has two stores; here are many, some of which share one.
func TestUpdate_WaitersReturnANewValueWithoutDoingTheWorkAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "credentials")
	h := hold(t, dir, time.Hour)
	var ran atomic.Int32
	const stores, callers = 5, 4
	values := make(chan string, stores*callers)
	var waiting sync.WaitGroup
	for range stores {
		s, err := filestore.New(dir)
		require.NoError(t, err)
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
	dir := filepath.Join(t.TempDir(), "credentials")
	h := hold(t, dir, time.Hour)
	log := &logBuffer{}
	waiter, err := filestore.New(dir, filestore.WithSilence(300*time.Millisecond), filestore.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	require.NoError(t, err)
	value, err := waiter.Update(t.Context(), key, put("the waiter's", 0))
	require.NoError(t, err)
	assert.Equal(t, "the waiter's", string(value))
	assert.Contains(t, log.String(), "gave no sign of life; taking its lock away")

	h.finish <- "stale"
	require.ErrorIs(t, <-h.done, filestore.ErrLockLost)
	value, err = waiter.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "the waiter's", string(value))
	assert.Len(t, files(t, dir), 2, "the value and the lock")
}

// The wait of several callers counts, and so does none of them alone.
func TestUpdate_AddsUpTheSilenceOverImpatientCallers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "credentials")
	h := hold(t, dir, time.Hour)
	waiter, err := filestore.New(dir, filestore.WithSilence(time.Second))
	require.NoError(t, err)
	for calls := 0; ; calls++ {
		brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err = waiter.Update(brief, key, put("the waiter's", 0))
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
	dir := filepath.Join(t.TempDir(), "credentials")
	h := hold(t, dir, silence)
	waiter, err := filestore.New(dir, filestore.WithSilence(silence))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*silence)
	defer cancel()
	_, err = waiter.Update(ctx, key, put("the waiter's", 0))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	h.finish <- "slow"
	require.NoError(t, <-h.done)
	value, err := waiter.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "slow", string(value))
}

// The last moment to be stopped in: the lock was still there when it was looked at.
func TestUpdate_NothingOfAHolderThatWasStoppedBeforeTheRenameIsStored(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "credentials")
	s, err := filestore.New(dir)
	require.NoError(t, err)
	next, err := filestore.New(dir)
	require.NoError(t, err)
	err = s.StoppedJustBeforeTheRename(key, func() {
		_, err := next.Update(t.Context(), key, put("the next one's", 0))
		require.NoError(t, err)
	})
	require.ErrorIs(t, err, filestore.ErrLockLost)
	value, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "the next one's", string(value))
}

// A holder is an Update of another process, so to speak, that is waiting in fn.
type holder struct {
	finish chan string
	done   chan error
}

func hold(t *testing.T, dir string, silence time.Duration) *holder {
	t.Helper()
	s, err := filestore.New(dir, filestore.WithSilence(silence))
	require.NoError(t, err)
	h := &holder{finish: make(chan string, 1), done: make(chan error, 1)}
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
