package store

import (
	"errors"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// fail puts an error of SQLite into the vocabulary. Errors that are in it
// already pass.
func (s *Store) fail(what string, err error) error {
	var done *wire.Error
	if errors.As(err, &done) {
		return done
	}
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return wire.Errorf(wire.Internal, "%s: %s: the disk is full; nothing was changed: %w", s.name(), what, err).
			WithNext("free space in %s and try again", filepath.Dir(s.path))
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return s.damaged(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return wire.Errorf(wire.Taken, "%s: another process has it open: %w", s.name(), err).
			WithNext("stop the other process, or choose another state directory")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return wire.Errorf(wire.Internal, "%s: %s: the file cannot be written: %w", s.name(), what, err).
			WithNext("check the owner and the permissions of %s", filepath.Dir(s.path))
	}
	return wire.Errorf(wordOf(err), "%s: %s: %w", s.name(), what, err)
}

// damaged is the error for a file whose content is not sound.
func (s *Store) damaged(err error) error {
	return wire.Errorf(wire.Internal, "%s is damaged and was left as it is: %w", s.name(), err).
		WithNext("restore it from a backup, or move it away to start with an empty one")
}

// code returns the primary result code of SQLite, 0 for other errors.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// unique reports whether a UNIQUE constraint refused a row.
func unique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// wordOf keeps the words for an ended context.
func wordOf(err error) wire.Code {
	if c := wire.CodeOf(err); c == wire.Timeout || c == wire.Closed {
		return c
	}
	return wire.Internal
}
