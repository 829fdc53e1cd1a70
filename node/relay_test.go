package node

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

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
