package discovery

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// seeds returns what a walk begins with: the nearest K of the routing table and
// every connected server. Those connected need no address. Where no server is
// connected, a node that has only just started among them, the walk does not
// wait for the join: it asks the nodes to join through itself.
func (d *Discovery) seeds(key wire.Key) []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, p := range d.nearest(key, K) {
		in := peer.AddrInfo{ID: p.id, Addrs: d.addrs(p.id)}
		if len(in.Addrs) > 0 || d.live(p.id) {
			out = append(out, in)
		}
	}
	if d.servers.count() > 0 {
		return out
	}
	return append(out, slices.DeleteFunc(slices.Clone(d.ways), func(p peer.AddrInfo) bool { return d.servesNot(p.ID) })...)
}

// servesNot reports that identify has told what p speaks, and that it is no
// server of this overlay.
func (d *Discovery) servesNot(p peer.ID) bool {
	told, err := d.cfg.Host.Peerstore().GetProtocols(p)
	return err == nil && len(told) > 0 && !d.serves(p)
}

// waysIn are the nodes that were known at the start: those that a person named
// and those remembered, each once. They are fixed, so that a walk can read
// them beside the loop. The gate is told that they are vouched for at once,
// since a walk may dial them before the loop runs.
func (d *Discovery) waysIn() (ways []peer.AddrInfo) {
	add := func(by reach.Voucher, in peer.AddrInfo) {
		if in.ID == d.self {
			return
		}
		d.cfg.Gate.Trust(by, in.ID, in.Addrs...)
		i := slices.IndexFunc(ways, func(w peer.AddrInfo) bool { return w.ID == in.ID })
		if i < 0 {
			ways = append(ways, peer.AddrInfo{ID: in.ID})
			i = len(ways) - 1
		}
		ways[i].Addrs = mergeAddrs(ways[i].Addrs, in.Addrs)
	}
	for _, in := range d.cfg.Join {
		add(reach.ByPerson, in)
	}
	for _, in := range d.memory.list() {
		add(reach.ByMemory, in)
	}
	return ways
}

// firstJoin waits until this node has joined for the first time, and no longer
// than an attempt to join takes: a call right after the start finds nobody yet.
// Later on nobody waits, since a network that is down is to be told at once.
func (d *Discovery) firstJoin(ctx context.Context) error {
	wait := time.NewTimer(d.cfg.JoinTimeout)
	defer wait.Stop()
	select {
	case <-d.board.begun:
		return nil
	case <-wait.C:
	case <-ctx.Done():
	}
	return notReady(d.board.read())
}
