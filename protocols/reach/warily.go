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

// warily gets a connection where some of the addresses are unproven. The swarm
// would dial all that it has at once, so the direct ones are dialled here. Then
// come the relayed ones, a few at a time, by the swarm, since hole punching
// makes a better path only beside what the swarm has dialled.
func (r *Reach) warily(ctx context.Context, w Want) (network.Conn, []Attempt) {
	if w.Explicit {
		r.sw.Backoff().Clear(w.Peer)
	}
	relays := w.relayed()
	direct := w
	direct.AllowRelay = false
	conn, attempts := r.flyFor(ctx, direct, len(relays) > 0)
	for ; conn == nil && len(relays) > 0 && ctx.Err() == nil; relays = relays[min(len(relays), mostWary):] {
		through := w
		through.Explicit = false // the direct ones have just failed
		through.Addrs = relays[:min(len(relays), mostWary)]
		var more []Attempt
		conn, more = r.viaSwarm(ctx, through)
		attempts = append(attempts, more...)
	}
	return conn, attempts
}

// flyFor dials directly, for half of the time if others come after it.
func (r *Reach) flyFor(ctx context.Context, w Want, others bool) (network.Conn, []Attempt) {
	if end, ok := ctx.Deadline(); ok && others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	return r.fly(ctx, w)
}

// relayed lists the relayed addresses of w that may be used.
func (w Want) relayed() []ma.Multiaddr {
	if !w.AllowRelay {
		return nil
	}
	direct := func(a ma.Multiaddr) bool { return TransportOf(a) != Relay }
	return slices.DeleteFunc(slices.Clone(w.Addrs), direct)
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
