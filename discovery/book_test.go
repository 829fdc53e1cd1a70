package discovery

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// evenPause makes pauses without jitter: 500 ms, growing by half up to a minute.
func evenPause() backoff.BackOff {
	return &backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, Multiplier: 1.5, MaxInterval: time.Minute}
}

func info(n int) peer.AddrInfo {
	return peer.AddrInfo{ID: makePeer(n), Addrs: []ma.Multiaddr{makeAddr(n)}}
}

var (
	t0      = time.Unix(1_000_000, 0)
	errDial = errors.New("refused")
)

func TestJoinPeerIsTriedForEverAtGrowingPauses(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	now := t0
	pause := 500 * time.Millisecond
	for i := range 1000 {
		dial, again := b.due(now, 0, none)
		if len(dial) != 1 || !again.IsZero() {
			t.Fatalf("attempt %d: %d due, again %v", i, len(dial), again)
		}
		if dial, _ := b.due(now, 0, none); len(dial) != 0 {
			t.Fatal("dialled twice at once")
		}
		b.done(dial[0].ID, errDial, now)
		dial, again = b.due(now, 0, none)
		if len(dial) != 0 || again.Sub(now) != pause {
			t.Fatalf("attempt %d: pause %v, want %v", i, again.Sub(now), pause)
		}
		if dial, _ := b.due(again.Add(-1), 0, none); len(dial) != 0 {
			t.Fatal("too early")
		}
		now = again
		pause = min(time.Duration(float64(pause)*1.5), time.Minute)
	}
}

func TestNobodyIsDialledWhileEnoughServersAreConnected(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.add(info(2), fromMemory)
	b.add(info(3), fromLAN)
	if dial, _ := b.due(t0, fewServers, none); !slices.Equal(ids(dial), []peer.ID{makePeer(3)}) {
		t.Fatalf("dials %v, want the LAN neighbour alone", ids(dial))
	}
	if dial, _ := b.due(t0, fewServers-1, none); !slices.Equal(ids(dial), []peer.ID{makePeer(1), makePeer(2)}) {
		t.Fatalf("dials %v", ids(dial))
	}
}

func TestConnectedNodesAreNotDialled(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	if dial, again := b.due(t0, 0, all); len(dial) != 0 || !again.IsZero() {
		t.Fatal(dial, again)
	}
}

func TestLostConnectionIsRenewedAfterAPause(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.due(t0, 0, none)
	b.done(makePeer(1), nil, t0)
	now := t0.Add(time.Hour)
	b.lost(makePeer(1), now)
	dial, again := b.due(now, 0, none)
	if len(dial) != 0 || again.Sub(now) != 500*time.Millisecond {
		t.Fatal(dial, again.Sub(now))
	}
	if dial, _ = b.due(again, 0, none); len(dial) != 1 {
		t.Fatal("not renewed")
	}
}

func TestNodeThatHangsUpIsNotDialledInACircle(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.due(t0, 0, none)
	b.done(makePeer(1), nil, t0)
	if dial, again := b.due(t0, 0, none); len(dial) != 0 || again.Sub(t0) != 500*time.Millisecond {
		t.Fatal(dial, again)
	}
}

func TestNewAddressIsTriedAtOnce(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.due(t0, 0, none)
	b.done(makePeer(1), errDial, t0)
	b.add(info(1), fromLAN) // the same address
	if dial, _ := b.due(t0, 0, none); len(dial) != 0 {
		t.Fatal("the same address is no news")
	}
	b.add(peer.AddrInfo{ID: makePeer(1), Addrs: []ma.Multiaddr{makeAddr(9)}}, fromLAN)
	dial, _ := b.due(t0, 0, none)
	if len(dial) != 1 || len(dial[0].Addrs) != 2 || !dial[0].Addrs[0].Equal(makeAddr(9)) {
		t.Fatalf("%v", dial)
	}
	if len(b.joins()) != 1 {
		t.Fatal("no longer what a person named")
	}
}

func TestDialsAtOnceAreCapped(t *testing.T) {
	b := newBook(evenPause)
	for i := range 200 {
		b.add(info(i), fromMemory)
	}
	for i := range 200 {
		b.add(info(1000+i), fromLAN)
	}
	if n := len(b.order); n != maxMemory+maxLAN {
		t.Fatalf("%d entries", n)
	}
	for i := range 30 {
		b.add(info(2000+i), fromJoin)
	}
	dial, _ := b.due(t0, 0, none)
	if len(dial) != 30 || !slices.Equal(ids(dial)[:1], []peer.ID{makePeer(2000)}) {
		t.Fatalf("%d dials", len(dial))
	}
	for _, in := range dial {
		b.done(in.ID, errDial, t0)
	}
	dial, _ = b.due(t0, 0, none)
	if len(dial) != maxDials {
		t.Fatalf("%d dials, want %d", len(dial), maxDials)
	}
	for _, in := range dial {
		b.done(in.ID, nil, t0)
	}
	onLAN := func(p peer.ID) bool { return b.entries[p].from != fromMemory }
	if dial, _ = b.due(t0, 0, onLAN); len(dial) != maxMemoryDials {
		t.Fatalf("%d dials of memory, want %d", len(dial), maxMemoryDials)
	}
}

