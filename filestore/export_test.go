package filestore

import (
	"time"

	"github.com/gofrs/flock"
)

// WithTryLock replaces the operating system's locks.
func WithTryLock(try func(*flock.Flock) (bool, error)) Option {
	return func(s *Store) error {
		s.try = try
		return nil
	}
}

// WithSilence is how long a holder may give no sign of life.
func WithSilence(d time.Duration) Option {
	return func(s *Store) error {
		s.silence = d
		return nil
	}
}

// LockPath returns the lock file of key.
func (s *Store) LockPath(key string) string { return s.path(key, lockSuffix) }

// StoppedJustBeforeTheRename lets another holder sweep key when a value is as good as stored.
func (s *Store) StoppedJustBeforeTheRename(key string, meanwhile func()) error {
	room, err := s.reserve(fileName(key), 0)
	if err != nil {
		return err
	}
	meanwhile()
	return room.become(s.path(key, valueSuffix), []byte("stale"))
}
