package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// pair is alice's device and another, with their journals, in one session.
type pair struct {
	t          *testing.T
	alice, bob identity.Principal
	a, b       *journal
	x, y       *end
}

// newPair makes two devices: of one account, or of alice and bob.
func newPair(t *testing.T) *pair {
	return &pair{
		t: t, alice: account(t, "alice"), bob: account(t, "bob"),
		a: newJournal(device(t, "a"), 1), b: newJournal(device(t, "b"), 2),
	}
}

func (p *pair) join(own bool) {
	is := func(d identity.Principal) func(identity.Principal) bool {
		return func(o identity.Principal) bool { return o == d }
	}
	p.x, p.y = join(p.a, p.b,
		Config{Self: p.a.self, Own: own, With: p.bob, Ours: is(p.a.self), Theirs: is(p.b.self)},
		Config{Self: p.b.self, Own: own, With: p.alice, Ours: is(p.b.self), Theirs: is(p.a.self)})
}

// take has an end take all that has arrived, and reports whether there was any.
func (p *pair) take(x *end) bool {
	p.t.Helper()
	for any := false; ; any = true {
		taken, err := x.take(func(k Key) { x.Mine(k, x.j.logs[k].Run()) })
		if err != nil {
			p.t.Fatal(err)
		}
		if !taken {
			return any
		}
	}
}

// settle lets both ends speak until nothing moves.
func (p *pair) settle() {
	p.t.Helper()
	for moved := true; moved; {
		moved = p.x.send()
		moved = p.y.send() || moved
		moved = p.take(p.x) || moved
		moved = p.take(p.y) || moved
	}
}

func (p *pair) writeA(text string) Entry {
	e := p.a.write(p.bob, Text, text)
	if p.x != nil {
		p.x.Mine(e.Key, p.a.logs[e.Key].Run())
	}
	return e
}

func (x *end) did(a Action) int {
	n := 0
	for _, do := range x.seen {
		if do.Do == a {
			n++
		}
	}
	return n
}

func TestReconnectSendsNothingTwice(t *testing.T) {
	p := newPair(t)
	for i := range 100 {
		p.writeA(fmt.Sprint(i))
	}
	for range 3 {
		p.join(false)
		p.settle()
		if p.y.dups != 0 {
			t.Fatalf("%d entries came again", p.y.dups)
		}
		p.writeA("more")
		p.settle()
	}
	if got := p.y.did(Store); got != 1 {
		t.Errorf("%d entries came in the last session, want 1", got)
	}
	for key, l := range p.b.logs {
		if l.Low != 1 || l.High != 103 {
			t.Errorf("held %d to %d of %v", l.Low, l.High, key)
		}
	}
}

// TestFirstMessageOfALogTakesOneWay: in a session that stands nothing is asked
// before the first entry of a new log is sent.
func TestFirstMessageOfALogTakesOneWay(t *testing.T) {
	p := newPair(t)
	p.join(false)
	p.settle()
	p.writeA("hello")
	p.x.send()
	p.x.send()
	p.take(p.y) // adopts; the entry came with the declaration
	if p.y.did(Store) != 1 {
		t.Error("the entry waits for an answer")
	}
}

// TestHistoryDoesNotHoldUpNews: a device that was added yesterday gets what was
// said last at once, what is new before what is old, and in the end everything.
func TestHistoryDoesNotHoldUpNews(t *testing.T) {
	p := newPair(t)
	body := strings.Repeat("x", 900)
	for range 5000 {
		p.writeA(body)
	}
	p.join(true)
	p.x.send()
	p.y.send()
	p.take(p.x)
	p.take(p.y) // declares its empty run
	p.y.send()
	p.take(p.x)
	p.x.send()
	p.take(p.y)
	key := sortedKeys(p.b.logs)[0]
	if l := p.b.logs[key]; l.Low != 5000-Tail+1 || l.High != 5000 {
		t.Fatalf("after a round trip %d to %d are held", l.Low, l.High)
	}
	for range 50 { // as much as goes without being acknowledged
		p.x.send()
	}
	if size := len(p.x.far.in); size > backWindow+2*quantum {
		t.Errorf("%d bytes of history are under way", size)
	}
	p.writeA("live")
	before := len(p.x.far.in)
	p.x.send()
	if sent := p.x.far.in[before:]; !strings.Contains(string(sent), "live") {
		t.Error("history goes before news")
	}
	p.settle()
	if l := p.b.logs[key]; l.Low != 1 || l.High != 5001 || len(p.b.entries[key]) != 5001 || p.y.dups != 0 {
		t.Errorf("%d to %d are held, %d came again", l.Low, l.High, p.y.dups)
	}
}

func TestWindowEndsWithTheAcknowledgement(t *testing.T) {
	p := newPair(t)
	p.b.adopt(Key{}, Run{Low: 1})
	for range Tail {
		p.writeA("x")
	}
	p.join(false)
	p.settle()
	for range 3000 {
		p.writeA(strings.Repeat("x", 1000))
	}
	for p.x.send() {
	}
	if size := len(p.y.in); size < window || size > window+2*quantum || !p.x.Waiting() {
		t.Errorf("%d bytes are under way", size)
	}
	p.settle()
	if p.x.Waiting() || p.x.upBytes != 0 || p.x.downBytes != 0 {
		t.Errorf("%d and %d bytes are under way when all is acknowledged", p.x.upBytes, p.x.downBytes)
	}
}

