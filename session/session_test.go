package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/panpipe-net/panpipe/node/store"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
	"github.com/panpipe-net/panpipe/session/replica"
)

// history is what a node shows of its conversation with an account.
func (n *node) history(t testing.TB, with *person) (texts []string) {
	t.Helper()
	page, err := n.Page(ctx, with.account, replica.ID{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Backward(page) {
		texts = append(texts, string(s.Body))
	}
	return texts
}

func TestAllDevicesShowTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, bob := newPerson(t, "alice", 2), newPerson(t, "bob", 1)
		laptop, phone, b := newNode(t, alice, 0, ""), newNode(t, alice, 1, ""), newNode(t, bob, 0, "")
		laptop.say(t, bob, "while you were away", "and again")
		m := pipe(laptop, b)
		synctest.Wait()
		time.Sleep(time.Minute)
		b.say(t, alice, "I am back")
		synctest.Wait()
		m.end()
		own := pipe(laptop, phone) // added only now
		synctest.Wait()
		third := pipe(phone, b)
		time.Sleep(time.Minute)
		phone.say(t, bob, "from the phone")
		synctest.Wait()
		time.Sleep(time.Minute)
		b.say(t, alice, "to both")
		synctest.Wait()
		want := []string{"while you were away", "and again", "I am back", "from the phone", "to both"}
		for i, got := range [][]string{laptop.history(t, bob), phone.history(t, bob), b.history(t, alice)} {
			if !slices.Equal(got, want) {
				t.Errorf("device %d shows %q", i, got)
			}
		}
		if got := len(laptop.texts()) + len(phone.texts()) + len(b.texts()); got != 3*len(want) {
			t.Errorf("observers were told of %d entries, want %d", got, 3*len(want))
		}
		for key, high := range b.held {
			if key.Author.Device == b.device && high != 2 {
				t.Errorf("Bob knows that alice holds %d of his entries", high)
			}
		}
		own.end()
		third.end()
		if err := own.errs[0]; wire.CodeOf(err) != wire.Closed {
			t.Errorf("a session that was ended says %v", err)
		}
	})
}

func TestMarksAndStateReachAllDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, bob := newPerson(t, "alice", 2), newPerson(t, "bob", 1)
		laptop, phone, b := newNode(t, alice, 0, ""), newNode(t, alice, 1, ""), newNode(t, bob, 0, "")
		meetings := []*meeting{pipe(laptop, phone), pipe(laptop, b)}
		b.say(t, alice, "one", "two")
		synctest.Wait()
		author := b.added[0].Author
		mark := func(n *node, kind replica.Kind, counter uint64) {
			t.Helper()
			marks := []replica.Mark{{Author: author, Counter: counter}}
			if _, err := n.Write(ctx, bob.account, replica.Draft{Kind: kind, Body: replica.AppendMarks(nil, marks)}); err != nil {
				t.Fatal(err)
			}
		}
		mark(laptop, replica.Delivered, 2)
		mark(phone, replica.Read, 1)
		mark(laptop, replica.Read, 2)
		for i, n := range []*node{laptop, b} {
			if _, err := n.Write(ctx, []*person{bob, alice}[i].account, replica.Draft{Kind: replica.State, Body: []byte{byte(i + 1)}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for i, n := range []*node{laptop, phone, b} {
			with := []*person{bob, bob, alice}[i].account
			both, err := n.Marks(ctx, with, replica.Read, alice.has)
			if err != nil || both[author] != 2 {
				t.Errorf("node %d: alice has read %v, %v", i, both, err)
			}
			one, err := n.Marks(ctx, with, replica.Read, func(d identity.Principal) bool { return d == phone.device })
			if err != nil || i < 2 && one[author] != 1 {
				t.Errorf("node %d: the phone has read %v, %v", i, one, err)
			}
			if state, err := n.State(ctx, with); err != nil || string(state) != "\x02" {
				t.Errorf("node %d: state %x, %v", i, state, err)
			}
		}
		for _, m := range meetings {
			m.end()
		}
	})
}

// lone runs a session against a connection that the test has in its hands.
func lone(n, far *node, conn net.Conn) (ended chan error) {
	ended = make(chan error, 1)
	go func() { ended <- n.Run(ctx, conn, n.sees(far)) }()
	return ended
}

func TestFarSideThatStandsStillIsLeft(t *testing.T) {
	for name, reads := range map[string]bool{"reads and says nothing": true, "does not even read": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
				a, b := newNode(t, alice, 0, ""), newNode(t, bob, 0, "")
				a.say(t, bob, "hello")
				x, y := net.Pipe()
				defer y.Close()
				start := time.Now()
				ended := lone(a, b, x)
				if reads {
					go io.Copy(io.Discard, y)
				}
				err := <-ended
				if took := time.Since(start); wire.CodeOf(err) != wire.Timeout || took < stall || took > stall+parting {
					t.Errorf("ended after %v with %v", took, err)
				}
			})
		})
	}
}

func TestIdleSessionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
		a, b := newNode(t, alice, 0, ""), newNode(t, bob, 0, "")
		m := pipe(a, b)
		for range 3 {
			a.say(t, bob, "hello")
			time.Sleep(24 * time.Hour)
		}
		if got := b.history(t, alice); len(got) != 3 {
			t.Errorf("%q", got)
		}
		m.end()
	})
}

