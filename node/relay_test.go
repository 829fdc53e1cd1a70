package node

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// virtual starts nodes in a bubble's network, where all addresses are public
// and a packet takes 25 ms.
type virtual struct {
	net   *simnet.Simnet
	count int
}

func inVirtualTime(t *testing.T, f func(t *testing.T, v *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{net: &simnet.Simnet{LatencyFunc: simnet.StaticLatency(25 * time.Millisecond)}}
		v.net.Start()
		t.Cleanup(v.net.Close) // after the nodes, which are started later
		f(t, v)
	})
}

func (v *virtual) start(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	v.count++
	link := simnet.LinkSettings{BitsPerSecond: 100_000_000}
	cfg := local(fmt.Sprintf("/ip4/1.0.%d.1/udp/4001/quic-v1", v.count))
	cfg.Transports = []string{string(reach.QUIC), string(reach.Relay)}
	cfg.Libp2p = []libp2p.Option{
		simlibp2p.QUICSimnet(v.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.DisableIdentifyAddressDiscovery(),                               // asks the real machine for its interfaces
		func(c *libp2p.Config) error { c.EnableAutoNATv2 = false; return nil }, // dials back with real sockets
	}
	if change != nil {
		change(&cfg)
	}
	return start(t, cfg)
}

func TestNodesRunInVirtualTime(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		first := v.start(t, nil)
		began := time.Now()
		second := v.start(t, func(c *Config) { c.Join = []string{ticket(first)} })
		if err := second.Ready(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("ready after %v", took)
		}
		time.Sleep(2 * time.Hour)
		if s := second.Discovery().State(); !s.Joined || s.Peers != 1 {
			t.Errorf("hours later: %+v", s)
		}
	})
}

func TestPrivateNodeIsReachedThroughARelayOfTheOverlay(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		relay := v.start(t, func(c *Config) {
			c.Relay = Relay{Serve: true, MaxData: 1 << 30, MaxDuration: time.Hour}
			c.Role = "server"
		})
		declare(t, relay, network.ReachabilityPublic)
		join := func(c *Config) { c.Join = []string{ticket(relay)} }
		private, dialer := v.start(t, join), v.start(t, join)
		ctx := within(t, 5*time.Minute)
		if err := private.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		changes, err := private.Host().EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
		if err != nil {
			t.Fatal(err)
		}
		defer changes.Close()
		declare(t, private, network.ReachabilityPrivate)
		circuit := addrsOnRelay(ctx, private, changes)
		if len(circuit) == 0 {
			t.Fatalf("no address on a relay: %v", private.Addrs())
		}
		p, _, err := dialer.Reach().Path(ctx, reach.Want{Peer: private.ID(), Addrs: circuit, Only: true, AllowRelay: true, Explicit: true})
		if err != nil {
			t.Fatal(err)
		}
		if p.Direct() || !p.Conn().Stat().Limited {
			t.Errorf("path over %v is direct, or does not say that it is limited", p.Remote())
		}
	})
}

// declare says how n is reached, in discovery's place.
func declare(t *testing.T, n *Node, r network.Reachability) {
	t.Helper()
	e, err := n.Host().EventBus().Emitter(new(event.EvtLocalReachabilityChanged))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Emit(event.EvtLocalReachabilityChanged{Reachability: r}); err != nil {
		t.Fatal(err)
	}
}

// addrsOnRelay waits for addresses of n on a relay.
func addrsOnRelay(ctx context.Context, n *Node, changes event.Subscription) []ma.Multiaddr {
	onRelay := func(a ma.Multiaddr) bool { return reach.TransportOf(a) == reach.Relay }
	for {
		if found := ma.FilterAddrs(n.Addrs(), onRelay); len(found) > 0 {
			return found
		}
		select {
		case <-changes.Out():
		case <-ctx.Done():
			return nil
		}
	}
}