// TestRestoredBackup: a device comes back with an older journal, writes counters
// again, and meets another that holds them with another content.
func TestRestoredBackup(t *testing.T) {
	for _, row := range []struct {
		name          string
		own           bool
		lost, written int // after the backup, and after it was restored
		forked        bool
	}{
		{"nothing written since", false, 5, 0, false},
		{"shorter than elsewhere", false, 5, 3, true},
		{"as long as elsewhere", false, 5, 5, true},
		{"longer than elsewhere", false, 5, 9, true},
		{"own device, nothing written since", true, 5, 0, false},
		{"own device, longer", true, 5, 9, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPair(t)
			first := p.writeA("first")
			p.join(row.own)
			p.settle()
			backup := p.a.copy(77)
			for i := range row.lost {
				p.writeA(fmt.Sprint("lost ", i))
			}
			p.settle()
			p.a = backup
			p.x = nil
			for i := range row.written {
				p.writeA(fmt.Sprint("written ", i))
			}
			p.join(row.own)
			p.settle()
			for _, e := range []*end{p.x, p.y} {
				if forked := e.did(Split)+e.did(Stopped) > 0; forked != row.forked {
					t.Errorf("forked: %v, want %v", forked, row.forked)
				}
				if e.Waiting() {
					t.Error("something waits for ever")
				}
			}
			there := func(e Entry) Key { // as the other device calls the log
				if !row.own {
					e.With = p.alice
				}
				return e.Key
			}
			if got := string(p.b.entries[there(first)][3].Body); got != "lost 1" {
				t.Errorf("the other device holds %q where it held %q first", got, "lost 1")
			}
			after := p.writeA("after")
			if after.Author == first.Author || after.Counter != 1 {
				t.Fatalf("the log goes on: %d in the epoch it had", after.Counter)
			}
			p.settle()
			if got := p.b.entries[there(after)][1]; string(got.Body) != "after" {
				t.Errorf("the new epoch does not arrive")
			}
			if restored := len(p.a.entries[first.Key]) == 1+row.lost; row.own && !row.forked && !restored {
				t.Errorf("%d entries at home, what was lost does not come back", len(p.a.entries[first.Key]))
			}
		})
	}
}

// TestBadFarSide: what no honest side sends ends the session with its word, and
// nothing of it is held.
func TestBadFarSide(t *testing.T) {
	mine, theirs, stranger := device(t, "a"), device(t, "b"), device(t, "stranger")
	id := func(after int, random uint64) ID { return MakeID(StampAt(time.Unix(1e9, 0))+Stamp(after), random) }
	text := func(counter uint64, id ID, body string) frame {
		return frame{typ: frameEntry, entry: Entry{Counter: counter, ID: id, Kind: Text, Body: []byte(body)}}
	}
	hello := frame{typ: frameHello, version: version}
	conversation := frame{typ: frameConversation}
	author := func(d identity.Principal, low, high uint64) frame {
		f := frame{typ: frameAuthor, author: Author{Device: d, Epoch: 9}, run: Run{Low: low, High: high}}
		if high >= low {
			f.run.Tag = id(int(high), high).Tag()
		}
		return f
	}
	have := func(low, high uint64) frame {
		return frame{typ: frameHave, run: Run{Low: low, High: high, Tag: id(int(high), high).Tag()}}
	}
	start := []frame{hello, conversation, author(theirs, 1, 3), text(1, id(1, 1), "one"), text(2, id(2, 2), "two")}
	for _, row := range []struct {
		name   string
		frames []frame
		word   wire.Code
		held   int
	}{
		{"honest", append(start, text(3, id(3, 3), "three"), text(4, id(4, 4), "four")), wire.OK, 4},
		{"repeats", append(start, text(1, id(1, 1), "one"), text(2, id(2, 2), "two")), wire.OK, 2},
		{"no HELLO", []frame{conversation}, wire.BadRequest, 0},
		{"two HELLOs", []frame{hello, hello}, wire.BadRequest, 0},
		{"another version", []frame{{typ: frameHello, version: 2}}, wire.Unsupported, 0},
		{"unknown frame", []frame{hello, {typ: 10}}, wire.Unsupported, 0},
		{"unknown frame to be skipped", []frame{hello, {typ: 200}}, wire.OK, 0},
		{"a conversation with somebody else", []frame{hello, {typ: frameConversation, with: account(t, "carol")}}, wire.Forbidden, 0},
		{"two conversations", []frame{hello, conversation, conversation}, wire.Limit, 0},
		{"author of no conversation", []frame{hello, author(theirs, 1, 1)}, wire.BadRequest, 0},
		{"author twice", []frame{hello, conversation, author(theirs, 1, 1), author(theirs, 1, 1)}, wire.BadRequest, 0},
		{"entry of no author", []frame{hello, conversation, text(1, id(1, 1), "x")}, wire.BadRequest, 0},
		{"have of no author", []frame{hello, conversation, have(1, 1)}, wire.BadRequest, 0},
		{"less than before", append(start, have(1, 2)), wire.BadRequest, 2},
		{"gap", append(start, text(5, id(5, 5), "x")), wire.BadRequest, 2},
		{"gap within what it says it holds", append(start, have(1, 100), text(50, id(50, 50), "x")), wire.BadRequest, 2},
		{"stamp that does not rise", append(start, text(3, id(2, 3), "x"), text(4, id(4, 4), "x")), wire.OK, 2},
		{"ID of the entry before", append(start, text(3, id(2, 2), "two")), wire.OK, 2},
		{"ID with another content", append(start, text(2, id(2, 2), "another")), wire.BadRequest, 2},
		{"counter with another ID", append(start, text(2, id(2, 99), "two"), text(3, id(3, 3), "x")), wire.OK, 2},
		{"entry in a stranger's name", []frame{hello, conversation, author(stranger, 1, 1), text(1, id(1, 1), "x")}, wire.Forbidden, 0},
		{"entry in this device's name", []frame{hello, conversation, author(mine, 1, 1), text(1, id(1, 1), "x")}, wire.Forbidden, 0},
		{"stop of no author", []frame{hello, {typ: frameStop}}, wire.BadRequest, 0},
		{"stop, and goes on", append(start, frame{typ: frameStop, code: wire.Limit}, text(3, id(3, 3), "x")), wire.OK, 2},
		{"bye", []frame{hello, {typ: frameBye, code: wire.Busy}}, wire.Busy, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPair(t)
			p.join(false)
			for _, f := range row.frames {
				p.x.in = f.append(p.x.in)
			}
			var err error
			for taken := true; taken && err == nil; {
				taken, err = p.x.take(func(k Key) { p.x.Mine(k, p.a.logs[k].Run()) })
			}
			if got := wire.CodeOf(err); got != row.word {
				t.Errorf("ended with %v (%v), want %v", got, err, row.word)
			}
			held := 0
			for _, entries := range p.a.entries {
				held += len(entries)
			}
			if held != row.held {
				t.Errorf("%d entries are held, want %d", held, row.held)
			}
		})
	}
}

