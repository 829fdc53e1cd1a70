package reach

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
)

// given is p on its way to who wants w.
func (r *Reach) given(w Want, p Path) Path {
	r.mu.Lock()
	r.lendLocked(p)
	r.mu.Unlock()
	if !p.Direct() && w.Transport != Relay {
		r.Improve(w.Peer)
	}
	return p
}

// obtain makes a path. The error is what ended it early, if anything did.
func (r *Reach) obtain(ctx context.Context, w Want) (network.Conn, []Attempt, error) {
	if w.Transport == Any && (!w.AllowRelay || w.PreferDirect) && !w.NoPunch && r.signals(w) && r.punches() {
		conn, attempts := r.seek(ctx, w)
		return conn, attempts, ctx.Err()
	}
	dialing, cancel := context.WithTimeout(ctx, r.cfg.DialTimeout)
	defer cancel()
	conn, attempts := r.dial(dialing, w)
	switch {
	case conn != nil || ctx.Err() != nil || w.admits(Relay) || w.NoPunch || !r.signals(w):
		return conn, attempts, dialing.Err()
	case !r.punches():
		return nil, append(attempts, r.unpunched(w)), dialing.Err()
	}
	conn, more := r.seek(ctx, w) // the transport that is required may be had by punching
	return conn, append(attempts, more...), ctx.Err()
}

// dial makes a path by dialling alone.
func (r *Reach) dial(ctx context.Context, w Want) (network.Conn, []Attempt) {
	switch {
	case w.Transport == Relay && !w.Only:
		return r.viaRelay(ctx, w)
	case w.Transport != Any || w.Only:
		return r.fly(ctx, w)
	case !w.AllowRelay || !w.PreferDirect:
		return r.viaSwarm(ctx, w)
	}
	direct := w
	direct.AllowRelay = false
	first, cancel := context.WithTimeout(ctx, PreferTime)
	conn, attempts := r.viaSwarm(first, direct)
	cancel()
	if conn != nil || ctx.Err() != nil || !r.signals(w) {
		return conn, attempts
	}
	conn, more := r.viaSwarm(ctx, w)
	return conn, append(attempts, more...)
}

// viaRelay gets a relayed connection by the swarm's own dialling, since hole
// punching takes no note of an adopted one. That is impossible where a direct
// connection exists, or comes of the dial: then none is missed, and the relayed
// one is made beside it.
func (r *Reach) viaRelay(ctx context.Context, w Want) (network.Conn, []Attempt) {
	if paths := r.Paths(w.Peer); len(paths) == 0 {
		w.AllowRelay = true
		conn, attempts := r.viaSwarm(ctx, w)
		if conn == nil || TransportOfConn(conn) == Relay {
			return conn, attempts
		}
	}
	return r.fly(ctx, w)
}
