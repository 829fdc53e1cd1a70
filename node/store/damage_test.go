package store

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// filled makes a file of some dozen pages and returns its bytes.
func filled(t *testing.T, path string) []byte {
	t.Helper()
	s := mustOpen(t, path)
	for i := range 200 {
		if err := s.SavePipe(ctx, somePipe(t, "", byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDamagedFileIsReportedAndLeftAsItIs(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"header":    func(b []byte) []byte { copy(b, "not a database!!"); return b },
		"middle":    func(b []byte) []byte { copy(b[len(b)/2&^4095:], bytes.Repeat([]byte{0xa5}, 4096)); return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2+100] },
		"foreign":   func([]byte) []byte { return []byte("a text that somebody put here") },
	} {
		t.Run(name, func(t *testing.T) {
			path := tempPath(t)
			b := damage(filled(t, path))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err := Open(ctx, path)
				if wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") || wire.NextOf(err) == "" {
					t.Errorf("error %v, next %q", err, wire.NextOf(err))
				}
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, b) {
				t.Errorf("the file has changed: %v", err)
			}
			if rest, _ := filepath.Glob(path + "-*"); len(rest) > 0 {
				t.Errorf("left behind: %v", rest)
			}
		})
	}
}

func TestDatabaseOfAnotherProgramIsLeftAlone(t *testing.T) {
	path := tempPath(t)
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, _ := os.ReadFile(path)
	if _, err := Open(ctx, path); wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), "another program") {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}
}

func TestRowThatDoesNotBelongToItsIDIsDamage(t *testing.T) {
	s := mustOpen(t, "")
	p := somePipe(t, "x", 1)
	if err := s.SavePipe(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := s.exec(ctx, "test", "UPDATE pipes SET advertisement = ?", somePipe(t, "y", 2).Advertisement.Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PipeByName(ctx, "x"); wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}

func TestEmptyFileIsANewStore(t *testing.T) {
	path := tempPath(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path)
}

func TestSecondOpenerIsTold(t *testing.T) {
	path := tempPath(t)
	s := mustOpen(t, path)
	if _, err := Open(ctx, path); wire.CodeOf(err) != wire.Taken || wire.NextOf(err) == "" {
		t.Errorf("second opener: %v", err)
	}
	if err := s.SavePipe(ctx, somePipe(t, "x", 1)); err != nil {
		t.Errorf("first after the second: %v", err)
	}
	s.Close()
	mustOpen(t, path)
}

func TestFileIsReadableByItsOwnerAlone(t *testing.T) {
	path := tempPath(t)
	s := mustOpen(t, path)
	if err := s.SavePipe(ctx, somePipe(t, "x", 1)); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(path + "*")
	for _, name := range names {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", name, st.Mode(), err)
		}
	}
}

func TestFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	path := tempPath(t)
	filled(t, path)
	s, err := open(ctx, path, migrations, "max_page_count(1)") // SQLite takes the size that the file has
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept, err := s.Pipes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	full := false
	for i := 0; i < 1000 && !full; i++ {
		p := somePipe(t, "", byte(i))
		switch err := s.SavePipe(ctx, p); {
		case err == nil:
			kept = append(kept, p)
		case wire.CodeOf(err) == wire.Internal && strings.Contains(err.Error(), "the disk is full") && strings.Contains(wire.NextOf(err), "free space"):
			full = true
		default:
			t.Fatalf("error %v, next %q", err, wire.NextOf(err))
		}
	}
	if !full {
		t.Fatal("the disk never filled")
	}
	if all, err := s.Pipes(ctx); err != nil || len(all) != len(kept) {
		t.Errorf("%d pipes, want %d: %v", len(all), len(kept), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path)
	if all, err := s.Pipes(ctx); err != nil || len(all) != len(kept) {
		t.Errorf("after reopening %d pipes, want %d: %v", len(all), len(kept), err)
	}
	if err := s.SavePipe(ctx, somePipe(t, "there is space again", 1)); err != nil {
		t.Error(err)
	}
}

// version1 is the schema as the first version has made it, in a file.
func version1(t *testing.T, path string, p pipe.Pipe) {
	t.Helper()
	text, err := os.ReadFile("testdata/version1.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO pipes VALUES (?, ?, ?, ?)", p.ID.Bytes(), p.Name, p.Advertisement.Bytes(), p.Created.UnixMilli()); err != nil {
		t.Fatal(err)
	}
}

func TestVersion1IsMigratedWithItsData(t *testing.T) {
	path, p := tempPath(t), somePipe(t, "old", 1)
	version1(t, path, p)
	s := mustOpen(t, path)
	if got, err := s.PipeByName(ctx, "old"); err != nil || got.ID != p.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.PutRule(ctx, someRules()[0]); err != nil { // a table that version 1 had not
		t.Error(err)
	}
	s.Close()

	next := append(migrations[:len(migrations):len(migrations)], "ALTER TABLE pipes ADD COLUMN note TEXT")
	s, err := open(ctx, path, next, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var note sql.NullString
	var version int
	if err := s.db.QueryRow("SELECT note FROM pipes WHERE name = 'old'").Scan(&note); err != nil {
		t.Error(err)
	}
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != len(next) {
		t.Errorf("version %d, %v", version, err)
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	path, p := tempPath(t), somePipe(t, "old", 1)
	version1(t, path, p)
	mustOpen(t, path).Close()
	broken := append(migrations[:len(migrations):len(migrations)], "CREATE TABLE extra (x); SELECT nonsense FROM nowhere")
	if _, err := open(ctx, path, broken, ""); wire.CodeOf(err) != wire.Internal {
		t.Errorf("error %v", err)
	}
	s := mustOpen(t, path)
	var n int
	if err := s.db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").Scan(&n); err != nil || n != 0 {
		t.Errorf("half a migration stayed: %d, %v", n, err)
	}
}

func TestNewerVersionIsRefusedAndLeftAsItIs(t *testing.T) {
	path := tempPath(t)
	newer := append(migrations[:len(migrations):len(migrations)], "CREATE TABLE later (x)")
	s, err := open(ctx, path, newer, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	before, _ := os.ReadFile(path)
	if _, err := Open(ctx, path); wire.CodeOf(err) != wire.Unsupported || wire.NextOf(err) == "" {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file has changed")
	}
}

func TestEndedContextIsNotAFaultOfTheStore(t *testing.T) {
	s := mustOpen(t, "")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.SavePipe(ended, somePipe(t, "x", 1)); wire.CodeOf(err) != wire.Closed {
		t.Errorf("error %v is %v", err, wire.CodeOf(err))
	}
}
