package roster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/panpipe-net/panpipe/protocols/buddy"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func principalOf(t testing.TB, kind identity.Kind, name string) identity.Principal {
	t.Helper()
	sum, err := multihash.Sum([]byte(name), multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	b := identity.PeerPrincipal(peer.ID(sum)).Bytes()
	b[0] = byte(kind)
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bookOf has an account and buddies, whose presence is known.
func bookOf(t testing.TB, buddies int) (*book, []*contact) {
	b := &book{self: "me", contacts: make(map[identity.Principal]*contact)}
	var all []*contact
	for i := range buddies {
		name := fmt.Sprint("buddy", i)
		c := b.contact(principalOf(t, identity.KindAccount, name))
		a := buddy.PresencePipe(principalOf(t, identity.KindPeer, name), [pipe.SaltSize]byte{1})
		c.standing, c.presence = accepted, &a
		all = append(all, c)
	}
	return b, all
}

func kinds(do []action) (all []string) {
	names := [...]string{"look", "ask", "dial", "cut"}
	for _, a := range do {
		s := names[a.kind]
		if a.kind == dial || a.kind == cut {
			s += " " + a.purpose.String()
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// moment is what happens to one buddy, and what is then done.
type moment struct {
	after time.Duration
	what  func(b *book, c *contact, now time.Time)
	want  []string
	sees  Presence
}

func seen(seq uint64) func(*book, *contact, time.Time) {
	return func(b *book, c *contact, now time.Time) {
		b.found(c, c.presence.ID(), []sighting{{"far", seq, now.Add(pipe.DefaultLife)}}, nil, now)
	}
}

func failed(code wire.Code) func(*book, *contact, time.Time) {
	return func(b *book, c *contact, now time.Time) {
		b.found(c, c.presence.ID(), nil, wire.Errorf(code, "x"), now)
	}
}

func dials(p buddy.Purpose, err error) func(*book, *contact, time.Time) {
	return func(b *book, c *contact, now time.Time) {
		b.dialled(c, "far", p, err, now)
		if err == nil {
			b.stands(c, "far", p, true, buddy.Run{}, uint64(p))
		}
	}
}

func over(p buddy.Purpose, left, lost bool) func(*book, *contact, time.Time) {
	return func(b *book, c *contact, now time.Time) { b.ended(c, "far", p, uint64(p), left, lost, now) }
}

func looksAt(b *book, c *contact, _ time.Time) { c.attended = 1 }
func nothingMore(*book, *contact, time.Time)   {}

func TestWhatIsDoneAboutABuddy(t *testing.T) {
	gone := wire.Errorf(wire.Unreachable, "x")
	for name, story := range map[string][]moment{
		"found, and nobody looks at it": {
			{0, nothingMore, []string{"look"}, Offline},
			{0, seen(1), nil, Announced},
			{glance, nothingMore, []string{"look"}, Announced},
			{0, seen(1), nil, Announced},
			{lookAgain, nothingMore, []string{"look"}, Announced},
			{lookAgain, failed(wire.Unbound), []string{"ask"}, Offline},
		},
		"looked at": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(1), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
			{0, dials(buddy.PurposeChat, nil), nil, Connected},
			{glance, nothingMore, []string{"look"}, Connected},
			{0, over(buddy.PurposeChat, false, false), nil, Connected},
			{firstWait, nothingMore, []string{"dial chat"}, Connected},
		},
		"not there": {
			{0, looksAt, []string{"look"}, Offline},
			{0, failed(wire.Unbound), []string{"ask"}, Offline},
			{firstWait, nothingMore, []string{"look"}, Offline},
			{0, failed(wire.Unbound), nil, Offline},
			{2 * firstWait, nothingMore, []string{"look"}, Offline},
		},
		"the overlay is not there": {
			{0, looksAt, []string{"look"}, Offline},
			{0, failed(wire.Unreachable), nil, Offline},
			{firstWait, nothingMore, []string{"look"}, Offline},
			{0, failed(wire.NotReady), nil, Offline},
			{2*firstWait - 1, nothingMore, nil, Offline},
			{1, nothingMore, []string{"look"}, Offline},
		},
		"left": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(7), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
			{0, dials(buddy.PurposeChat, gone), nil, Connected},
			{0, over(buddy.PurposeRoster, true, false), nil, Offline},
			{glance, nothingMore, []string{"look"}, Offline},
			{0, seen(7), nil, Offline}, // the record from before
			{glance, nothingMore, nil, Offline},
			{lookAgain, nothingMore, []string{"look"}, Offline},
			{0, seen(8), []string{"dial chat", "dial roster"}, Announced},
		},
		"lost, and dialled again": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(7), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
			{0, dials(buddy.PurposeChat, nil), nil, Connected},
			{glance, nothingMore, []string{"look"}, Connected},
			{0, over(buddy.PurposeRoster, false, true), nil, Offline},
			{firstWait, nothingMore, []string{"dial roster"}, Offline},
			{0, dials(buddy.PurposeRoster, gone), nil, Offline},
			{firstWait, nothingMore, []string{"dial roster"}, Offline},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
		},
		"another link stands already": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(7), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, errTaken), nil, Announced},
			{tieWait - 1, nothingMore, []string{"look"}, Announced},
			{1, nothingMore, []string{"dial roster"}, Announced},
		},
		"blocked": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(7), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
			{0, func(_ *book, c *contact, _ time.Time) { c.standing = stranger }, []string{"cut roster"}, Connected},
		},
		"not looked at any more": {
			{0, looksAt, []string{"look"}, Offline},
			{0, seen(7), []string{"dial chat", "dial roster"}, Announced},
			{0, dials(buddy.PurposeRoster, nil), nil, Connected},
			{0, func(_ *book, c *contact, now time.Time) { c.attended, c.lingers = 0, now.Add(lingerTime) }, nil, Connected},
			{lingerTime, nothingMore, []string{"cut roster", "look"}, Connected},
		},
		"asked, and has not answered": {
			{0, func(_ *book, c *contact, _ time.Time) { c.standing = requested }, []string{"ask"}, Offline},
			{0, func(b *book, c *contact, now time.Time) { b.asked(c, nil, now) }, nil, Offline},
			{askAgain, nothingMore, []string{"ask"}, Offline},
			{0, func(b *book, c *contact, now time.Time) { b.asked(c, gone, now) }, nil, Offline},
			{lookSoon, nothingMore, []string{"ask"}, Offline},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, all := bookOf(t, 1)
			c, now := all[0], epoch
			for i, m := range story {
				now = now.Add(m.after)
				m.what(b, c, now)
				do, _ := b.step(now)
				if got := kinds(do); !slices.Equal(got, m.want) {
					t.Errorf("moment %d: %q, want %q", i, got, m.want)
				}
				sees := Offline
				if d := c.devices["far"]; d != nil {
					sees = d.presenceAt(now)
				}
				if sees != m.sees {
					t.Errorf("moment %d: %v, want %v", i, sees, m.sees)
				}
			}
		})
	}
}

