package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

func someAccount(t testing.TB) identity.Principal {
	t.Helper()
	_, pub, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.AccountPrincipal(pub)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func someDevice(t testing.TB) identity.Principal {
	t.Helper()
	b := someAccount(t).Bytes()
	b[0] = byte(identity.KindPeer)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// noon is the clock of the tests.
func noon() time.Time { return time.UnixMilli(1_700_000_000_000) }

func mustJournal(t testing.TB, path string, self identity.Principal) *Journal {
	t.Helper()
	j, err := OpenJournal(ctx, JournalConfig{Path: path, Self: self, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func texts(shown []replica.Shown) (all []string) {
	for _, s := range shown {
		all = append(all, string(s.Body))
	}
	return all
}

func mustWrite(t testing.TB, j *Journal, with identity.Principal, text string) replica.Entry {
	t.Helper()
	e, err := j.Write(ctx, with, 1, replica.Draft{Kind: replica.Text, Body: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return e[0]
}

// foreign is an entry of another device's log, stamped so long after noon.
func foreign(key replica.Key, counter uint64, after time.Duration, text string) replica.Entry {
	return replica.Entry{
		Key: key, Counter: counter, ID: replica.MakeID(replica.StampAt(noon().Add(after))+replica.Stamp(counter), counter),
		Kind: replica.Text, Sent: 1, Body: []byte(text),
	}
}

// verdict appends one entry.
func verdict(t testing.TB, j *Journal, e replica.Entry) replica.Verdict {
	t.Helper()
	v, err := j.Append(ctx, []replica.Entry{e})
	if err != nil {
		t.Fatal(err)
	}
	return v[0]
}

func TestWhatIsWrittenIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	self, bob := someDevice(t), someAccount(t)
	j := mustJournal(t, path, self)
	var first replica.Entry
	for i := range 200 {
		if e := mustWrite(t, j, bob, fmt.Sprint(i)); i == 0 {
			first = e
		}
	}
	runs := j.Runs()
	j.Close()
	j = mustJournal(t, path, self)
	if got := j.Runs(); len(got) != 1 || got[first.Key] != runs[first.Key] || got[first.Key].High != 200 {
		t.Fatalf("runs %+v, before %+v", got, runs)
	}
	if e := mustWrite(t, j, bob, "more"); e.Counter != 201 || e.Key != first.Key {
		t.Errorf("the next entry is %d of %v, want 201 of %v", e.Counter, e.Key, first.Key)
	}
	page, err := j.Page(ctx, bob, replica.ID{}, 3)
	if err != nil || !slices.Equal(texts(page), []string{"more", "199", "198"}) {
		t.Fatalf("page %q, %v", texts(page), err)
	}
	page, err = j.Page(ctx, bob, page[2].Place, 2)
	if err != nil || !slices.Equal(texts(page), []string{"197", "196"}) {
		t.Errorf("next page %q, %v", texts(page), err)
	}
	up, err := j.Read(ctx, first.Key, 5, false, 1)
	if err != nil || len(up) != 1 || !up[0].Same(&replica.Entry{ID: up[0].ID, Kind: replica.Text, Sent: 1, Body: []byte("4")}) {
		t.Errorf("read %+v, %v", up, err)
	}
	down, err := j.Read(ctx, first.Key, 2, true, 1000)
	if err != nil || len(down) != 2 || down[0].Counter != 2 {
		t.Errorf("read down %+v, %v", down, err)
	}
}

func TestJournalDecidesWhatIsNew(t *testing.T) {
	j := mustJournal(t, "", someDevice(t))
	key := replica.Key{With: someAccount(t), Author: replica.Author{Device: someDevice(t), Epoch: 7}}
	if v := verdict(t, j, foreign(key, 1, 0, "x")); v != replica.Apart {
		t.Errorf("an unknown log: %d", v)
	}
	if run, err := j.Adopt(key, replica.Run{Low: 1, High: 100}); err != nil || run != (replica.Run{Low: 69, High: 68}) {
		t.Fatalf("adopted %+v, %v", run, err)
	}
	forged := foreign(key, 70, 0, "x")
	forged.ID[15] ^= 1
	altered := foreign(key, 70, 0, "another")
	early := foreign(key, 71, -time.Hour, "x")
	late := foreign(key, 68, time.Hour, "x")
	for i, row := range []struct {
		e    replica.Entry
		want replica.Verdict
	}{
		{foreign(key, 100, 0, "x"), replica.Apart},
		{foreign(key, 68, 0, "x"), replica.Apart}, // nothing is held yet to which it would be older
		{foreign(key, 69, 0, "x"), replica.Stored},
		{foreign(key, 70, 0, "x"), replica.Stored},
		{foreign(key, 70, 0, "x"), replica.Repeated},
		{forged, replica.Forked},
		{altered, replica.Altered},
		{early, replica.Forked},
		{late, replica.Forked},
		{foreign(key, 68, 0, "x"), replica.Stored},
		{foreign(key, 68, 0, "x"), replica.Repeated},
		{foreign(key, 66, 0, "x"), replica.Apart},
		{foreign(key, 73, 0, "x"), replica.Apart},
	} {
		if v := verdict(t, j, row.e); v != row.want {
			t.Errorf("row %d: verdict %d, want %d", i, v, row.want)
		}
	}
	if run := j.Runs()[key]; run.Low != 68 || run.High != 70 {
		t.Errorf("held %+v", run)
	}
	if s := j.Stats(); s.Entries != 3 || s.Syncs != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestOneSyncServesAllWhoWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	synctest.Test(t, func(t *testing.T) {
		j := mustJournal(t, path, someDevice(t))
		bob := someAccount(t)
		// The first commit is held until all others wait.
		release := make(chan bool)
		var once sync.Once
		j.Watch(func([]replica.Entry, map[replica.Key]replica.Run) {
			once.Do(func() { <-release })
		})
		var all sync.WaitGroup
		for range 101 {
			all.Go(func() {
				if _, err := j.Write(ctx, bob, 1, replica.Draft{Kind: replica.Text, Body: []byte("x")}); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if s := j.Stats(); s.Entries != 101 || s.Syncs != 2 {
			t.Errorf("%+v, want 101 entries in 2 syncs", s)
		}
	})
}

func TestBrokenClockMovesNoOther(t *testing.T) {
	j := mustJournal(t, "", someDevice(t))
	bob := someAccount(t)
	key := replica.Key{With: bob, Author: replica.Author{Device: someDevice(t), Epoch: 7}}
	if _, err := j.Adopt(key, replica.Run{Low: 1, High: 4}); err != nil {
		t.Fatal(err)
	}
	decade := 10 * 365 * 24 * time.Hour
	for c := range uint64(4) { // the last one arrives first
		if v := verdict(t, j, foreign(key, c+1, decade, fmt.Sprint("future ", c+1))); v != replica.Stored {
			t.Fatalf("verdict %d", v)
		}
	}
	e := mustWrite(t, j, bob, "now")
	if !e.ID.Stamp().Within(noon()) {
		t.Error("a clock ten years ahead has moved this device's")
	}
	ahead := key
	ahead.Author.Epoch = 8
	if _, err := j.Adopt(ahead, replica.Run{Low: 1, High: 1}); err != nil {
		t.Fatal(err)
	}
	verdict(t, j, foreign(ahead, 1, 9*time.Minute, "nine minutes ahead"))
	if e := mustWrite(t, j, bob, "answer"); !(e.ID.Stamp() > replica.StampAt(noon().Add(9*time.Minute))) {
		t.Error("an answer is placed before what it answers")
	}
	page, err := j.Page(ctx, bob, replica.ID{}, 10)
	if want := []string{"answer", "nine minutes ahead", "future 4", "future 3", "future 2", "now", "future 1"}; err != nil || !slices.Equal(texts(page), want) {
		t.Errorf("shown %q, %v", texts(page), err)
	}
}

func TestOwnBrokenClockIsLeftWithANewEpoch(t *testing.T) {
	at := noon().Add(24 * time.Hour)
	j, err := OpenJournal(ctx, JournalConfig{Self: someDevice(t), Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	bob := someAccount(t)
	wrong := mustWrite(t, j, bob, "tomorrow")
	at = noon()
	right := mustWrite(t, j, bob, "today")
	if right.Author == wrong.Author || right.Counter != 1 {
		t.Errorf("the log goes on: %v %d after %v", right.Author, right.Counter, wrong.Author)
	}
}

func TestRenewedEpochIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	self, bob := someDevice(t), someAccount(t)
	j := mustJournal(t, path, self)
	first := mustWrite(t, j, bob, "a")
	if err := j.Renew(ctx, first.Key); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j = mustJournal(t, path, self)
	second := mustWrite(t, j, bob, "b")
	if second.Author.Epoch == first.Author.Epoch || second.Counter != 1 {
		t.Errorf("second %v %d", second.Author, second.Counter)
	}
	if err := j.Renew(ctx, first.Key); err != nil { // not the present one
		t.Fatal(err)
	}
	if third := mustWrite(t, j, bob, "c"); third.Key != second.Key || third.Counter != 2 {
		t.Errorf("third %v %d", third.Author, third.Counter)
	}
}

func TestMarksAreTheHighestOfEachDevice(t *testing.T) {
	j := mustJournal(t, "", someDevice(t))
	bob := someAccount(t)
	a := replica.Author{Device: someDevice(t), Epoch: 1}
	for _, c := range []uint64{3, 9, 5} {
		body := replica.AppendMarks(nil, []replica.Mark{{Author: a, Counter: c}})
		if _, err := j.Write(ctx, bob, 1, replica.Draft{Kind: replica.Read, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := j.Marks(ctx, bob)
	if err != nil || len(m) != 1 || m[0].Mark != (replica.Mark{Author: a, Counter: 9}) || m[0].Kind != replica.Read || m[0].Reader.Device != j.Self {
		t.Errorf("%+v, %v", m, err)
	}
	if page, err := j.Page(ctx, bob, replica.ID{}, 10); err != nil || len(page) != 0 {
		t.Errorf("marks are shown: %v, %v", page, err)
	}
}

func TestFullDiskLeavesTheJournalAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	self, bob := someDevice(t), someAccount(t)
	j := mustJournal(t, path, self)
	kept := mustWrite(t, j, bob, "kept")
	if _, err := j.s.db.Exec("PRAGMA max_page_count = 1"); err != nil { // that is: no more than it has
		t.Fatal(err)
	}
	long := make([]byte, 60_000)
	for i := range long {
		long[i] = 'x'
	}
	_, err := j.Write(ctx, bob, 1, replica.Draft{Kind: replica.Text, Body: long})
	if wire.CodeOf(err) != wire.Internal || wire.NextOf(err) == "" {
		t.Fatalf("error %v, next %q", err, wire.NextOf(err))
	}
	if _, err := j.s.db.Exec("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if e := mustWrite(t, j, bob, "again"); e.Counter != 2 || e.Key != kept.Key {
		t.Errorf("counter %d", e.Counter)
	}
}

func TestDamagedEntryIsReported(t *testing.T) {
	j := mustJournal(t, "", someDevice(t))
	bob := someAccount(t)
	e := mustWrite(t, j, bob, "a")
	if _, err := j.s.db.Exec("UPDATE entries SET record = CAST(substr(record, 1, length(record) - 5) || x'62' || substr(record, length(record) - 3) AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	var damaged *wire.Error
	if _, err := j.Read(ctx, e.Key, 1, false, 1); !errors.As(err, &damaged) || damaged.Code != wire.Internal || damaged.Next == "" {
		t.Errorf("read: %v", err)
	}
	if _, err := j.Page(ctx, bob, replica.ID{}, 1); !errors.As(err, &damaged) {
		t.Errorf("page: %v", err)
	}
}

func TestFullConversationTakesNoMoreOfOthers(t *testing.T) {
	j, err := OpenJournal(ctx, JournalConfig{Self: someDevice(t), Now: noon, ConversationBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	bob, long := someAccount(t), strings.Repeat("x", 400)
	key := replica.Key{With: bob, Author: replica.Author{Device: someDevice(t), Epoch: 7}}
	if _, err := j.Adopt(key, replica.Run{Low: 1, High: 4}); err != nil {
		t.Fatal(err)
	}
	var batch []replica.Entry
	for c := range uint64(3) {
		batch = append(batch, foreign(key, c+1, 0, long))
	}
	v, err := j.Append(ctx, batch)
	if want := []replica.Verdict{replica.Stored, replica.Stored, replica.Full}; err != nil || !slices.Equal(v, want) {
		t.Errorf("verdicts %v, %v", v, err)
	}
	mustWrite(t, j, bob, long) // what a person writes here is not lost
	if v := verdict(t, j, batch[2]); v != replica.Full {
		t.Errorf("verdict %d", v)
	}
}

func TestTooManyAuthorsAreRefused(t *testing.T) {
	j := mustJournal(t, "", someDevice(t))
	bob, d := someAccount(t), someDevice(t)
	var err error
	for i := range uint64(replica.MaxAuthors + 1) {
		_, err = j.Adopt(replica.Key{With: bob, Author: replica.Author{Device: d, Epoch: i}}, replica.Run{Low: 1, High: 1})
	}
	if wire.CodeOf(err) != wire.Limit {
		t.Errorf("error %v", err)
	}
	for range ownEpochs { // others leave this device room of its own
		if err := j.Renew(ctx, mustWrite(t, j, bob, "x").Key); err != nil {
			t.Fatal(err)
		}
	}
	last, again := mustWrite(t, j, bob, "x"), mustWrite(t, j, bob, "x")
	if last.Author != again.Author || again.Counter != last.Counter+1 || len(j.Runs()) != replica.MaxAuthors+ownEpochs {
		t.Errorf("%d logs, the last ends with %d and %d", len(j.Runs()), last.Counter, again.Counter)
	}
	mustWrite(t, j, someAccount(t), "elsewhere")
}

// TestDamagedJournalIsReported: whatever page of the file is overwritten, what
// is read is right or an error, and the program goes on.
func TestDamagedJournalIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), JournalName)
	self, bob := someDevice(t), someAccount(t)
	j := mustJournal(t, path, self)
	for i := range 500 {
		mustWrite(t, j, bob, fmt.Sprintf("message number %d", i))
	}
	j.Close()
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reported := 0
	for at := 0; at < len(sound); at += 4096 {
		b := slices.Clone(sound)
		copy(b[at:], bytes.Repeat([]byte{0xa5}, 4096))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readAll(t, path, self, bob); err != nil {
			reported++
			if wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), path) {
				t.Errorf("page %d: %v", at/4096, err)
			}
		}
	}
	if pages := len(sound) / 4096; reported < pages/2 {
		t.Errorf("%d of %d damaged pages were reported", reported, pages)
	}
}

// readAll reads a history of 500 messages and checks what comes.
func readAll(t *testing.T, path string, self, with identity.Principal) error {
	j, err := OpenJournal(ctx, JournalConfig{Path: path, Self: self, Now: noon})
	if err != nil {
		return err
	}
	defer j.Close()
	page, err := j.Page(ctx, with, replica.ID{}, 1000)
	if err == nil && len(page) != 500 {
		t.Errorf("%d messages, and no error", len(page))
	}
	return err
}
