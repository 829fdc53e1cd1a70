package reach_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/test"
	"github.com/libp2p/go-libp2p/p2p/net/conngater"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// slowly is a resolver that takes a while to notice the end of its context.
type slowly time.Duration

func (s slowly) ResolveDNSAddr(ctx context.Context, _ peer.ID, a ma.Multiaddr, _, _ int) ([]ma.Multiaddr, error) {
	return s.ResolveDNSComponent(ctx, a, 0)
}

func (s slowly) ResolveDNSComponent(ctx context.Context, _ ma.Multiaddr, _ int) ([]ma.Multiaddr, error) {
	<-ctx.Done()
	time.Sleep(time.Duration(s))
	return nil, ctx.Err()
}

func TestCloseJoinsCallsOfPath(t *testing.T) {
	world(t, reach.Config{Resolver: slowly(time.Second)}, func(t *testing.T, a, _ node) {
		told := make(chan error, 1)
		go func() {
			w := reach.Want{Peer: test.RandPeerIDFatal(t), Addrs: []ma.Multiaddr{ma.StringCast("/dns4/b.example/udp/1/quic-v1")}, Only: true}
			_, _, err := a.Path(t.Context(), w)
			told <- err
		}()
		synctest.Wait() // it asks for the name
		begun := time.Now()
		if err := a.Reach.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("closed after %v, and the call ends after a second", took)
		}
		if err := <-told; wire.CodeOf(err) != wire.Closed {
			t.Error(err)
		}
	})
}

func TestDialThroughASilentRelayIsJoinedAfterTheHost(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *cable) {
		relay := c.node(t, ipRelay, reach.Config{})
		asked := make(chan struct{})
		relay.SetStreamHandler(proto.ProtoIDv2Hop, func(s network.Stream) { close(asked) }) // and never answers
		a := c.node(t, ipA, reach.Config{}, libp2p.EnableRelay())
		via := relay.Host.Addrs()[0].Encapsulate(ma.StringCast("/p2p/" + relay.ID().String() + "/p2p-circuit"))
		told := make(chan error, 1)
		go func() {
			_, _, err := a.Path(t.Context(), reach.Want{Peer: test.RandPeerIDFatal(t), Addrs: []ma.Multiaddr{via}, Transport: reach.Relay, Only: true})
			told <- err
		}()
		<-asked
		if err := a.Reach.Close(); err != nil {
			t.Error(err)
		}
		if err := <-told; wire.CodeOf(err) != wire.Closed {
			t.Error(err)
		}
		joined := make(chan struct{})
		go func() {
			a.Join()
			close(joined)
		}()
		synctest.Wait()
		select {
		case <-joined:
			t.Error("joined while the dial goes on")
		default:
		}
		if err := a.Host.Close(); err != nil {
			t.Error(err)
		}
		<-joined
	})
}

// A dial that was about to be allowed when the node closed must not find the
// swarm without its transports: go-libp2p would crash.
func TestDialThatIsJudgedWhileTheHostClosesIsRefused(t *testing.T) {
	basic, err := conngater.NewBasicConnectionGater(nil)
	if err != nil {
		t.Fatal(err)
	}
	inner := &pensive{BasicConnectionGater: basic, asked: make(chan struct{}), decide: make(chan struct{})}
	gate := reach.NewGate(inner)
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.AddrsFactory(reach.HideAdopted), libp2p.ConnectionGater(gate), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	a := attach(t, h, reach.Config{Gater: gate})
	silent, _ := listener(t)
	p := test.RandPeerIDFatal(t)
	a.Peerstore().AddAddr(p, silent, peerstore.PermanentAddrTTL)
	told := make(chan error, 1)
	go func() {
		_, err := h.Network().DialPeer(network.WithForceDirectDial(context.Background(), "as hole punching does"), p)
		told <- err
	}()
	<-inner.asked
	for _, end := range []func() error{gate.Close, a.Reach.Close, h.Close} {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	close(inner.decide)
	if err := <-told; err == nil {
		t.Error("a dial of a closed host")
	}
	if _, _, err := a.Path(t.Context(), reach.Want{Peer: p}); wire.CodeOf(err) != wire.Closed {
		t.Errorf("after the end: %v", err)
	}
}

// pensive decides on an address when it is told to.
type pensive struct {
	*conngater.BasicConnectionGater
	asked, decide chan struct{}
}

func (g *pensive) InterceptAddrDial(peer.ID, ma.Multiaddr) bool {
	close(g.asked)
	<-g.decide
	return true
}
