package discovery

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// closerOf makes an ask that answers with what the asked node would.
func closerOf(nodes ...*node) (Ask, func() []peer.ID) {
	var mu sync.Mutex
	var asked []peer.ID
	ask := func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
		mu.Lock()
		asked = append(asked, p.ID)
		mu.Unlock()
		for _, n := range nodes {
			if n.host.ID() == p.ID {
				return n.Closer(testKey, K), nil
			}
		}
		return nil, wire.Errorf(wire.Unreachable, "no such node")
	}
	return ask, func() []peer.ID { return asked }
}

func TestLoneNodeIsReadyAndServes(t *testing.T) {
	n := start(t, loopback(t), Config{})
	n.ready(t, time.Second)
	s := n.await(t, "serves", func(s State) bool { return s.Role == RoleServer })
	if s.Reachability != ReachLocal || s.Joined || !s.Alone {
		t.Fatalf("%+v", s)
	}
	ask, asked := closerOf()
	r, err := n.Walk(t.Context(), testKey, ask)
	if err != nil || r.Asked != 0 || len(asked()) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n.CloserThanSelf(testKey) != 0 || len(n.Closer(testKey, K)) != 0 {
		t.Fatal("knows somebody")
	}
}

func TestNodeGivenItselfToJoinThroughIsAlone(t *testing.T) {
	h := loopback(t)
	n := start(t, h, Config{Join: []peer.AddrInfo{{ID: h.ID(), Addrs: h.Addrs()}}})
	n.ready(t, time.Second)
}

func TestTwoNodesMakeAnOverlay(t *testing.T) {
	a := start(t, loopback(t), Config{})
	b := start(t, loopback(t), Config{Join: []peer.AddrInfo{a.info()}})
	b.ready(t, time.Second)
	joined := func(s State) bool { return s.Servers == 1 }
	a.await(t, "the old node knows the new one", joined)
	b.await(t, "the new node knows the old one", joined)
	for _, pair := range [][2]*node{{a, b}, {b, a}} {
		n, other := pair[0], pair[1]
		ask, asked := closerOf(a, b)
		r, err := n.Walk(t.Context(), testKey, ask)
		if err != nil || r.Asked != 1 || !slices.Equal(asked(), []peer.ID{other.host.ID()}) || !slices.Equal(ids(r.Closest), asked()) {
			t.Fatalf("%+v, %v", r, err)
		}
		closer := n.Closer(testKey, K)
		if len(closer) != 1 || len(closer[0].Addrs) == 0 {
			t.Fatalf("tells %v", closer)
		}
		if got := n.Closer(testKey, K, other.host.ID()); len(got) != 0 {
			t.Fatalf("tells %v of itself", got)
		}
	}
	if a.CloserThanSelf(testKey)+b.CloserThanSelf(testKey) != 1 {
		t.Fatal("one of two is nearer")
	}
}

