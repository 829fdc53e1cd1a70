package store

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/session/replica"
)

// childJournal names the journal, device and account for the test binary when
// it is started as the child of TestKilledJournalLosesNothingAcknowledged.
const childJournal = "PANPIPE_JOURNAL_TEST_CHILD"

// foreignEpoch is of the log that the child holds of the other account.
const foreignEpoch = 99

// runJournalChild writes for ever, from several goroutines at once and in two
// logs, and says each counter once it is acknowledged.
func runJournalChild() {
	arg := os.Getenv(childJournal)
	if arg == "" {
		return
	}
	self, far := childNames()
	j, err := OpenJournal(ctx, JournalConfig{Path: filepath.Join(arg, JournalName), Self: self, Now: noon})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	say := func(log string, counter uint64, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Lock()
		defer out.Unlock()
		fmt.Println(log, counter)
	}
	for range 4 {
		go func() {
			for {
				e, err := j.Write(ctx, far, 1, replica.Draft{Kind: replica.Text, Body: []byte("own")}, replica.Draft{Kind: replica.Text, Body: []byte("own")})
				if err == nil {
					say("own", e[1].Counter, nil)
				} else {
					say("own", 0, err)
				}
			}
		}()
	}
	key := childForeign(far)
	run, err := j.Adopt(key, replica.Run{Low: 1, High: 1})
	for c := run.High + 1; ; c++ {
		var v []replica.Verdict
		if err == nil {
			v, err = j.Append(ctx, []replica.Entry{foreign(key, c, 0, "foreign"), foreign(key, c, 0, "foreign")})
		}
		if err == nil && (v[0] != replica.Stored || v[1] != replica.Repeated) {
			err = fmt.Errorf("verdicts %v at %d", v, c)
		}
		say("foreign", c, err)
	}
}

// childNames are the same device and account whenever the test runs.
func childNames() (self, far identity.Principal) {
	const device = "01002408011220d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	b, err := hex.DecodeString(device)
	if err == nil {
		self, err = identity.PrincipalFromBytes(b)
	}
	if err == nil {
		b[0] = byte(identity.KindAccount)
		far, err = identity.PrincipalFromBytes(b)
	}
	if err != nil {
		panic(err)
	}
	return self, far
}

func childForeign(far identity.Principal) replica.Key {
	self, _ := childNames()
	return replica.Key{With: far, Author: replica.Author{Device: self, Epoch: foreignEpoch}}
}

func TestKilledJournalLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	self, far := childNames()
	said := map[string]uint64{}
	for kill := range journalKills {
		killChild(t, dir, said)
		j := mustJournal(t, filepath.Join(dir, JournalName), self)
		for key, run := range j.Runs() {
			name := "own"
			if key.Author.Epoch == foreignEpoch {
				name = "foreign"
			}
			if run.Low != 1 || run.High < said[name] {
				t.Fatalf("kill %d: %s log holds %d to %d, acknowledged up to %d", kill, name, run.Low, run.High, said[name])
			}
			whole(t, j, key, run)
		}
		j.Close()
	}
	if said["own"] < uint64(journalKills) || said["foreign"] < uint64(journalKills) {
		t.Errorf("only %v entries were acknowledged", said)
	}
	t.Logf("%d kills, acknowledged %v, conversation with %v", journalKills, said, far)
}

// killChild starts a child, kills it at a random moment, and notes what it said.
func killChild(t *testing.T, dir string, said map[string]uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childJournal+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	most := 1 + rand.IntN(60)
	for lines, seen := bufio.NewScanner(out), 0; lines.Scan(); {
		var log string
		var counter uint64
		if _, err := fmt.Sscan(lines.Text(), &log, &counter); err != nil {
			continue // cut off by the kill
		}
		said[log] = max(said[log], counter)
		if seen++; seen == most {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
}

// whole checks that the end of a log is there, each counter once.
func whole(t *testing.T, j *Journal, key replica.Key, run replica.Run) {
	t.Helper()
	var rows, high int64
	if err := j.s.db.QueryRowContext(ctx, "SELECT count(*), max(counter) FROM entries WHERE author = (SELECT number FROM authors WHERE epoch = ?)",
		epochBytes(key.Author.Epoch)).Scan(&rows, &high); err != nil {
		t.Fatal(err)
	}
	if uint64(rows) != run.High || uint64(high) != run.High {
		t.Fatalf("%d rows up to %d, held %+v", rows, high, run)
	}
	last, err := j.Read(ctx, key, run.High, true, 1)
	if err != nil || len(last) != 1 || last[0].ID.Tag() != run.Tag {
		t.Fatalf("last entry %+v, %v; held %+v", last, err, run)
	}
}