// TestTooManyDeclarationsAreRefused: what a far side declares takes memory.
func TestTooManyDeclarationsAreRefused(t *testing.T) {
	p := newPair(t)
	p.join(false)
	f := frame{typ: frameHello, version: version}
	p.x.in = f.append(nil)
	f = frame{typ: frameConversation}
	p.x.in = f.append(p.x.in)
	for i := range uint64(maxDeclared + 1) {
		f := frame{typ: frameAuthor, author: Author{Device: p.b.self, Epoch: i}, run: Run{Low: 1}}
		p.x.in = f.append(p.x.in)
	}
	var err error
	for taken := true; taken && err == nil; {
		taken, err = p.x.take(func(Key) {})
	}
	if wire.CodeOf(err) != wire.Limit || len(p.x.streams) > maxDeclared {
		t.Errorf("ended with %v, %d streams", err, len(p.x.streams))
	}
}

// TestDeviceOfYesterday: entries of a device that the far side cannot know yet go
// after the device log that names it.
func TestDeviceOfYesterday(t *testing.T) {
	p := newPair(t)
	added := device(t, "added")
	known := []identity.Principal{p.a.self}
	ours := func(d identity.Principal) bool { return slices.Contains(known, d) }
	p.x, p.y = join(p.a, p.b,
		Config{Self: p.a.self, With: p.bob, Ours: ours, Theirs: func(identity.Principal) bool { return false }},
		Config{Self: p.b.self, With: p.alice, Ours: func(identity.Principal) bool { return false }, Theirs: ours})
	p.settle()
	key := Key{With: p.bob, Author: Author{Device: added, Epoch: 1}}
	p.a.adopt(key, Run{Low: 1, High: 1})
	p.a.append(Entry{Key: key, Counter: 1, ID: MakeID(1, 1), Kind: Text, Body: []byte("x")})
	p.x.Mine(key, p.a.logs[key].Run())
	p.settle()
	if p.y.did(Store) != 0 {
		t.Fatal("sent before the far side can know")
	}
	known = append(known, added)
	p.x.Show([]byte("the log"))
	p.settle()
	if p.y.did(LogShown) != 1 || p.y.did(Store) != 1 {
		t.Errorf("%+v", p.y.seen)
	}
}

// TestPromiseOfADeviceThatIsGone: a device that was told of a long log and got
// nothing of it takes what others have.
func TestPromiseOfADeviceThatIsGone(t *testing.T) {
	p := newPair(t)
	e := p.writeA("one")
	p.b.adopt(e.Key, Run{Low: 1, High: 1000}) // by somebody who has gone
	p.join(true)
	p.settle()
	p.writeA("two")
	p.settle()
	if l := p.b.logs[e.Key]; l.Low != 1 || l.High != 2 {
		t.Errorf("%d to %d are held", l.Low, l.High)
	}
	if p.x.Waiting() || p.y.Waiting() {
		t.Error("something waits for ever")
	}
}
