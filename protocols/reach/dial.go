package reach

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// viaSwarm gets a connection by the swarm's own dialling, which is shared with
// everything else in the node that dials the same peer. Unproven addresses it
// is given only a few at a time.
func (r *Reach) viaSwarm(ctx context.Context, w Want) (network.Conn, []Attempt) {
	if len(w.Unproven) > 0 {
		return r.warily(ctx, w)
	}
	return r.swarmDial(ctx, w)
}

func (r *Reach) swarmDial(ctx context.Context, w Want) (network.Conn, []Attempt) {
	known := r.known(w)
	r.sw.Peerstore().AddAddrs(w.Peer, known, peerstore.TempAddrTTL)
	if w.Explicit {
		r.sw.Backoff().Clear(w.Peer)
	} else if attempts := r.backedOff(w, known); attempts != nil {
		return nil, attempts
	}
	if !w.AllowRelay {
		// This also passes over a relayed connection that exists.
		ctx = network.WithForceDirectDial(ctx, "a direct path is wanted")
	}
	start := time.Now()
	dialing, stop := r.unlessDirect(ctx, w.Peer)
	dialing, settled := r.unlessSlow(dialing, w.Peer, known, start)
	conn, err := r.sw.DialPeer(dialing, w.Peer)
	gaveUp := settled()
	stop()
	if paths := r.Paths(w.Peer); err != nil && ctx.Err() == nil && len(paths) > 0 && paths[0].Direct() {
		conn, err = paths[0].conn, nil
	}
	if err != nil && gaveUp && errors.Is(err, context.Canceled) {
		err = errGivenUp()
	}
	if err != nil {
		return nil, r.swarmAttempts(w.Peer, err, known, start)
	}
	a := conn.RemoteMultiaddr()
	return conn, []Attempt{{Addr: a, Transport: TransportOfConn(conn), Started: start, Took: time.Since(start)}}
}

// unlessDirect is a context that ends when a direct path to p is there, however
// it came: the swarm would wait for the addresses that it dials, though a hole
// was punched meanwhile.
func (r *Reach) unlessDirect(ctx context.Context, p peer.ID) (dialing context.Context, stop func()) {
	dialing, cancel := context.WithCancel(ctx)
	watch := r.watch(p, Path.Direct)
	var watching sync.WaitGroup
	watching.Go(func() {
		<-watch.news // closed in the end
		cancel()
	})
	return dialing, func() {
		r.watches.drop(p, watch)
		watching.Wait()
	}
}

// unlessSlow is a context that ends when none but slow ones of addrs are left;
// settled tells whether it did.
func (r *Reach) unlessSlow(ctx context.Context, p peer.ID, addrs []ma.Multiaddr, start time.Time) (dialing context.Context, settled func() bool) {
	dialing, cancel := context.WithCancel(ctx)
	gaveUp := false
	var watching sync.WaitGroup
	watching.Go(func() {
		gaveUp = r.cfg.Causes.slowLeft(dialing, p, addrs, start)
		cancel()
	})
	return dialing, func() bool {
		cancel()
		watching.Wait()
		return gaveUp
	}
}

// backedOff returns failed attempts when every address failed a moment ago,
// since the swarm dials regardless when told to dial directly.
func (r *Reach) backedOff(w Want, known []ma.Multiaddr) []Attempt {
	var attempts []Attempt
	for _, a := range known {
		if !r.sw.Backoff().Backoff(w.Peer, a) {
			return nil
		}
		attempts = append(attempts, failed(a, cause(swarm.ErrDialBackoff)))
	}
	return attempts
}

// swarmAttempts reads attempts out of the swarm's error. Where the swarm says
// nothing of single addresses, as when time ran out, each one has the cause that
// was heard of it meanwhile; those left share the common one.
func (r *Reach) swarmAttempts(p peer.ID, err error, known []ma.Multiaddr, start time.Time) []Attempt {
	var attempts []Attempt
	note := func(a ma.Multiaddr, err error) {
		if gated := r.gated(p, a, err); gated != err {
			attempts = append(attempts, failed(a, gated))
			return
		}
		attempts = append(attempts, Attempt{
			Addr: a, Transport: TransportOf(a), Started: start, Took: time.Since(start), Err: cause(err),
		})
	}
	var d *swarm.DialError
	if errors.As(err, &d) {
		for _, t := range d.DialErrors {
			note(t.Address, t.Cause)
		}
		err = d.Cause
	}
	if len(attempts) == 0 && !errors.Is(err, swarm.ErrNoAddresses) {
		for _, a := range known {
			if h, ok := r.cfg.Causes.since(p, a, start); ok {
				attempts = append(attempts, Attempt{
					Addr: a, Transport: TransportOf(a), Started: start, Took: h.when.Sub(start), Err: cause(h.why),
				})
				continue
			}
			note(a, err)
		}
	}
	return attempts
}

// failed is an attempt that was over before it began.
func failed(a ma.Multiaddr, err error) Attempt {
	return Attempt{Addr: a, Transport: TransportOf(a), Started: time.Now(), Err: err}
}

// reused is the attempt that found a path already there.
func reused(p Path) Attempt {
	return Attempt{Addr: p.Remote(), Transport: p.Transport(), Started: time.Now(), Reused: true}
}

// check refuses wants that make no sense.
func (r *Reach) check(w Want) error {
	if err := w.Peer.Validate(); err != nil {
		return wire.Errorf(wire.BadRequest, "no peer to reach: %w", err)
	}
	if w.Peer == r.sw.LocalPeer() {
		return wire.Errorf(wire.BadRequest, "%s is this node itself: %w", w.Peer, swarm.ErrDialToSelf)
	}
	if _, err := ParseTransport(string(w.Transport)); err != nil {
		return err
	}
	if g := r.gate(); g != nil && g.shut.Load() {
		return errClosed()
	}
	if r.cfg.Gater != nil && !r.cfg.Gater.InterceptPeerDial(w.Peer) {
		return wire.Errorf(wire.Forbidden, "this node's rules forbid dialling %s: %w", w.Peer, swarm.ErrGaterDisallowedConnection)
	}
	return nil
}
