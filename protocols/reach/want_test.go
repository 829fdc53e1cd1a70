package reach_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/test"
	"github.com/libp2p/go-libp2p/p2p/net/conngater"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// refusing is a TCP address where nobody listens.
func refusing(t *testing.T) ma.Multiaddr {
	t.Helper()
	a, l := listener(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return a
}

// listener accepts TCP connections and says nothing by itself.
func listener(t *testing.T) (ma.Multiaddr, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return a, l
}

// fails wants a DialError and returns its attempts.
func fails(t *testing.T, n node, w reach.Want, code wire.Code) []reach.Attempt {
	t.Helper()
	p, attempts, err := n.Path(within(t), w)
	var d *reach.DialError
	if !p.IsZero() || !errors.As(err, &d) || wire.CodeOf(err) != code || len(d.Attempts) != len(attempts) {
		t.Fatalf("path %v, error %v, want %s", p, err, code)
	}
	for _, a := range attempts {
		if a.Err == nil || a.Reused || a.Started.IsZero() {
			t.Errorf("attempt %+v of a dial that failed", a)
		}
	}
	return attempts
}

func TestOnlyTheGivenAddressesAreDialled(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	a.Peerstore().AddAddrs(b.ID(), b.Addrs(), peerstore.PermanentAddrTTL)
	dead := refusing(t)
	for _, tr := range []reach.Transport{reach.Any, reach.TCP} {
		attempts := fails(t, a, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{dead}, Only: true, Transport: tr, Explicit: true}, wire.Unreachable)
		if len(attempts) != 1 || !attempts[0].Addr.Equal(dead) || !errors.Is(attempts[0].Err, syscall.ECONNREFUSED) {
			t.Errorf("attempts %+v", attempts)
		}
	}
	p, attempts, err := a.Path(within(t), reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{dead}, Transport: reach.TCP, Explicit: true})
	if err != nil || attempts[len(attempts)-1].Err != nil {
		t.Fatalf("the peerstore's address did not serve: %v", err)
	}
	if q := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{dead}, Only: true}); q != p {
		t.Error("a path that exists did not serve")
	}
}

