package node

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// noLeak fails the test if goroutines are left at its end. What is ignored ends
// by itself soon after Close, and libp2p gives no way to wait for it:
//   - The UPnP search of libp2p's NAT manager does not look at its context, and
//     listens for answers until its 5 s are over.
//   - Identify sets a read deadline on its WebRTC stream; the timer's goroutine
//     in pion's SCTP lives until that deadline.
func noLeak(t *testing.T) {
	t.Helper()
	goleak.VerifyNone(t,
		goleak.IgnoreAnyFunction("github.com/koron/go-ssdp.Search"),
		goleak.IgnoreAnyFunction("github.com/pion/sctp.(*Stream).SetReadDeadline.func1"))
}

// ticket is how others join through n.
func ticket(n *Node) string { return n.Ticket().String() }

func TestSeveralNodesWithAllTransportsLeaveNothingTwice(t *testing.T) {
	for range 2 {
		func() {
			defer noLeak(t)
			a, err := Start(t.Context(), local())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			var others []*Node
			for _, want := range []reach.Transport{reach.TCP, reach.QUIC, reach.WS, reach.WebTransport, reach.WebRTC} {
				cfg := local()
				cfg.Join = []string{ticket(a)}
				b, err := Start(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				others = append(others, b)
				ctx := within(t, 10*time.Second)
				if err := b.Ready(ctx); err != nil {
					t.Error(err)
				}
				w := reach.Want{Peer: a.ID(), Addrs: a.Addrs(), Transport: want, Explicit: true}
				if _, _, err := b.Reach().Path(ctx, w); err != nil {
					t.Errorf("%s: %v", want, err)
				}
			}
			for _, b := range others {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if err := b.Close(); err != nil {
					t.Errorf("second close: %v", err)
				}
			}
		}()
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	taken := []string{
		fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", tcp.Addr().(*net.TCPAddr).Port),
		fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", udp.LocalAddr().(*net.UDPAddr).Port),
	}
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	for _, a := range taken {
		cfg := local("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1/webtransport", a)
		cfg.StateDir = dir
		if n, err := Start(t.Context(), cfg); err == nil {
			t.Errorf("%s: started on %v", a, n.Addrs())
			n.Close()
		}
		goleak.VerifyNone(t, before)
	}
	cfg := local()
	cfg.StateDir = dir
	start(t, cfg) // nothing holds the directory
}

func TestStartThatIsCalledOffLeavesNothing(t *testing.T) {
	defer noLeak(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, local()); wire.CodeOf(err) != wire.Closed {
		t.Errorf("error %v", err)
	}
}

func TestNodeWithEverythingOnLeavesNothing(t *testing.T) {
	defer noLeak(t)
	n, err := Start(t.Context(), Config{StateDir: t.TempDir(), Relay: Relay{Serve: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseWhileConnectingLeavesNothing(t *testing.T) {
	defer noLeak(t)
	a, err := Start(t.Context(), local())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Start(t.Context(), local())
	if err != nil {
		t.Fatal(err)
	}
	dialled := make(chan error)
	go func() {
		dialled <- b.Host().Connect(context.Background(), peer.AddrInfo{ID: a.ID(), Addrs: a.Addrs()})
	}()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	<-dialled // either way
}
