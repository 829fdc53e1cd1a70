package node

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/test"
	"github.com/libp2p/go-libp2p/p2p/net/conngater"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestCloseInTheMiddleOfDialsLeavesNothing(t *testing.T) {
	for range 10 {
		closeAmidDials(t)
	}
}

func closeAmidDials(t *testing.T) {
	defer noLeak(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0") // answers nobody
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Join = []string{at.String() + "/p2p/" + test.RandPeerIDFatal(t).String()} // discovery dials, too
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	dial := func(w reach.Want) {
		calls.Go(func() {
			w.Peer, w.Addrs, w.Explicit = test.RandPeerIDFatal(t), []ma.Multiaddr{at}, true
			if _, _, err := n.Reach().Path(context.Background(), w); wire.CodeOf(err) != wire.Closed {
				t.Errorf("%+v: %v", w, err)
			}
		})
	}
	wants := []reach.Want{{}, {AllowRelay: true}, {AllowRelay: true, PreferDirect: true}, {Transport: reach.TCP}, {Only: true}, {Unproven: []ma.Multiaddr{at}}}
	for _, w := range wants {
		dial(w)
	}
	calls.Go(func() {
		ctx := network.WithForceDirectDial(context.Background(), "as hole punching does")
		_ = n.Host().Connect(ctx, peer.AddrInfo{ID: test.RandPeerIDFatal(t), Addrs: []ma.Multiaddr{at}})
	})
	c, err := l.Accept() // one dial is under way, and others are about to be
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	calls.Wait()
}

// A dial that is about to be allowed when the node closes must not find a swarm
// without transports: go-libp2p would crash.
func TestDialsThatAreJudgedWhileTheNodeClosesAreRefused(t *testing.T) {
	defer noLeak(t)
	basic, err := conngater.NewBasicConnectionGater(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &pensive{BasicConnectionGater: basic, asked: make(chan struct{}), decide: make(chan struct{})}
	cfg := local("/ip4/127.0.0.1/tcp/0")
	cfg.Libp2p = []libp2p.Option{libp2p.ConnectionGater(g)}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() {
		ctx := network.WithForceDirectDial(context.Background(), "as hole punching does")
		told <- n.Host().Connect(ctx, peer.AddrInfo{ID: test.RandPeerIDFatal(t), Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1")}})
	}()
	<-g.asked
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	close(g.decide)
	if err := <-told; err == nil {
		t.Error("a dial of a closed node")
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
