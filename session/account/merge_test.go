package account

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// drawProfile returns what a few devices made of an empty profile, each seeing
// the others' edits now and then.
func drawProfile(t *rapid.T, label string) Profile {
	var p [3]Profile
	for i := range rapid.IntRange(0, 12).Draw(t, label) {
		d := rapid.IntRange(0, 2).Draw(t, fmt.Sprint(label, i, "device"))
		if rapid.Bool().Draw(t, fmt.Sprint(label, i, "merge")) {
			p[d] = merged(t, p[d], p[(d+1)%3])
		}
		next, _, err := p[d].Edit(testPeer(t, byte(d+1)), drawChange(t, fmt.Sprint(label, i)))
		if err != nil && wire.CodeOf(err) != wire.Forbidden && wire.CodeOf(err) != wire.Unknown {
			t.Fatal(err)
		}
		p[d] = next
	}
	return p[rapid.IntRange(0, 2).Draw(t, label+"whose")]
}

func drawChange(t *rapid.T, label string) Change {
	buddy := testAccount(t, byte(rapid.IntRange(10, 12).Draw(t, label+"buddy")))
	n := byte(rapid.IntRange(1, 3).Draw(t, label+"n"))
	all := []Change{
		SetName(fmt.Sprint("name", n)), SetContact(Contact(n % 3)), SetPresence(testPresence(t, n)), NameDevice(testPeer(t, n), fmt.Sprint("device", n)),
		Add(buddy, Requested), Add(buddy, Accepted), Remove(buddy, testPresence(t, n)), Block(buddy, testPresence(t, n)), Unblock(buddy),
		SetPetname(buddy, fmt.Sprint("pet", n)), SetSecret(buddy, []byte{n}),
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, label+"change")]
}

// TestMergeIsASemilattice: the three laws, for histories that devices can have
// and for profiles whose stamps do not fit each other (a faulty device).
func TestMergeIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawProfile(t, "a"), drawProfile(t, "b"), drawProfile(t, "c")
		if !merged(t, a, b).Equal(merged(t, b, a)) {
			t.Fatal("not commutative")
		}
		if !merged(t, merged(t, a, b), c).Equal(merged(t, a, merged(t, b, c))) {
			t.Fatal("not associative")
		}
		ab := merged(t, a, b)
		if !merged(t, a, a).Equal(a) || !merged(t, ab, a).Equal(ab) || !merged(t, ab, b).Equal(ab) {
			t.Fatal("not idempotent")
		}
		if ab.Revision() < a.Revision() || ab.Revision() < b.Revision() {
			t.Fatal("the revision fell")
		}
	})
}

// TestDeltasSayWhatEditsDid: whoever merges the delta of an edit has made it.
func TestDeltasSayWhatEditsDid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProfile(t, "p")
		next, delta, err := p.Edit(testPeer(t, 1), drawChange(t, "x"), SetName("last"))
		if err != nil {
			return
		}
		if !merged(t, p, delta).Equal(next) {
			t.Fatal("the delta lacks something")
		}
		sent, err := ParseProfile(delta.Bytes())
		if err != nil || !sent.Equal(delta) {
			t.Fatalf("the delta does not travel: %v", err)
		}
		if again, none, err := next.Edit(testPeer(t, 2), SetName("last")); err != nil || !none.IsZero() || !again.Equal(next) {
			t.Fatal("the same value was written again")
		}
	})
}

func TestConcurrentEditsOfDifferentFieldsAreAllKept(t *testing.T) {
	laptop, phone := testPeer(t, 1), testPeer(t, 2)
	bob, carol := testAccount(t, 10), testAccount(t, 11)
	base := edited(t, Profile{}, laptop, Add(bob, Requested))
	a := edited(t, base, laptop, SetName("Alice"), Add(bob, Accepted), NameDevice(laptop, "laptop"))
	b := edited(t, base, phone, SetContact(ContactOff), Add(carol, Requested), SetPetname(bob, "Bobby"), NameDevice(phone, "phone"))
	m := merged(t, a, b)
	bobNow, _ := m.Buddy(bob)
	carolNow, _ := m.Buddy(carol)
	if m.Name() != "Alice" || m.Contact() != ContactOff || bobNow.State != Accepted || bobNow.Petname != "Bobby" || carolNow.State != Requested ||
		m.DeviceName(laptop) != "laptop" || m.DeviceName(phone) != "phone" || len(m.Buddies()) != 2 {
		t.Errorf("lost an edit: %+v", m)
	}
}

