package reach_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// gated starts a node whose gate has met the outside, so that strangers cannot
// name anything on this machine.
func gated(t *testing.T, ts ...reach.Transport) (node, *reach.Gate) {
	t.Helper()
	g := reach.NewGate(nil)
	g.SetOwn(reach.Own{Public: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}, false)
	var listen []string
	for _, tr := range ts {
		listen = append(listen, loopback[tr])
	}
	h, err := libp2p.New(libp2p.ListenAddrStrings(listen...), libp2p.AddrsFactory(reach.HideAdopted),
		libp2p.DisableMetrics(), libp2p.ConnectionGater(g))
	if err != nil {
		t.Fatal(err)
	}
	return attach(t, h, reach.Config{Gater: g}), g
}

// victims are a TCP and a UDP port on this machine that count who comes.
func victims(t *testing.T) (addrs []ma.Multiaddr, touched func() bool) {
	t.Helper()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came, ended := make(chan struct{}, 100), make(chan struct{}, 2)
	go func() {
		for c, err := tcp.Accept(); err == nil; c, err = tcp.Accept() {
			_ = c.Close()
			came <- struct{}{}
		}
		ended <- struct{}{}
	}()
	go func() {
		for _, _, err := udp.ReadFrom(make([]byte, 1500)); err == nil; _, _, err = udp.ReadFrom(make([]byte, 1500)) {
			came <- struct{}{}
		}
		ended <- struct{}{}
	}()
	stop := func() {
		_, _ = tcp.Close(), udp.Close()
	}
	t.Cleanup(stop)
	for _, at := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		a, err := manet.FromNetAddr(at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.ValueForProtocol(ma.P_UDP); err == nil {
			a = a.Encapsulate(ma.StringCast("/quic-v1"))
		}
		addrs = append(addrs, a)
	}
	addrs = append(addrs, addrs[0].Encapsulate(ma.StringCast("/ws")))
	return addrs, func() bool {
		// What was sent before this connection is in front of it in the queues.
		for _, at := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
			c, err := net.Dial(at.Network(), at.String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			<-came
			_ = c.Close()
		}
		stop()
		<-ended
		<-ended
		return len(came) > 0
	}
}

func TestNothingIsSentToWhatStrangersNameOnThisMachine(t *testing.T) {
	for what, dial := range map[string]func(ctx context.Context, a node, w reach.Want) error{
		"any path": func(ctx context.Context, a node, w reach.Want) error { _, _, err := a.Path(ctx, w); return err },
		"unproven": func(ctx context.Context, a node, w reach.Want) error {
			w.Unproven = w.Addrs
			_, _, err := a.Path(ctx, w)
			return err
		},
		"over TCP": func(ctx context.Context, a node, w reach.Want) error {
			w.Transport = reach.TCP
			_, _, err := a.Path(ctx, w)
			return err
		},
		"these alone": func(ctx context.Context, a node, w reach.Want) error {
			w.Only = true
			_, _, err := a.Path(ctx, w)
			return err
		},
		"through a relay there": func(ctx context.Context, a node, w reach.Want) error {
			hop := test.RandPeerIDFatal(t).String()
			for i := range w.Addrs {
				w.Addrs[i] = w.Addrs[i].Encapsulate(ma.StringCast("/p2p/" + hop + "/p2p-circuit"))
			}
			w.AllowRelay = true
			_, _, err := a.Path(ctx, w)
			return err
		},
		"the swarm": func(ctx context.Context, a node, w reach.Want) error {
			a.Peerstore().AddAddrs(w.Peer, w.Addrs, peerstore.TempAddrTTL)
			_, err := a.Network().DialPeer(ctx, w.Peer)
			return err
		},
		"a name": func(ctx context.Context, a node, w reach.Want) error {
			_, port := ma.SplitFirst(w.Addrs[0])
			w.Addrs = []ma.Multiaddr{ma.StringCast("/dns4/localhost").Encapsulate(port.Multiaddr())}
			w.Unproven = w.Addrs
			_, _, err := a.Path(ctx, w)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			a, _ := gated(t, reach.TCP, reach.QUIC, reach.WS)
			addrs, touched := victims(t)
			err := dial(within(t), a, reach.Want{Peer: test.RandPeerIDFatal(t), Addrs: addrs, Explicit: true})
			if err == nil {
				t.Error("connected")
			}
			if touched() {
				t.Error("something came to what a stranger named")
			}
			if what == "the swarm" {
				return
			}
			if wire.CodeOf(err) != wire.Unreachable || !strings.Contains(err.Error(), "127.0.0.1 is on this machine") ||
				!strings.Contains(wire.NextOf(err), "--join") {
				t.Errorf("%v; next: %s", err, wire.NextOf(err))
			}
		})
	}
}

func TestWhoIsVouchedForIsDialledOnThisMachine(t *testing.T) {
	b := newNode(t, []reach.Transport{reach.TCP, reach.QUIC})
	at := b.on(reach.TCP)
	_, port := ma.SplitFirst(at[0])
	name := []ma.Multiaddr{ma.StringCast("/dns4/localhost").Encapsulate(port.Multiaddr())}
	for what, addrs := range map[string][]ma.Multiaddr{"address": at, "name": name} {
		t.Run(what, func(t *testing.T) {
			a, g := gated(t)
			w := reach.Want{Peer: b.ID(), Addrs: addrs, Explicit: true}
			fails(t, a, w, wire.Unreachable)
			g.Trust(reach.ByPerson, b.ID(), addrs...)
			a.path(t, w)
			// It was found there, so that its other port counts as its own too.
			a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC), Transport: reach.QUIC, Unproven: b.on(reach.QUIC)})
		})
	}
}

func TestUnprovenAddressesLeadToAPath(t *testing.T) {
	a := newNode(t, []reach.Transport{reach.TCP, reach.QUIC})
	b := newNode(t, []reach.Transport{reach.TCP, reach.QUIC, reach.WS})
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.Addrs(), Unproven: b.Addrs(), Explicit: true})
}

func TestUnprovenRelaysAreDialledBySwarmAfterTheRest(t *testing.T) {
	a := newNode(t, nil)
	b, via := relayed(t)
	dead := ma.StringCast("/ip4/127.0.0.1/tcp/1")
	addrs := []ma.Multiaddr{dead, via}
	p := a.path(t, reach.Want{Peer: b.ID(), Addrs: addrs, Unproven: addrs, AllowRelay: true, Explicit: true})
	if p.Transport() != reach.Relay || a.Adopted(p.Conn()) {
		t.Errorf("%s, adopted %v: hole punching takes no note of it", p.Remote(), a.Adopted(p.Conn()))
	}
}

func TestRelaysAreLeftAloneByWhoWantsADirectPathAndTheRestIsUnproven(t *testing.T) {
	a := newNode(t, nil)
	b, via := relayed(t)
	addrs := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1"), via}
	w := reach.Want{Peer: b.ID(), Addrs: addrs, Unproven: addrs, Explicit: true, NoPunch: true}
	fails(t, a, w, wire.Unreachable)
	w.Unproven = addrs[1:] // nothing but the relay is
	fails(t, a, w, wire.Unreachable)
	w.AllowRelay = true
	if p := a.path(t, w); p.Transport() != reach.Relay {
		t.Errorf("path %s", p.Remote())
	}
}