func TestBrokenProtocolIsAnsweredWithItsWord(t *testing.T) {
	for name, row := range map[string]struct {
		hex  string
		word wire.Code
	}{
		"no HELLO":                {"0500", wire.BadRequest},
		"10 MB":                   {"0102010007" + "80808005", wire.TooLarge},
		"an entry of no author":   {"01020100" + "0715" + "0001" + strings.Repeat("01", 16) + "010078", wire.BadRequest},
		"a frame nobody knows":    {"010201000a00", wire.Unsupported},
		"text that is not UTF-8":  {"01020100" + "0715" + "0001" + strings.Repeat("01", 16) + "0100ff", wire.BadRequest},
		"another account's words": {"01020100" + "0301" + "02", wire.BadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
				a, b := newNode(t, alice, 0, ""), newNode(t, bob, 0, "")
				x, y := net.Pipe()
				ended := lone(a, b, x)
				raw, err := hex.DecodeString(row.hex)
				if err != nil {
					t.Fatal(err)
				}
				go y.Write(raw)
				answer, _ := io.ReadAll(y)
				err = <-ended
				if wire.CodeOf(err) != row.word || a.Stats().Refused != 1 {
					t.Errorf("ended with %v, %+v", err, a.Stats())
				}
				if bye := replica.Bye(err); !strings.HasSuffix(string(answer), string(bye)) {
					t.Errorf("answered %x, want %x at the end", answer, bye)
				}
				if len(a.journal.Runs()) != 0 {
					t.Error("something is held")
				}
			})
		})
	}
}

// full is a journal whose disk is full.
type full struct{ *store.Journal }

func (full) Append(context.Context, []replica.Entry) ([]replica.Verdict, error) {
	return nil, wire.Errorf(wire.Internal, "the disk is full")
}

func TestFullDiskIsToldAndNothingIsAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
		a, b := newNode(t, alice, 0, ""), newNode(t, bob, 0, "")
		b.cfg.Journal = full{b.journal}
		a.say(t, bob, "hello")
		m := pipe(a, b)
		m.done.Wait()
		if err := m.errs[0]; wire.CodeOf(err) != wire.Internal || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("the sender is told %v", err)
		}
		if len(a.held) != 0 {
			t.Errorf("acknowledged: %v", a.held)
		}
		b.cfg.Journal = b.journal // space was freed
		m = pipe(a, b)
		synctest.Wait()
		if got := b.history(t, alice); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("%q", got)
		}
		m.end()
	})
}

// TestFullConversationStopsNothingElse: who fills a conversation is told, and the
// session goes on with everything else.
func TestFullConversationStopsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
		a, b := newNode(t, alice, 0, ""), newSmallNode(t, bob, 0, "", 2000)
		m := pipe(a, b)
		for range 10 {
			a.say(t, bob, strings.Repeat("x", 400))
			synctest.Wait()
		}
		for _, n := range []*node{a, b} {
			if len(n.stops) != 1 || wire.CodeOf(n.stops[0]) != wire.Limit {
				t.Errorf("told: %v", n.stops)
			}
		}
		time.Sleep(time.Hour)
		b.say(t, alice, "you talk too much")
		synctest.Wait()
		if got := a.history(t, bob); len(got) != 11 {
			t.Errorf("%d messages, want 11", len(got))
		}
		if got := b.history(t, alice); len(got) != 5 {
			t.Errorf("%d messages, want 5", len(got))
		}
		m.end()
	})
}

// TestJournalFromABackup: a device whose journal was put back to an older state
// is found out, keeps writing in a new epoch, and nothing that others hold changes.
func TestJournalFromABackup(t *testing.T) {
	alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "a.db"), filepath.Join(dir, "backup.db")
	synctest.Test(t, func(t *testing.T) {
		a, b := newNode(t, alice, 0, path), newNode(t, bob, 0, "")
		a.say(t, bob, "one")
		a.journal.Close()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(backup, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		a = newNode(t, alice, 0, path)
		a.say(t, bob, "two", "three")
		m := pipe(a, b)
		synctest.Wait()
		m.end()

		time.Sleep(time.Second)
		a = newNode(t, alice, 0, backup)
		a.say(t, bob, "another two")
		m = pipe(a, b)
		synctest.Wait()
		a.say(t, bob, "and on")
		synctest.Wait()
		m.end()
		if got := b.history(t, alice); !slices.Equal(got, []string{"one", "two", "three", "and on"}) {
			t.Errorf("Bob shows %q", got)
		}
		for _, n := range []*node{a, b} {
			if len(n.stops) != 1 || wire.CodeOf(n.stops[0]) != wire.Taken || n.Stats().Stopped != 1 {
				t.Errorf("told: %v, %+v", n.stops, n.Stats())
			}
		}
	})
}

// TestCutsLoseAndDoubleNothing runs over real sockets, which are cut again and
// again while both sides write.
func TestCutsLoseAndDoubleNothing(t *testing.T) {
	alice, bob := newPerson(t, "alice", 1), newPerson(t, "bob", 1)
	dir := t.TempDir()
	a, b := newNode(t, alice, 0, filepath.Join(dir, "a.db")), newNode(t, bob, 0, filepath.Join(dir, "b.db"))
	const rounds, each = 6, 100
	for round := range rounds {
		x, y := sockets(t)
		m := meet(a, b, x, y)
		for i := range each {
			a.say(t, bob, fmt.Sprint("a", round*each+i))
			b.say(t, alice, fmt.Sprint("b", round*each+i))
		}
		if round%2 == 0 {
			x.Close() // with whatever is under way
		}
		m.end()
	}
	x, y := sockets(t)
	m := meet(a, b, x, y)
	for _, n := range []*node{a, b} {
		n.until(func() bool { return len(n.added) >= 2*rounds*each })
	}
	m.end()
	for _, n := range []*node{a, b} {
		next := map[string]int{}
		for _, text := range n.texts() {
			who := text[:1]
			if text != fmt.Sprint(who, next[who]) {
				t.Fatalf("%s after %d of %s", text, next[who], who)
			}
			next[who]++
		}
		if next["a"] != rounds*each || next["b"] != rounds*each {
			t.Errorf("arrived: %v", next)
		}
	}
}