// TestHigherCounterThenDeviceWins: clocks have no say.
func TestHigherCounterThenDeviceWins(t *testing.T) {
	low, high := testPeer(t, 1), testPeer(t, 2)
	if low > high {
		low, high = high, low
	}
	base := edited(t, Profile{}, low, SetName("one"))
	twice := edited(t, edited(t, base, low, SetName("two")), low, SetName("three"))
	once := edited(t, base, high, SetName("other"))
	if got := merged(t, once, twice).Name(); got != "three" {
		t.Errorf("two writes against one: %q", got)
	}
	if got := merged(t, edited(t, base, low, SetName("low")), edited(t, base, high, SetName("high"))).Name(); got != "high" {
		t.Errorf("one write each: %q", got)
	}
}

func TestBlockBeatsAddAtAnyCounter(t *testing.T) {
	laptop, phone := testPeer(t, 1), testPeer(t, 2)
	bob := testAccount(t, 10)
	base := edited(t, Profile{}, laptop, Add(bob, Requested))
	blocked := edited(t, base, laptop, Block(bob, testPresence(t, 1)))
	busy := base
	for range 20 {
		busy = edited(t, edited(t, busy, phone, Remove(bob, testPresence(t, 2))), phone, Add(bob, Accepted))
	}
	m := merged(t, busy, blocked)
	if b, _ := m.Buddy(bob); !b.Blocked {
		t.Error("a late add lifted the block")
	}
	_, _, err := m.Edit(phone, Add(bob, Accepted))
	wantCode(t, "add of a blocked account", err, wire.Forbidden)
	free := edited(t, m, phone, Unblock(bob))
	if b, _ := merged(t, free, blocked).Buddy(bob); b.Blocked || b.State != Accepted {
		t.Errorf("after unblocking: %+v", b)
	}
}

func TestRemovalAndBlockReplaceThePresence(t *testing.T) {
	laptop, bob := testPeer(t, 1), testAccount(t, 10)
	p := edited(t, Profile{}, laptop, SetPresence(testPresence(t, 1)), Add(bob, Accepted), SetSecret(bob, []byte("his")), SetPetname(bob, "Bob"))
	for name, change := range map[string]Change{"remove": Remove(bob, testPresence(t, 2)), "block": Block(bob, testPresence(t, 2))} {
		next := edited(t, p, laptop, change)
		fresh, _ := next.Presence()
		b, _ := next.Buddy(bob)
		if fresh.Version != 2 || fresh.Seed != testPresence(t, 2).Seed || b.Secret != nil {
			t.Errorf("%s: presence %d, buddy %+v", name, fresh.Version, b)
		}
	}
	_, _, err := p.Edit(laptop, Remove(bob, Presence{}))
	wantCode(t, "without a fresh presence", err, wire.BadRequest)
	_, _, err = p.Edit(laptop, Remove(testAccount(t, 11), testPresence(t, 2)))
	wantCode(t, "of a stranger", err, wire.Unknown)
}

func TestEditsRefuseWhatNoProfileHolds(t *testing.T) {
	laptop, bob := testPeer(t, 1), testAccount(t, 10)
	long := string(bytes.Repeat([]byte("x"), MaxName+1))
	for _, c := range []struct {
		name   string
		change Change
		want   wire.Code
	}{
		{"long name", SetName(long), wire.TooLarge},
		{"not UTF-8", SetName("\xff"), wire.BadRequest},
		{"escape", SetPetname(bob, "\x1b[2J"), wire.BadRequest},
		{"text turned round", SetName("a\u202eb"), wire.BadRequest},
		{"long secret", SetSecret(bob, make([]byte, MaxSecret+1)), wire.TooLarge},
		{"no account", SetPetname(identity.PeerPrincipal(laptop), "x"), wire.BadRequest},
		{"no device", NameDevice("", "x"), wire.BadRequest},
		{"removed by add", Add(bob, Removed), wire.BadRequest},
	} {
		next, delta, err := Profile{}.Edit(laptop, SetContact(ContactOff), c.change)
		wantCode(t, c.name, err, c.want)
		if !next.IsZero() || !delta.IsZero() {
			t.Errorf("%s: half of the edit was made", c.name)
		}
	}
	_, _, err := Profile{}.Edit("", SetName("x"))
	wantCode(t, "nobody's edit", err, wire.BadRequest)
}
