package node

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// relayProbe is how often the relays that this node is reached through are
// asked whether they live. Else one that dies without a word would be announced
// until QUIC gives it up, which takes it 30 to 45 s.
const relayProbe = 5 * time.Second

// watchRelays probes the paths to the relays in use. A dead one is closed, so
// that AutoRelay finds another and the node's bindings name that.
func (n *Node) watchRelays(ctx context.Context) error {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtAutoRelayAddrsUpdated), eventbus.Name("panpipe relays"))
	if err != nil {
		return wire.Errorf(wire.Internal, "watch relays: %w", err)
	}
	defer sub.Close()
	relays := make(map[peer.ID]struct{})
	timer := time.NewTimer(relayProbe)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-sub.Out():
			clear(relays)
			for _, a := range e.(event.EvtAutoRelayAddrsUpdated).RelayAddrs {
				relays[reach.RelayOf(a)] = struct{}{}
			}
		case <-timer.C:
		}
		if len(relays) == 0 {
			timer.Stop()
			continue
		}
		timer.Reset(relayProbe)
		n.probe(relays)
	}
}

// probe has reach judge every direct path to the relays.
func (n *Node) probe(relays map[peer.ID]struct{}) {
	for relay := range relays {
		for _, p := range n.reach.Paths(relay) {
			if p.Direct() {
				n.reach.Doubt(p)
			}
		}
	}
}
