package node

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// relayLook is how often, give or take a fifth, this node looks whether the
// relays that it is reached through live. A relay of which nothing has come since
// the last look is asked, so an idle one every other time. Else one that dies
// without a word would be announced until QUIC gives it up, which takes it 30 to
// 45 s.
const relayLook = 2500 * time.Millisecond

// watchRelays probes the paths to the relays in use. A dead one is closed, so
// that AutoRelay finds another and the node's bindings name that.
func (n *Node) watchRelays(ctx context.Context) error {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtAutoRelayAddrsUpdated), eventbus.Name("panpipe relays"))
	if err != nil {
		return wire.Errorf(wire.Internal, "watch relays: %w", err)
	}
	defer sub.Close()
	relays := make(map[peer.ID]struct{})
	looks := make(map[reach.Path]look)
	timer := time.NewTimer(0)
	timer.Stop() // until there is a relay
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-sub.Out():
			idle := len(relays) == 0
			clear(relays)
			for _, a := range e.(event.EvtAutoRelayAddrsUpdated).RelayAddrs {
				relays[reach.RelayOf(a)] = struct{}{}
			}
			if idle && len(relays) > 0 {
				timer.Reset(relayPause())
			}
		case <-timer.C:
			looks = n.lookAt(relays, looks)
			if len(relays) > 0 {
				timer.Reset(relayPause())
			}
		}
	}
}

// relayPause keeps nodes that lost a relay together from asking the next one in
// step.
func relayPause() time.Duration { return relayLook - relayLook/5 + rand.N(2*relayLook/5) }

// lookAt has reach judge the direct paths to the relays of which nothing was
// heard since the last looks.
func (n *Node) lookAt(relays map[peer.ID]struct{}, last map[reach.Path]look) map[reach.Path]look {
	looks := make(map[reach.Path]look)
	for relay := range relays {
		for _, p := range n.reach.Paths(relay) {
			if !p.Direct() {
				continue
			}
			looks[p] = last[p].next(p.Received())
			if looks[p].asked {
				n.reach.Doubt(p)
			}
		}
	}
	return looks
}

// look is how many packets a path had received, and whether it was asked then.
type look struct {
	received uint64
	asked    bool
}

// next is the look after l: it asks if nothing has come since then, and every
// other time where packets are not counted.
func (l look) next(received uint64) look {
	if received == 0 {
		return look{asked: !l.asked}
	}
	return look{received: received, asked: received == l.received}
}
