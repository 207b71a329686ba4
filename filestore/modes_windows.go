package filestore

// On Windows a directory inherits who may enter it, and its files do, too.

import "os"

const lockFlags = os.O_CREATE | os.O_RDONLY

// renamesOpenFiles says that Windows does not rename a file that is open.
const renamesOpenFiles = false

func makeDir(dir string) error { return os.MkdirAll(dir, 0o700) }

func (s *Store) secure() error                   { return nil }
func (s *Store) handOver(*os.File, string) error { return nil }
func (s *Store) createLock(string) error         { return nil }
