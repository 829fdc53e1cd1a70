package reach

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// directFirst is the time that unproven direct addresses have before relayed
// ones are dialled.
const directFirst = 2 * time.Second

// warily gets a connection where some of the addresses are unproven. The swarm
// would dial all that it has at once, so unproven direct ones are dialled here,
// with the proven ones. Relayed ones come after them, two at a time, by the
// swarm, since hole punching makes a better path only beside what the swarm has
// dialled.
func (r *Reach) warily(ctx context.Context, w Want) (conn network.Conn, attempts []Attempt) {
	if w.Explicit {
		r.sw.Backoff().Clear(w.Peer)
	}
	direct, relayed := w.split()
	left := w
	left.Unproven, left.Explicit = nil, false // back-off was cleared, and what fails here is not to be dialled again
	if slices.ContainsFunc(direct, w.unproven) {
		if conn, attempts = r.flyFirst(ctx, w, direct, len(relayed) > 0); conn != nil {
			return conn, attempts
		}
		if direct = nil; len(relayed) == 0 {
			return nil, attempts
		}
	}
	for first := true; ctx.Err() == nil && (first || len(relayed) > 0); first = false {
		some := min(len(relayed), mostWary)
		left.Addrs = slices.Concat(direct, relayed[:some])
		direct, relayed = nil, relayed[some:]
		var more []Attempt
		conn, more = r.swarmDial(ctx, left)
		attempts = append(attempts, more...)
		if conn != nil {
			break
		}
	}
	return conn, attempts
}

// flyFirst dials direct addresses, for a short while if others come after them.
func (r *Reach) flyFirst(ctx context.Context, w Want, direct []ma.Multiaddr, others bool) (network.Conn, []Attempt) {
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, directFirst)
		defer cancel()
	}
	w.Addrs, w.AllowRelay = direct, false
	return r.fly(ctx, w)
}

// split parts the addresses of w that serve it.
func (w Want) split() (direct, relayed []ma.Multiaddr) {
	for _, a := range w.Addrs {
		switch t := TransportOf(a); {
		case t == Relay && w.admits(t):
			relayed = append(relayed, a)
		case isDNSAddr(a), w.admits(t):
			direct = append(direct, a)
		}
	}
	return direct, relayed
}

// gate is the node's Gate, nil if it has none.
func (r *Reach) gate() *Gate {
	g, _ := r.cfg.Gater.(*Gate)
	return g
}

// tellGate tells the gate what w says of where the peer is, and takes those
// out of w.Unproven at which this node was connected to it.
func (r *Reach) tellGate(ctx context.Context, w Want) Want {
	g := r.gate()
	if g == nil {
		return w
	}
	g.sighted(w.Peer, w.Seen)
	for _, a := range w.Addrs {
		// Who vouches for a name vouches for what it stands for.
		if by, ok := g.named(w.Peer, a); ok {
			if resolved, err := r.resolve(ctx, w.Peer, a); err == nil {
				g.Trust(by, w.Peer, resolved...)
			}
		}
	}
	w.Unproven = slices.DeleteFunc(slices.Clone(w.Unproven), func(a ma.Multiaddr) bool { return g.found(w.Peer, a) })
	return w
}

// gated puts the gate's reason in the place of the swarm's bare word for it.
func (r *Reach) gated(p peer.ID, a ma.Multiaddr, err error) error {
	if g := r.gate(); g != nil && errors.Is(err, swarm.ErrGaterDisallowedConnection) {
		return g.refusal(p, a)
	}
	return err
}