// step says when it is to be called again: never too late, and not at once.
func TestStepNamesTheNextMoment(t *testing.T) {
	b, all := bookOf(t, 3)
	now := epoch
	all[0].attended = 1
	for i := range 200 {
		do, next := b.step(now)
		for _, a := range do {
			c := b.contact(a.account)
			switch a.kind {
			case look:
				seen(uint64(i))(b, c, now)
			case dial:
				b.dialled(c, a.device, a.purpose, wire.Errorf(wire.Unreachable, "x"), now)
			}
		}
		if len(do) > 0 {
			continue
		}
		if !next.After(now) {
			t.Fatalf("after %v: next is %v", now.Sub(epoch), next.Sub(now))
		}
		now = next
	}
	if passed := now.Sub(epoch); passed < time.Hour {
		t.Errorf("200 steps in %v", passed)
	}
}

func TestNeverMoreThanSoManyAtATime(t *testing.T) {
	b, all := bookOf(t, 1000)
	now := epoch
	for _, c := range all {
		c.talked = now.Add(-time.Hour)
	}
	looked, dialling, round := 0, 0, 0
	for ; looked < len(all); round++ {
		do, _ := b.step(now)
		looks := 0
		for _, a := range do {
			c := b.contact(a.account)
			switch a.kind {
			case look:
				looks++
				b.found(c, a.pipe.ID(), []sighting{{peer.ID("of " + a.account.String()), 1, now.Add(time.Hour)}}, nil, now)
				c.nextLook = now.Add(time.Hour)
			case dial:
				dialling++
			}
		}
		if looks > maxLooks || dialling > maxDials {
			t.Fatalf("%d looks, %d dials at a time", looks, dialling)
		}
		looked += looks
	}
	if round > len(all)/maxLooks+1 {
		t.Errorf("%d rounds", round)
	}
}

func TestAtMost64BuddiesAreConnectedThoseLookedAtFirst(t *testing.T) {
	b, all := bookOf(t, 200)
	now := epoch
	for i, c := range all {
		c.talked = now.Add(time.Duration(i) * time.Second)
		c.looking = true
		b.running[look]++
		b.found(c, c.presence.ID(), []sighting{{peer.ID(fmt.Sprint(i)), 1, now.Add(time.Hour)}}, nil, now)
		c.nextLook = now.Add(time.Hour)
	}
	all[0].attended = 1
	connected := make(map[identity.Principal]bool)
	for {
		do, _ := b.step(now)
		if len(do) == 0 {
			break
		}
		for _, a := range do {
			if a.kind != dial {
				continue
			}
			c := b.contact(a.account)
			b.dialled(c, a.device, a.purpose, nil, now)
			b.stands(c, a.device, a.purpose, true, buddy.Run{}, 1)
			connected[a.account] = true
		}
	}
	if len(connected) != maxNear || !connected[all[0].account] || !connected[all[199].account] || connected[all[1].account] {
		t.Errorf("%d are connected; looked at: %v, newest: %v, oldest: %v", len(connected),
			connected[all[0].account], connected[all[199].account], connected[all[1].account])
	}
}

func TestThrottle(t *testing.T) {
	th := newThrottle(3, time.Second)
	now := epoch
	for i, want := range []bool{true, true, true, false} {
		if th.take("a", now) != want {
			t.Errorf("take %d: want %v", i, want)
		}
	}
	if !th.take("b", now) {
		t.Error("another device pays for the first")
	}
	if !th.take("a", now.Add(time.Second)) || th.take("a", now.Add(time.Second)) {
		t.Error("not one more after a second")
	}
	for i := range 2 * maxThrottled {
		th.take(peer.ID(fmt.Sprint(i)), now.Add(time.Second))
	}
	if len(th.buckets) > maxThrottled {
		t.Errorf("%d devices are counted", len(th.buckets))
	}
	if !th.take("late", now.Add(time.Hour)) {
		t.Error("nobody is let in any more")
	}
}