// infoIn is node n at an address in network net of the documentation's.
func infoIn(net, n int) peer.AddrInfo {
	return peer.AddrInfo{ID: makePeer(n), Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/198.51.%d.%d/udp/4001/quic-v1", net, n%250+1))}}
}

func TestFullBookLetsGoOfWhoNeverAnswers(t *testing.T) {
	b := newBook(evenPause)
	for i := range maxLAN {
		b.add(info(i), fromLAN)
	}
	b.add(info(1000), fromLAN) // nobody has failed yet, and all are of one network
	if len(b.order) != maxLAN || len(b.entries) != maxLAN {
		t.Fatalf("%d entries", len(b.order))
	}
	dial, _ := b.due(t0, 0, none)
	for _, in := range dial {
		b.done(in.ID, errDial, t0)
	}
	b.add(info(2000), fromLAN)
	if b.entries[makePeer(2000)] == nil || len(b.order) != maxLAN {
		t.Error("a neighbour finds no place though others have failed")
	}
	// Those that are connected stay.
	b = newBook(evenPause)
	for i := range maxLAN {
		b.add(info(i), fromLAN)
	}
	b.due(t0, 0, all)
	if b.add(info(3000), fromLAN); b.entries[makePeer(3000)] != nil {
		t.Error("a connected neighbour has given way")
	}
}

func TestFloodFromOneNetworkDoesNotWashOutTheBook(t *testing.T) {
	b := newBook(evenPause)
	for i := range 10 {
		b.add(infoIn(i, i), fromMemory)
	}
	for i := range 1000 {
		b.parted(infoIn(200, 1000+i), t0)
	}
	for i := range 10 {
		if b.entries[makePeer(i)] == nil {
			t.Errorf("server %d is forgotten", i)
		}
	}
	if len(b.order) != maxMemory {
		t.Errorf("%d entries", len(b.order))
	}
}

func TestFloodFromOneNetworkDoesNotWashOutMemory(t *testing.T) {
	m := newMemory()
	for i := range 10 {
		m.touch(makePeer(i), infoIn(i, i).Addrs, t0)
	}
	for i := range 1000 {
		m.touch(makePeer(1000+i), infoIn(200, 1000+i).Addrs, t0.Add(time.Duration(i)*time.Second))
	}
	list := m.list()
	kept := 0
	for _, p := range list {
		for i := range 10 {
			if p.ID == makePeer(i) {
				kept++
			}
		}
	}
	if kept != 10 || len(list) != MaxRemembered {
		t.Errorf("%d of 10 servers are left among %d", kept, len(list))
	}
}

func TestServerThatPartedIsTriedAgainWhenFewAreLeft(t *testing.T) {
	b := newBook(evenPause)
	b.parted(info(1), t0)
	if dial, again := b.due(t0, 0, none); len(dial) != 0 || again.Sub(t0) != 500*time.Millisecond {
		t.Fatal(dial, again)
	}
	later := t0.Add(time.Second)
	if dial, _ := b.due(later, fewServers, none); len(dial) != 0 {
		t.Fatal("tried though enough are left")
	}
	if dial, _ := b.due(later, fewServers-1, none); len(dial) != 1 {
		t.Fatal("not tried")
	}
}

func TestLossThatNobodyToldIsNoticed(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.due(t0, 0, all) // the far side has dialled
	later := t0.Add(time.Hour)
	for range 2 {
		if dial, again := b.due(later, 0, none); len(dial) != 0 || again.Sub(later) != 500*time.Millisecond {
			t.Fatal(dial, again)
		}
	}
}

func TestHurryMakesEverybodyDue(t *testing.T) {
	b := newBook(evenPause)
	b.add(info(1), fromJoin)
	b.due(t0, 0, none)
	b.done(makePeer(1), errors.New("refused"), t0)
	if dial, _ := b.due(t0, 0, none); len(dial) != 0 {
		t.Fatal("no pause")
	}
	b.hurry()
	if dial, _ := b.due(t0, 0, none); len(dial) != 1 {
		t.Fatal("not due after a disturbance")
	}
}

func TestUnknownDialsAndLossesAreIgnored(t *testing.T) {
	b := newBook(evenPause)
	b.done(makePeer(1), nil, t0)
	b.lost(makePeer(1), t0)
	if dial, again := b.due(t0, 0, none); len(dial) != 0 || !again.IsZero() {
		t.Fatal(dial, again)
	}
}

func TestMemoryKeepsTheLastSeenFirst(t *testing.T) {
	m := newMemory()
	for i := range 3 * MaxRemembered {
		m.touch(makePeer(i), info(i).Addrs, t0.Add(time.Duration(i)*time.Second))
	}
	if !m.dirty {
		t.Fatal("not dirty")
	}
	list := m.list()
	if len(list) != MaxRemembered || list[0].ID != makePeer(3*MaxRemembered-1) || m.dirty {
		t.Fatalf("%d listed, first %v", len(list), list[0].ID)
	}
	m.touch(list[5].ID, list[5].Addrs, t0.Add(time.Hour))
	if m.dirty {
		t.Fatal("a known server at known addresses is no reason to store")
	}
	if m.list()[0].ID != list[5].ID {
		t.Fatal("not most recently seen first")
	}
	m.touch(list[5].ID, []ma.Multiaddr{makeAddr(7777)}, t0.Add(time.Hour))
	if !m.dirty {
		t.Fatal("new addresses are not noted")
	}
	m.touch(makePeer(99999), nil, t0)
	if _, ok := m.met[makePeer(99999)]; ok {
		t.Fatal("remembers a node without an address")
	}
}

func TestMemorySurvivesARunWithoutAnybody(t *testing.T) {
	m := newMemory()
	var stored []peer.AddrInfo
	for i := range MaxRemembered + 10 {
		stored = append(stored, info(i))
	}
	m.load(append([]peer.AddrInfo{{ID: "nonsense"}, {ID: makePeer(500)}}, stored...), t0)
	list := m.list()
	if len(list) != MaxRemembered-2 || list[0].ID != stored[0].ID {
		t.Fatalf("%d listed", len(list))
	}
	m.touch(makePeer(900), info(900).Addrs, t0)
	if list = m.list(); list[0].ID != makePeer(900) || list[1].ID != stored[0].ID {
		t.Fatal("order is lost")
	}
}
