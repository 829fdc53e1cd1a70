// Package store keeps what a node must find again after a restart, in one
// SQLite file: its pipes, the numbers and successors of its bindings, what it
// has granted and revoked, the rules of its gateway, the account that it is a
// device of, and the servers it met. What people say to each other is in a second
// file, the Journal: it may grow to gigabytes and is written at every message,
// which is not to stand in the way of the node's own state, nor of looking that
// over when it is opened.
//
// What a Save has acknowledged is on the disk (WAL, synchronous=FULL). One
// process has the file at a time. A file that is damaged, foreign or made by a
// newer version is reported and left exactly as it is.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/account"
)

// FileName is the store's file in a node's state directory.
const FileName = "store.db"

// Store is an open store. It is safe for concurrent use.
type Store struct {
	path   string // empty in memory
	schema schema
	db     *sql.DB
}

var (
	_ pipe.Store          = (*Store)(nil)
	_ discovery.PeerStore = (*Store)(nil)
	_ gateway.Store       = (*Store)(nil)
	_ account.Store       = (*Store)(nil)
)

// Open opens the store at path, made if it is not there, and brings its schema
// up to date. An empty path gives a store in memory.
//
// Errors: wire.Taken when another process has it open, wire.Unsupported when a
// newer version has made it, wire.Internal when it is damaged, foreign, or the
// disk fails; the file is then unchanged.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, migrations, "")
}

// open is Open with the steps of the schema and one more pragma, for tests.
func open(ctx context.Context, path string, steps []string, pragma string) (*Store, error) {
	sc := storeSchema
	sc.steps = steps
	return openFile(ctx, path, sc, pragma)
}

// openFile opens or makes a file with this schema.
func openFile(ctx context.Context, path string, sc schema, pragma string) (*Store, error) {
	s := &Store{path: path, schema: sc}
	if path != "" {
		if err := s.prepare(ctx, len(sc.steps)); err != nil {
			return nil, err
		}
	}
	db, err := s.connect("rw", pragma)
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.migrate(ctx, sc.steps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close closes the file. It may be called more than once.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return s.fail("close", err)
	}
	return nil
}

// prepare makes the file if it is missing, and otherwise looks at it through a
// connection that cannot write: opening for writing may change a file.
func (s *Store) prepare(ctx context.Context, newest int) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return wire.Errorf(wire.Internal, "store %s: %w", s.path, err)
	}
	switch st, err := os.Stat(s.path); {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return wire.Errorf(wire.Internal, "store %s: %w", s.path, err)
		}
		return f.Close()
	case err != nil:
		return wire.Errorf(wire.Internal, "store %s: %w", s.path, err)
	case st.Size() == 0:
		return nil // made, and never written to
	}
	mode := "ro"
	if _, err := os.Stat(s.path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		mode = "immutable" // nobody has it open, and not even side files are made
	}
	db, err := s.connect(mode, "")
	if err != nil {
		return err
	}
	return errors.Join(s.check(ctx, db, newest), db.Close())
}

// check refuses a file that is not a sound store of this or an older version.
func (s *Store) check(ctx context.Context, db *sql.DB, newest int) error {
	var app, version, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return s.fail("open", err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return s.fail("open", err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return s.fail("open", err)
	}
	switch {
	case app != s.schema.app && (app != 0 || tables != 0):
		return wire.Errorf(wire.Internal, "store %s: the file belongs to another program", s.path).
			WithNext("move it away, or choose another state directory")
	case version > newest:
		return wire.Errorf(wire.Unsupported, "store %s: made by a newer version (schema %d, this program knows %d)", s.path, version, newest).
			WithNext("run the newer version; older ones cannot read it")
	}
	if s.schema.large {
		return nil
	}
	return s.quickCheck(ctx, db)
}

// quickCheck asks SQLite whether the file's structure is sound.
func (s *Store) quickCheck(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return s.fail("check", err)
	}
	if verdict != "ok" {
		return s.damaged(errors.New(strings.TrimSpace(verdict)))
	}
	return nil
}

// connect opens one connection: "rw", "ro", or "immutable" for a file that
// certainly nobody writes.
func (s *Store) connect(mode, pragma string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}}
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", s.schema.cache))
	q.Add("_pragma", "foreign_keys(1)")
	name := ":memory:"
	if s.path != "" {
		name = filePath(s.path)
		switch mode {
		case "immutable":
			q.Set("mode", "ro")
			q.Set("immutable", "1")
		case "ro":
			q.Set("mode", "ro")
		case "rw":
			q.Set("mode", "rw")
			// Locked for good, so that a second process is told instead of
			// waiting, and no shared memory is needed.
			q.Add("_pragma", "locking_mode(EXCLUSIVE)")
			q.Add("_pragma", "journal_mode(WAL)")
			q.Add("_pragma", "synchronous(FULL)")
			q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", s.schema.checkpoint))
		}
	}
	if pragma != "" {
		q.Add("_pragma", pragma)
	}
	db, err := sql.Open("sqlite", "file:"+name+"?"+q.Encode())
	if err != nil {
		return nil, s.fail("open", err)
	}
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(0) // a store in memory ends with its connection
	return db, nil
}

// filePath escapes a path for a file: URI.
func filePath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		path = "/" + path
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// tx runs f in a transaction, which is on the disk when tx returns nil.
func (s *Store) tx(ctx context.Context, what string, f func(*sql.Tx) error) error {
	t, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(what, err)
	}
	defer t.Rollback() // after Commit it does nothing
	if err := f(t); err != nil {
		return s.fail(what, err)
	}
	if err := t.Commit(); err != nil {
		return s.fail(what, err)
	}
	return nil
}

// exec runs one statement as a transaction of its own.
func (s *Store) exec(ctx context.Context, what, query string, args ...any) error {
	if _, err := s.db.ExecContext(ctx, query, args...); err != nil {
		return s.fail(what, err)
	}
	return nil
}

// name is how errors call the store.
func (s *Store) name() string {
	if s.path == "" {
		return "store in memory"
	}
	return fmt.Sprintf("store %s", s.path)
}