func TestUnknownPeerIsUnreachable(t *testing.T) {
	a := newNode(t, nil)
	stranger := test.RandPeerIDFatal(t)
	for _, tr := range []reach.Transport{reach.Any, reach.QUIC} {
		if got := fails(t, a, reach.Want{Peer: stranger, Transport: tr}, wire.Unreachable); len(got) != 0 {
			t.Errorf("attempts %+v", got)
		}
	}
	for want, w := range map[wire.Code]reach.Want{
		wire.BadRequest: {Peer: a.ID()},
	} {
		if _, _, err := a.Path(within(t), w); wire.CodeOf(err) != want {
			t.Errorf("%+v: %v", w, err)
		}
	}
	for _, w := range []reach.Want{{}, {Peer: stranger, Transport: "carrier-pigeon"}} {
		if _, _, err := a.Path(within(t), w); wire.CodeOf(err) != wire.BadRequest {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestAnotherNodeAtTheAddressIsTold(t *testing.T) {
	a, b := newNode(t, nil), newNode(t, everyTransport)
	for _, tr := range everyTransport {
		for _, w := range []reach.Want{{Transport: tr}, {}} {
			w.Peer, w.Addrs, w.Explicit = test.RandPeerIDFatal(t), b.on(tr), true
			attempts := fails(t, a, w, wire.Unreachable)
			var mismatch sec.ErrPeerIDMismatch
			if errors.As(attempts[0].Err, &mismatch) != strings.Contains(attempts[0].Err.Error(), "another node answers there") {
				t.Errorf("%s: %v", tr, attempts[0].Err)
			}
		}
	}
}

func TestFreshFailureHoldsBackAllButAPerson(t *testing.T) {
	for _, tr := range []reach.Transport{reach.Any, reach.TCP} {
		a, b := newNode(t, nil), newNode(t, []reach.Transport{reach.TCP})
		dead := refusing(t)
		w := reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{dead}, Transport: tr}
		if got := fails(t, a, w, wire.Unreachable); !errors.Is(got[0].Err, syscall.ECONNREFUSED) {
			t.Fatalf("first dial: %v", got[0].Err)
		}
		if got := fails(t, a, w, wire.Unreachable); !errors.Is(got[0].Err, swarm.ErrDialBackoff) || wire.CodeOf(got[0].Err) != wire.Busy {
			t.Errorf("second dial: %v", got[0].Err)
		}
		w.Explicit = true
		if got := fails(t, a, w, wire.Unreachable); !errors.Is(got[0].Err, syscall.ECONNREFUSED) {
			t.Errorf("a person's dial: %v", got[0].Err)
		}
		w.Explicit, w.Addrs = false, append(b.Addrs(), dead)
		a.path(t, w)
	}
}

func TestGaterIsHonoured(t *testing.T) {
	gater, err := conngater.NewBasicConnectionGater(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newNode(t, []reach.Transport{reach.TCP})
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.AddrsFactory(reach.HideAdopted), libp2p.ConnectionGater(gater), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, h, reach.Config{Gater: gater})
	ip := net.IPv4(127, 0, 0, 1)
	if err := gater.BlockAddr(ip); err != nil {
		t.Fatal(err)
	}
	for _, tr := range []reach.Transport{reach.Any, reach.TCP} {
		got := fails(t, a, reach.Want{Peer: b.ID(), Addrs: b.Addrs(), Transport: tr}, wire.Unreachable)
		if wire.CodeOf(got[0].Err) != wire.Forbidden {
			t.Errorf("blocked address, %q: %v", tr, got[0].Err)
		}
	}
	if err := errors.Join(gater.UnblockAddr(ip), gater.BlockPeer(b.ID())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Path(within(t), reach.Want{Peer: b.ID(), Addrs: b.Addrs()}); wire.CodeOf(err) != wire.Forbidden {
		t.Errorf("blocked peer: %v", err)
	}
}

// names resolves what the test says, and nothing else.
type names map[string][]ma.Multiaddr

func (n names) ResolveDNSAddr(_ context.Context, _ peer.ID, a ma.Multiaddr, _, _ int) ([]ma.Multiaddr, error) {
	return n.look(a)
}

func (n names) ResolveDNSComponent(_ context.Context, a ma.Multiaddr, _ int) ([]ma.Multiaddr, error) {
	return n.look(a)
}

func (n names) look(a ma.Multiaddr) ([]ma.Multiaddr, error) {
	if to, ok := n[a.String()]; ok {
		return to, nil
	}
	return nil, errors.New("no such name")
}

func TestNamesAreResolvedForARequiredTransport(t *testing.T) {
	b := newNode(t, everyTransport)
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.AddrsFactory(reach.HideAdopted), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	dnsaddr, dns := ma.StringCast("/dnsaddr/b.example"), ma.StringCast("/dns4/b.example/tcp/1")
	me := ma.StringCast("/p2p/" + b.ID().String())
	a := attach(t, h, reach.Config{Resolver: names{
		dnsaddr.String(): {b.on(reach.QUIC)[0].Encapsulate(me), b.on(reach.WS)[0].Encapsulate(me)},
		dns.String():     b.on(reach.TCP),
	}})
	for tr, addr := range map[reach.Transport]ma.Multiaddr{reach.QUIC: dnsaddr, reach.WS: dnsaddr, reach.TCP: dns} {
		if p := a.path(t, reach.Want{Peer: b.ID(), Addrs: []ma.Multiaddr{addr}, Only: true, Transport: tr}); p.Transport() != tr {
			t.Errorf("%s gave %s", addr, p.Remote())
		}
	}
	c := test.RandPeerIDFatal(t)
	got := fails(t, a, reach.Want{Peer: c, Addrs: []ma.Multiaddr{ma.StringCast("/dns4/nowhere.example/tcp/1")}, Transport: reach.TCP}, wire.Unreachable)
	if len(got) != 1 || !strings.Contains(got[0].Err.Error(), "does not resolve") {
		t.Errorf("attempts %+v", got)
	}
}
