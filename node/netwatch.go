package node

import (
	"context"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/reach/netwatch"
)

// startNetwatch has reach hear when the machine slept or its addresses have
// changed. Everybody else hears of it by reach and by the host.
func (n *Node) startNetwatch(ctx context.Context) {
	if n.cfg.DisableNetworkWatch {
		return
	}
	log := n.log("netwatch")
	watch := netwatch.New(func(e netwatch.Event) {
		log.Info("network disturbed", "slept", e.Slept, "changed", e.Changed, "gone", e.Gone)
		if e.Changed {
			n.place.moved(n.host, e.Gone)
		}
		n.reach.Disturb(reach.Disturbance(e))
	})
	n.run(ctx, "netwatch", watch.Run, func() error { return nil })
}