func TestThreeNodesKnowEachOther(t *testing.T) {
	a := start(t, loopback(t), Config{})
	b := start(t, loopback(t), Config{Join: []peer.AddrInfo{a.info()}})
	c := start(t, loopback(t), Config{Join: []peer.AddrInfo{a.info()}})
	for _, n := range []*node{a, b, c} {
		n.ready(t, time.Second)
	}
	for _, n := range []*node{a, b, c} {
		n.await(t, "knows both", func(s State) bool { return s.Servers == 2 })
		ask, _ := closerOf(a, b, c)
		r, err := n.Walk(t.Context(), testKey, ask)
		if err != nil || len(r.Closest) != 2 || r.Failed != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	a.close()
	for _, n := range []*node{b, c} {
		n.await(t, "goes on without the first", func(s State) bool { return s.Joined })
		ask, _ := closerOf(b, c)
		r, err := n.Walk(t.Context(), testKey, ask)
		if err != nil || len(r.Closest) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
}

func TestRestartedNodeRejoinsFromMemory(t *testing.T) {
	a := start(t, loopback(t), Config{})
	store := &shelf{}
	b := start(t, loopback(t), Config{Join: []peer.AddrInfo{a.info()}, Store: store})
	b.ready(t, time.Second)
	b.close()
	if len(store.peers) != 1 || store.peers[0].ID != a.host.ID() {
		t.Fatalf("remembers %v", store.peers)
	}
	again := start(t, loopback(t), Config{Store: store})
	again.ready(t, time.Second)
	if s := again.State(); !s.Joined || s.Alone {
		t.Fatalf("%+v", s)
	}
}

func TestMemoryIsStoredWhileRunning(t *testing.T) {
	a := start(t, loopback(t), Config{})
	store := &shelf{saved: make(chan []peer.AddrInfo, 100)}
	b := start(t, loopback(t), Config{Join: []peer.AddrInfo{a.info()}, Store: store, RememberDelay: time.Millisecond})
	b.ready(t, time.Second)
	if got := <-store.saved; len(got) != 1 || got[0].ID != a.host.ID() {
		t.Fatalf("stored %v", got)
	}
}

// brokenStore fails as a damaged file would.
type brokenStore struct{ shelf }

func (*brokenStore) RememberedPeers(context.Context) ([]peer.AddrInfo, error) {
	return nil, wire.Errorf(wire.Internal, "damaged")
}

func TestDamagedMemoryIsReported(t *testing.T) {
	n := start(t, loopback(t), Config{})
	_, err := New(t.Context(), Config{Host: n.host, Reach: n.reach, Overlay: "test", Store: &brokenStore{}})
	if !errors.Is(err, wire.Internal) || !strings.Contains(err.Error(), "damaged") {
		t.Fatal(err)
	}
}

func TestUnreachableJoinPeerIsNamed(t *testing.T) {
	dead := peer.AddrInfo{ID: makePeer(1), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}}
	n := start(t, loopback(t), Config{Join: []peer.AddrInfo{dead}})
	s := n.await(t, "fails", func(s State) bool { return len(s.JoinErrors) == 1 })
	if s.Joined || s.Alone {
		t.Fatalf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := n.Ready(ctx)
	if !errors.Is(err, wire.NotReady) || !strings.Contains(err.Error(), "/ip4/127.0.0.1/tcp/1/p2p/"+makePeer(1).String()) || wire.NextOf(err) == "" {
		t.Fatal(err)
	}
}

func TestNodeOfAnotherOverlayIsNamed(t *testing.T) {
	other := start(t, loopback(t), Config{Overlay: "orchestra"})
	other.await(t, "serves", func(s State) bool { return s.Role == RoleServer })
	n := start(t, loopback(t), Config{Join: []peer.AddrInfo{other.info()}})
	s := n.await(t, "says why", func(s State) bool { return len(s.JoinErrors) == 1 })
	for _, err := range s.JoinErrors {
		if !errors.Is(err, wire.Unsupported) || !strings.Contains(err.Error(), `not in overlay "test"`) {
			t.Fatal(err)
		}
	}
	if s.Joined || s.Servers != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestRoleIsKeptWhenConfigured(t *testing.T) {
	a := start(t, loopback(t), Config{Role: RoleServer})
	b := start(t, loopback(t), Config{Role: RoleClient, Join: []peer.AddrInfo{a.info()}})
	b.ready(t, time.Second)
	if s := b.State(); s.Role != RoleClient || s.Servers != 1 {
		t.Fatalf("%+v", s)
	}
	s := a.await(t, "sees the client", func(s State) bool { return s.Peers == 1 })
	if s.Role != RoleServer || s.Servers != 0 || a.State().Table != 0 || len(a.Closer(testKey, K)) != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestJudgementStandsAgainstAnotherEmitter(t *testing.T) {
	h := loopback(t)
	n := start(t, h, Config{})
	n.await(t, "serves", func(s State) bool { return s.Role == RoleServer })
	sub, err := h.EventBus().Subscribe(new(event.EvtLocalReachabilityChanged))
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	other, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged), eventbus.Stateful)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Emit(event.EvtLocalReachabilityChanged{Reachability: network.ReachabilityPrivate})
	var seen []network.Reachability
	for len(seen) < 3 {
		seen = append(seen, (<-sub.Out()).(event.EvtLocalReachabilityChanged).Reachability)
	}
	want := []network.Reachability{network.ReachabilityPublic, network.ReachabilityPrivate, network.ReachabilityPublic}
	if !slices.Equal(seen, want) {
		t.Fatalf("emitted %v, want %v", seen, want)
	}
}

func TestVerifiedAndRefutedAddressesChangeTheRole(t *testing.T) {
	h := loopback(t)
	n := start(t, h, Config{})
	tell, err := h.EventBus().Emitter(new(event.EvtHostReachableAddrsChanged))
	if err != nil {
		t.Fatal(err)
	}
	defer tell.Close()
	tell.Emit(event.EvtHostReachableAddrsChanged{Unreachable: []ma.Multiaddr{makeAddr(1)}})
	n.await(t, "refuted", func(s State) bool { return s.Reachability == ReachPrivate && s.Role == RoleClient })
	tell.Emit(event.EvtHostReachableAddrsChanged{Reachable: []ma.Multiaddr{makeAddr(1)}})
	n.await(t, "verified", func(s State) bool { return s.Reachability == ReachPublic && s.Role == RoleServer })
}

// closer counts closes.
type countedCloser chan struct{}

func (c countedCloser) Close() error { c <- struct{}{}; return nil }

func TestNeighboursOnTheLANFindEachOther(t *testing.T) {
	var mu sync.Mutex
	listeners := make(map[peer.ID]func(peer.AddrInfo))
	lan := func(h host.Host, service string, found func(peer.AddrInfo)) (io.Closer, error) {
		if service != "_test._udp" {
			return nil, errors.New("wrong service " + service)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, tell := range listeners {
			tell(peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
		}
		listeners[h.ID()] = found
		return countedCloser(make(chan struct{}, 1)), nil
	}
	a := start(t, loopback(t), Config{MDNS: true, lan: lan})
	a.ready(t, time.Second)
	b := start(t, loopback(t), Config{MDNS: true, lan: lan})
	b.ready(t, time.Second)
	a.await(t, "hears the other", func(s State) bool { return s.Servers == 1 && s.MDNS })
	b.await(t, "is heard", func(s State) bool { return s.Servers == 1 })
}

func TestLANThatFailsToStartIsTriedAgain(t *testing.T) {
	tries := make(chan int, 100)
	count := 0
	lan := func(host.Host, string, func(peer.AddrInfo)) (io.Closer, error) {
		count++
		tries <- count
		return nil, errors.New("no network")
	}
	start(t, loopback(t), Config{MDNS: true, lan: lan, JoinInterval: time.Millisecond})
	for <-tries < 3 {
	}
}

func TestCloseIsIdempotentAndBeforeRunToo(t *testing.T) {
	n := start(t, loopback(t), Config{})
	n.await(t, "runs", func(s State) bool { return s.Role == RoleServer })
	d, err := New(t.Context(), Config{Host: n.host, Reach: n.reach, Overlay: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Run(t.Context()); err != nil {
		t.Fatalf("run after close: %v", err)
	}
	if err := d.Ready(t.Context()); !errors.Is(err, wire.Closed) {
		t.Fatalf("ready after close: %v", err)
	}
	if err := n.Run(t.Context()); !errors.Is(err, wire.BadRequest) {
		t.Fatalf("second run: %v", err)
	}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	n := start(t, loopback(t), Config{})
	for name, cfg := range map[string]Config{
		"no host":     {Overlay: "test"},
		"no overlay":  {Host: n.host, Reach: n.reach},
		"bad overlay": {Host: n.host, Reach: n.reach, Overlay: "a/b"},
		"bad role":    {Host: n.host, Reach: n.reach, Overlay: "test", Role: "king"},
		"negative":    {Host: n.host, Reach: n.reach, Overlay: "test", AskTimeout: -1},
	} {
		if _, err := New(t.Context(), cfg); !errors.Is(err, wire.BadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A liar who is first to name a node, at a dead address, cannot make others
// think that the node keeps silent.
func TestNodeThatAnswersAtAnotherAddressIsNotSuspected(t *testing.T) {
	liar := start(t, loopback(t), Config{})
	honest := start(t, loopback(t), Config{})
	victim := start(t, loopback(t), Config{Join: []peer.AddrInfo{liar.info(), honest.info()}})
	x := loopback(t)
	defer x.Close()
	victim.await(t, "two servers", func(s State) bool { return s.Servers == 2 })
	failed := make(chan struct{})
	var once sync.Once
	_, err := victim.Walk(t.Context(), testKey, func(_ context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
		switch {
		case p.ID == liar.host.ID():
			return []peer.AddrInfo{{ID: x.ID(), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/9")}}}, nil
		case p.ID == honest.host.ID():
			<-failed
			return []peer.AddrInfo{{ID: x.ID(), Addrs: x.Addrs()}}, nil
		case len(p.Addrs) == 1:
			once.Do(func() { close(failed) })
			return nil, wire.Errorf(wire.Unreachable, "nobody at the dead address")
		}
		return nil, nil
	})
	if err != nil || victim.servers.suspected(x.ID(), time.Now()) {
		t.Errorf("%v; suspected %v", err, victim.servers.suspected(x.ID(), time.Now()))
	}
}
