package reach_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

var everyTransport = []reach.Transport{reach.TCP, reach.QUIC, reach.WS, reach.WebTransport, reach.WebRTC}

func TestRequiredTransportIsMadeBesideAnyOther(t *testing.T) {
	for _, first := range everyTransport {
		for _, second := range everyTransport {
			if first == second {
				continue
			}
			t.Run(fmt.Sprintf("%s beside %s", second, first), func(t *testing.T) {
				a := newNode(t, everyTransport)
				b := newNode(t, everyTransport)
				beside(t, a, b, first, second)
			})
		}
	}
}

// beside makes first from a to b, then second from a, then from b, and has
// streams live on each whatever happens to the others.
func beside(t *testing.T, a, b node, first, second reach.Transport) {
	one := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(first), Only: true})
	two := a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(second), Transport: second})
	for p, want := range map[reach.Path]reach.Transport{one: first, two: second} {
		if p.Transport() != want || p.Peer() != b.ID() || !p.Direct() {
			t.Fatalf("path %s over %s, want %s", p.Remote(), p.Transport(), want)
		}
	}
	if !a.Adopted(two.Conn()) {
		t.Error("the second connection is not known as adopted")
	}
	if again := a.path(t, reach.Want{Peer: b.ID(), Transport: second}); again != two {
		t.Error("the same want made another connection")
	}
	onOne, onTwo := open(t, one), open(t, two)
	say(t, onOne, "both sides have the first")
	say(t, onTwo, "both sides have the second")
	back := b.path(t, reach.Want{Peer: a.ID(), Transport: second}) // a dialled it: it serves b as it is
	if back.Transport() != second || b.Adopted(back.Conn()) {
		t.Errorf("b was given %s, dialled by itself: %v", back.Remote(), b.Adopted(back.Conn()))
	}

	onBack := open(t, back)
	for _, s := range []network.Stream{onOne, onTwo, onBack} {
		say(t, s, "both live")
	}
	noticed := disconnected(b)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	<-noticed
	say(t, onTwo, "the first is gone")
	say(t, onBack, "the first is gone")

	third := b.path(t, reach.Want{Peer: a.ID(), Addrs: a.on(first), Transport: first, Explicit: true})
	onThird := open(t, third)
	say(t, onThird, "from the other side")
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, onThird, "the second is gone")
	if got := a.path(t, reach.Want{Peer: b.ID()}); got.Transport() != first {
		t.Errorf("a is given %s after the second was closed", got.Remote())
	}
}

// disconnected is closed when n's swarm has lost a connection.
func disconnected(n node) <-chan struct{} {
	lost := make(chan struct{})
	var once sync.Once
	n.Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) {
		once.Do(func() { close(lost) })
	}})
	return lost
}

func TestIdentifyWorksOverAnAdoptedConnection(t *testing.T) {
	a := newNode(t, everyTransport)
	b := newNode(t, everyTransport)
	for _, n := range []node{a, b} {
		sub, err := n.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted), eventbus.BufSize(64))
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		defer func(other node) {
			for {
				select {
				case e := <-sub.Out():
					got := e.(event.EvtPeerIdentificationCompleted)
					if got.Peer == other.ID() && reach.TransportOf(got.Conn.RemoteMultiaddr()) == reach.WS {
						if !reach.Speaks(n.Host, other.ID(), echoID) || reach.Speaks(n.Host, other.ID(), "/test/nothing") {
							t.Error("identify told the wrong protocols")
						}
						return
					}
				case <-within(t).Done():
					t.Error("identify did not complete over the adopted connection")
					return
				}
			}
		}(map[bool]node{true: b, false: a}[n == a])
	}
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.WS), Transport: reach.WS})
}

func TestBothSidesMayAdoptAtOnce(t *testing.T) {
	a := newNode(t, everyTransport)
	b := newNode(t, everyTransport)
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP)})
	var wg sync.WaitGroup
	for _, pair := range [][2]node{{a, b}, {b, a}} {
		wg.Go(func() {
			from, to := pair[0], pair[1]
			p, _, err := from.Path(within(t), reach.Want{Peer: to.ID(), Addrs: to.on(reach.QUIC), Transport: reach.QUIC})
			if err != nil {
				t.Error(err)
				return
			}
			say(t, open(t, p), "hello")
		})
	}
	wg.Wait()
}

func TestCallersShareOneDial(t *testing.T) {
	a := newNode(t, everyTransport)
	b := newNode(t, everyTransport)
	a.path(t, reach.Want{Peer: b.ID(), Addrs: b.on(reach.QUIC)})
	var wg sync.WaitGroup
	paths := make([]reach.Path, 16)
	for i := range paths {
		wg.Go(func() {
			p, _, err := a.Path(within(t), reach.Want{Peer: b.ID(), Addrs: b.on(reach.TCP), Transport: reach.TCP})
			if err != nil {
				t.Error(err)
			}
			paths[i] = p
		})
	}
	wg.Wait()
	if len(slices.Compact(paths)) != 1 {
		t.Errorf("16 callers were given several connections")
	}
	if n := len(a.Paths(b.ID())); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

func TestPrivateAddressIsHidden(t *testing.T) {
	n := newNode(t, everyTransport)
	for _, a := range n.Addrs() {
		if _, err := a.ValueForProtocol(ma.P_MEMORY); err == nil {
			t.Errorf("%s is announced", a)
		}
	}
	if len(n.on(everyTransport...)) < len(everyTransport) {
		t.Errorf("addresses are missing: %s", n.Addrs())
	}
}
