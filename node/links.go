package node

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/trunk"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// startLinks makes trunks and the links on them. Who opens a link says by the
// kind of its route's key who finds a path for it: so far that is the pipe
// service, which is there before it opens the first.
func (n *Node) startLinks(ctx context.Context) (err error) {
	l, tracer := n.cfg.Limits, newLegTracer(n.reg)
	n.links = link.New(link.Config{
		Self: n.host.ID(), Trunks: lateTrunks{n},
		Trace: func(e link.Event) {
			tracer.trace(e)
			n.legs.tell(e)
		},
		Redial: func(ctx context.Context, r link.Route) (reach.Path, error) { return n.pipes.Redial(ctx, r) },
		Grace:  n.cfg.LinkGrace, Window: uint64(l.LinkWindow), Memory: uint64(l.LinkMemory),
		Links: l.Links, LinksPerPeer: l.LinksPerPeer,
		Hostile: func(p peer.ID, err error) {
			n.log("link").Debug("peer breaks the rules of links", "peer", p, "error", err)
		},
	})
	n.trunks, err = trunk.New(trunk.Config{
		Self: n.host.ID(), Overlay: n.cfg.Overlay, Reach: n.reach, Accept: n.links.Accept, Log: n.log("trunk"),
	})
	if err != nil {
		return err
	}
	registerTrunks(n.reg, n.trunks.Stats)
	n.onClose(n.trunks.Close)
	n.run(ctx, "link", n.retryLinks, n.links.Close)
	return nil
}

// retryLinks has links that wait for a path try at once when the network has
// changed, those that others have opened too when this node's address has.
func (n *Node) retryLinks(ctx context.Context) error {
	for d := range n.reach.Disturbed(ctx) {
		if d.Changed {
			n.links.AddressChanged()
		} else {
			n.links.Retry()
		}
	}
	return wire.Errorf(wire.Closed, "paths are closed")
}

// lateTrunks are the node's trunks, which its links are made before.
type lateTrunks struct{ n *Node }

func (l lateTrunks) Attach(ctx context.Context, p reach.Path, o trunk.Owner, own bool) (*trunk.Leg, error) {
	return l.n.trunks.Attach(ctx, p, o, own)
}
