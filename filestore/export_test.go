package filestore

import "github.com/gofrs/flock"

// WithTryLock replaces the operating system's locks.
func WithTryLock(try func(*flock.Flock) (bool, error)) Option {
	return func(s *Store) error {
		s.try = try
		return nil
	}
}
