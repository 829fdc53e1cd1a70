package reach

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	// PunchTime is how long a hole punch may take from the beginning of the
	// relayed connection that carries its signals.
	PunchTime = 10 * time.Second

	// PreferTime is how long a direct path is sought for a want that prefers
	// one, from the beginning of the relayed connection that it else gets.
	PreferTime = 6 * time.Second

	// identifyTime is when a node that punches holes has said so.
	identifyTime = 2 * time.Second
)

// signals reports whether a direct path that cannot be dialled may come of hole
// punching: a relay to the peer is known.
func (r *Reach) signals(w Want) bool {
	if w.Only || w.Transport == Relay {
		return false
	}
	if len(r.Paths(w.Peer)) > 0 { // a direct one would have served, or is of another transport
		return !r.Paths(w.Peer)[0].Direct()
	}
	all := Want{Peer: w.Peer, Addrs: w.Addrs, AllowRelay: true}
	return slices.ContainsFunc(r.known(all), func(a ma.Multiaddr) bool {
		return TransportOf(a) == Relay && r.sw.TransportForDialing(a) != nil
	})
}

// punches reports whether this node takes part in hole punching. go-libp2p
// offers the protocol from the moment it knows a public address of its own.
func (r *Reach) punches() bool {
	return slices.Contains(r.cfg.Host.Mux().Protocols(), holepunch.Protocol)
}

// seek gets a direct path to a peer behind a relay. The swarm dials all
// addresses, those on a relay somewhat later. If a relayed connection is all
// that comes of it, the far side begins to punch holes (DCUtR: whoever took the
// relayed connection does), and the direct connection is waited for.
func (r *Reach) seek(ctx context.Context, w Want) (network.Conn, []Attempt) {
	begun := time.Now()
	r.closeIdle(ctx, w.Peer)
	all := Want{Peer: w.Peer, Addrs: w.Addrs, Unproven: w.Unproven, AllowRelay: true, Explicit: w.Explicit}
	dialing, cancel := context.WithTimeout(ctx, r.cfg.DialTimeout)
	conn, attempts := r.viaSwarm(dialing, all)
	cancel()
	if conn == nil || TransportOfConn(conn) != Relay {
		return r.fitting(w, conn, attempts)
	}
	attempts = nil // the relayed connection is not what was sought
	if opened := conn.Stat().Opened; !opened.Before(begun) {
		attempts = r.outrun(w, begun, opened)
	}
	direct, more := r.await(ctx, w, conn)
	attempts = append(attempts, more...)
	if direct != nil || !w.admits(Relay) || conn.IsClosed() {
		return direct, attempts
	}
	return conn, append(attempts, Attempt{Addr: conn.RemoteMultiaddr(), Transport: Relay, Started: begun, Took: time.Since(begun)})
}

// fitting is conn if it serves w. The swarm may have reached the peer over
// another transport than the one required.
func (r *Reach) fitting(w Want, conn network.Conn, attempts []Attempt) (network.Conn, []Attempt) {
	if conn == nil || w.admits(TransportOfConn(conn)) {
		return conn, attempts
	}
	return nil, nil
}

// unpunched is the attempt at hole punching that this node cannot make.
func (r *Reach) unpunched(w Want) Attempt {
	a := Attempt{Transport: Relay, Started: time.Now(), Punch: true, Err: r.notPunched(w.Peer, time.Now())}
	if paths := r.Paths(w.Peer); len(paths) > 0 {
		a.Addr = paths[0].Remote()
	} else if known := r.known(Want{Peer: w.Peer, Addrs: w.Addrs, Transport: Relay}); len(known) > 0 {
		a.Addr = known[0]
	}
	return a
}

// outrun are attempts for the direct addresses that had not answered when the
// relay had.
func (r *Reach) outrun(w Want, begun, relayed time.Time) []Attempt {
	var late []Attempt
	for _, a := range r.known(Want{Peer: w.Peer, Addrs: w.Addrs, Transport: w.Transport}) {
		late = append(late, Attempt{
			Addr: a, Transport: TransportOf(a), Started: begun, Took: relayed.Sub(begun),
			Err: wire.Errorf(wire.Timeout, "no answer before the relay's"),
		})
	}
	return late
}

// await waits for a direct path as w wants it, that hole punching over relayed
// makes. A failure is told as an attempt.
func (r *Reach) await(ctx context.Context, w Want, relayed network.Conn) (network.Conn, []Attempt) {
	begun, patience := time.Now(), PunchTime
	if w.PreferDirect {
		patience = PreferTime
	}
	watch := r.watch(w.Peer, Path.Direct)
	defer r.watches.drop(w.Peer, watch)
	enough := time.NewTimer(patience - (Path{relayed, r}).age())
	defer enough.Stop()
	hopeless := time.NewTimer(identifyTime)
	defer hopeless.Stop()
	failed := func(why error) []Attempt {
		return []Attempt{{Addr: relayed.RemoteMultiaddr(), Transport: Relay, Started: begun, Took: time.Since(begun), Punch: true, Err: why}}
	}
	for {
		select {
		case p, ok := <-watch.news:
			switch {
			case !ok:
				return nil, failed(errClosed())
			case !w.admits(p.Transport()):
				return nil, failed(wire.Errorf(wire.Unreachable, "hole punching gave a path over %s", p.Transport()).
					WithNext("ask for that transport, or for any"))
			}
			return p.conn, []Attempt{{
				Addr: p.Remote(), Transport: p.Transport(), Started: begun, Took: time.Since(begun), Punch: true,
			}}
		case <-hopeless.C:
			if !r.farPunches(w.Peer) {
				// Nothing is to be disturbed by a dial, and time is left for one.
				conn, attempts := r.late(ctx, w)
				if conn != nil {
					return conn, attempts
				}
				return nil, append(attempts, failed(r.notPunched(w.Peer, begun))...)
			}
		case <-enough.C:
			return nil, failed(r.notPunched(w.Peer, begun))
		case <-ctx.Done():
			return nil, failed(cause(ctx.Err()))
		}
	}
}

// late dials the direct addresses once more, with all the time that a dial
// may take.
func (r *Reach) late(ctx context.Context, w Want) (network.Conn, []Attempt) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.DialTimeout)
	defer cancel()
	conn, attempts := r.viaSwarm(ctx, Want{Peer: w.Peer, Addrs: w.Addrs, Unproven: w.Unproven, Explicit: w.Explicit})
	return r.fitting(w, conn, attempts)
}

// farPunches reports whether p takes part in hole punching, as far as its
// identify message told.
func (r *Reach) farPunches(p peer.ID) bool { return Speaks(r.cfg.Host, p, holepunch.Protocol) }

// notPunched says why hole punching with p, begun then, has come to nothing.
func (r *Reach) notPunched(p peer.ID, begun time.Time) error {
	const next = "allow a relayed path, or open a port at one of the two sides"
	switch why := r.cfg.Punches.since(p, begun); {
	case !r.punches():
		return wire.Errorf(wire.Unreachable, "hole punching did not succeed: this node knows no public address of its own").WithNext(next)
	case !r.farPunches(p):
		return wire.Errorf(wire.Unreachable, "hole punching did not succeed: the far side does not do it, or knows no public address of its own").WithNext(next)
	case why != "":
		return wire.Errorf(wire.Unreachable, "hole punching did not succeed: %s", why).WithNext(next)
	}
	return wire.Errorf(wire.Unreachable, "hole punching did not succeed: no direct connection within %s", PunchTime).WithNext(next)
}
