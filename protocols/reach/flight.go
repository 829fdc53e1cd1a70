package reach

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// flightKey names a dial that several callers can share.
type flightKey struct {
	peer      peer.ID
	transport Transport
	relay     bool // may end in a relayed path
}

// flight is a race that is being run, and who waits for it.
type flight struct {
	key   flightKey       // fixed
	addrs map[string]bool // the binary addresses it dials; fixed
	race  *race
	stop  context.CancelCauseFunc
	done  chan struct{} // closed with conn and err set

	waiters int // guarded by Reach.mu

	conn network.Conn
	err  error // of adoption
}

// fly gets a connection by dialling outside the swarm, beside whatever
// connections exist, and adopting the result. Callers for one peer and
// transport share a flight; one that failed is followed by another for the
// addresses that it did not cover.
func (r *Reach) fly(ctx context.Context, w Want) (network.Conn, []Attempt) {
	addrs, wary, attempts := r.dialable(ctx, w)
	w.wary = wary
	for len(addrs) > 0 && ctx.Err() == nil {
		f, landed := r.board(w, addrs)
		if !landed.IsZero() {
			return landed.conn, append(attempts, reused(landed))
		}
		if f == nil {
			break // closed
		}
		conn, more := r.wait(ctx, f)
		attempts = append(attempts, more...)
		if conn != nil {
			return conn, attempts
		}
		addrs = f.left(addrs)
	}
	return nil, attempts
}

// left is what of addrs the flight did not dial.
func (f *flight) left(addrs []ma.Multiaddr) []ma.Multiaddr {
	var rest []ma.Multiaddr
	for _, a := range addrs {
		if !f.addrs[string(a.Bytes())] {
			rest = append(rest, a)
		}
	}
	return rest
}

// board joins the flight that w can share, or starts one for addrs. It returns
// the path instead if a flight landed since the caller looked, and neither once
// the Reach is closed.
func (r *Reach) board(w Want, addrs []ma.Multiaddr) (*flight, Path) {
	key := flightKey{w.Peer, w.Transport, w.admits(Relay)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, Path{}
	}
	if f := r.flights[key]; f != nil {
		f.waiters++
		return f, Path{}
	}
	if p, ok := r.takeLocked(w); ok {
		return nil, p
	}
	ctx, stop := context.WithCancelCause(r.ctx)
	f := &flight{key: key, addrs: make(map[string]bool), stop: stop, done: make(chan struct{}), waiters: 1}
	for _, a := range addrs {
		f.addrs[string(a.Bytes())] = true
	}
	f.race = &race{dial: r.dialer(key.peer), goes: r.goes, wary: w.wary}
	r.flights[key] = f
	r.running.Go(func() {
		defer stop(nil)
		if tc := f.race.run(ctx, rankWary(addrs, w.wary)); tc != nil {
			f.conn, f.err = r.adopter.adopt(ctx, r.sw, tc)
		}
		r.mu.Lock()
		r.unlistLocked(f)
		r.mu.Unlock()
		close(f.done)
	})
	return f, Path{}
}

// wait waits for a flight. The last waiter that leaves early ends it.
func (r *Reach) wait(ctx context.Context, f *flight) (network.Conn, []Attempt) {
	select {
	case <-f.done:
	case <-ctx.Done():
		if !r.leave(f) {
			return nil, f.race.noted(cause(ctx.Err()))
		}
		f.stop(ctx.Err())
		<-f.done
	}
	attempts := f.race.noted(cause(ctx.Err()))
	if f.err != nil {
		for i := range attempts {
			if attempts[i].Err == nil {
				attempts[i].Err = cause(f.err)
			}
		}
	}
	return f.conn, attempts
}

// leave takes a waiter off f, and reports whether it was the last. Nobody
// boards from then on a flight that is about to be stopped.
func (r *Reach) leave(f *flight) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return false
	}
	r.unlistLocked(f)
	return true
}

// unlistLocked lets nobody board f any more. Another flight may have taken its
// place already.
func (r *Reach) unlistLocked(f *flight) {
	if r.flights[f.key] == f {
		delete(r.flights, f.key)
	}
}

// dialer dials single addresses as the swarm would: failures count for its
// back-off, and a connection to somebody else is none.
func (r *Reach) dialer(p peer.ID) func(context.Context, ma.Multiaddr) (transport.CapableConn, error) {
	return func(ctx context.Context, a ma.Multiaddr) (transport.CapableConn, error) {
		tpt := r.sw.TransportForDialing(a)
		if tpt == nil {
			return nil, swarm.ErrNoTransport
		}
		conn, err := tpt.Dial(ctx, a, p)
		if err != nil {
			if ctx.Err() == nil {
				r.sw.Backoff().AddBackoff(p, a)
			}
			return nil, err
		}
		return conn, nil
	}
}

// goes runs f on a goroutine that Close joins, unless it dials through a
// relay: go-libp2p does not let go of such a dial when its context ends, so it
// ends with its own deadline or with the host, and Join joins it.
func (r *Reach) goes(relayed bool, f func()) {
	if relayed {
		r.lasting.Go(f)
		return
	}
	r.running.Go(f)
}
