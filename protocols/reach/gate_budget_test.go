package reach

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// at is a dial of a stranger.
func at(p int, ip string, port int) target {
	return target{peer: peer.ID(fmt.Sprint(p)), ip: netip.MustParseAddr(ip), port: fmt.Sprint("tcp/", port)}
}

// allowed counts how many of n dials the budget allows.
func allowed(b *budget, n int, local, seen bool, dial func(i int) target) int {
	count := 0
	for i := range n {
		if b.take(dial(i), local, seen, time.Unix(0, 0)) {
			count++
		}
	}
	return count
}

func TestABudgetCapsWhatStrangersName(t *testing.T) {
	for what, c := range map[string]struct {
		local, seen bool
		want        int
		dial        func(i int) target
	}{
		"ports of one peer at one address": {want: portsOfPeer, dial: func(i int) target { return at(0, "1.1.1.1", i) }},
		"addresses of one peer": {want: placesOfPeer, dial: func(i int) target {
			return at(0, fmt.Sprintf("1.1.1.%d", i%250), 1)
		}},
		"addresses of one peer that others saw it at": {seen: true, want: 200, dial: func(i int) target {
			return at(0, fmt.Sprintf("1.1.1.%d", i), 1)
		}},
		"one victim named for many peers": {want: dialsOfIP, dial: func(i int) target { return at(i, "1.1.1.1", 1) }},
		"the same again":                  {want: 200, dial: func(int) target { return at(0, "1.1.1.1", 1) }},
		"private addresses of one neighbour": {local: true, want: localOfPeer, dial: func(i int) target {
			return at(0, fmt.Sprintf("10.0.0.%d", i), 1)
		}},
		"private addresses of all neighbours": {local: true, want: localDials, dial: func(i int) target {
			return at(i, fmt.Sprintf("10.0.0.%d", i), 1)
		}},
	} {
		if got := allowed(newBudget(), 200, c.local, c.seen, c.dial); got != c.want {
			t.Errorf("%s: %d of 200 are dialled, want %d", what, got, c.want)
		}
	}
}

func TestABudgetIsGivenBackAndForgotten(t *testing.T) {
	b := newBudget()
	victim := func(i int) target { return at(i, "1.1.1.1", 1) }
	allowed(b, 200, false, false, victim)
	if b.room(victim(100), false, false, time.Unix(0, 0)) {
		t.Fatal("there is room for one more")
	}
	b.release(place{victim(3).peer, victim(3).ip})
	if !b.room(victim(100), false, false, time.Unix(0, 0)) {
		t.Error("who answered there still costs")
	}
	b.take(victim(100), false, false, time.Unix(0, 0))
	if b.take(victim(101), false, false, time.Unix(0, 0).Add(budgetTime)) {
		t.Error("forgotten too early")
	}
	late := time.Unix(0, 0).Add(2 * budgetTime)
	if !b.room(victim(101), false, false, late) || !b.take(victim(101), false, false, late) {
		t.Error("not forgotten in time")
	}
}

func TestABudgetKeepsItsSize(t *testing.T) {
	b := newBudget()
	for i := range 5 * budgetDials {
		b.take(at(i, netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)}).String(), 1), false, false, time.Unix(0, 0))
	}
	if n := len(b.now.ports) + len(b.before.ports); n > 2*budgetDials {
		t.Errorf("%d dials are remembered", n)
	}
	for range 2 {
		b.turn(b.since.Add(budgetTime))
	}
	for _, g := range []generation{b.now, b.before} {
		if len(g.ports)+len(g.places)+len(g.dials)+len(g.local)+g.total+g.locals != 0 {
			t.Errorf("left: %+v", g)
		}
	}
}

func TestALocalBudgetIsGivenBack(t *testing.T) {
	b := newBudget()
	lan := func(i int) target { return at(0, "10.0.0.1", i) }
	if got := allowed(b, 20, true, false, lan); got != localOfPeer {
		t.Fatalf("%d dials", got)
	}
	b.release(place{lan(0).peer, lan(0).ip})
	if got := allowed(b, 20, true, false, lan); got != localOfPeer {
		t.Errorf("%d dials after one was answered", got)
	}
}
