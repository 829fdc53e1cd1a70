package reach_test

import (
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// relayed starts a relay and a node with a reservation there; it returns the
// node and its relayed address.
func relayed(t *testing.T, ts ...reach.Transport) (node, ma.Multiaddr) {
	t.Helper()
	hop := newNode(t, []reach.Transport{reach.TCP}, libp2p.EnableRelayService(), libp2p.ForceReachabilityPublic())
	b := newNode(t, ts)
	at := peer.AddrInfo{ID: hop.ID(), Addrs: hop.Host.Addrs()}
	if err := b.Connect(within(t), at); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Reserve(within(t), b.Host, at); err != nil {
		t.Fatal(err)
	}
	return b, at.Addrs[0].Encapsulate(ma.StringCast("/p2p/" + hop.ID().String() + "/p2p-circuit"))
}

func TestRelayedPathIsForThoseWhoAllowIt(t *testing.T) {
	a := newNode(t, nil)
	b, via := relayed(t)
	full := via.Encapsulate(ma.StringCast("/p2p/" + b.ID().String()))
	w := reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{full}}
	fails(t, a, w, wire.Unreachable)
	fails(t, a, reach.Want{Peer: b.ID(), Addrs: w.Addrs, Only: true}, wire.Unreachable)

	w.AllowRelay = true
	p := a.path(t, w)
	if p.Transport() != reach.Relay || p.Direct() || a.Adopted(p.Conn()) {
		t.Errorf("path %s, direct %v", p.Remote(), p.Direct())
	}
	say(t, open(t, p), "through the relay")
	fails(t, a, reach.Want{Peer: b.ID(), Addrs: w.Addrs}, wire.Unreachable) // the path that exists is not for it either
}

func TestRelayIsATransportBesideOthers(t *testing.T) {
	a := newNode(t, nil)
	b, via := relayed(t, reach.QUIC)
	direct := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	circuit := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{via}, Transport: reach.Relay})
	if circuit.Transport() != reach.Relay || !direct.Direct() {
		t.Fatalf("%s and %s", direct.Remote(), circuit.Remote())
	}
	if best := a.Paths(b.ID()); len(best) != 2 || best[0] != direct {
		t.Errorf("the relayed path, though newer, is preferred: %v", best)
	}
	s := open(t, circuit)
	say(t, s, "through the relay")
	if err := direct.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, s, "the direct path is gone")
	again := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	if !again.Direct() {
		t.Error("the relayed path was given to one who wants a direct one")
	}
	say(t, open(t, again), "direct again")
}
