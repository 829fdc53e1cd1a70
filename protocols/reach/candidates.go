package reach

import (
	"context"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Caps on what one want may set in motion. Addresses come from strangers.
const (
	maxAddrs     = 32 // addresses looked at, the caller's own first
	maxDials     = 16 // addresses dialled, after names were resolved
	dnsaddrDepth = 4  // /dnsaddr records that point to others
)

// admits reports whether a path over t serves w.
func (w Want) admits(t Transport) bool {
	if w.Transport != Any {
		return t == w.Transport
	}
	return t != Relay || w.AllowRelay
}

// bare removes the peer's own ID from the end of a. It is false for an address
// that belongs to somebody else.
func bare(a ma.Multiaddr, p peer.ID) (ma.Multiaddr, bool) {
	id, err := peer.IDFromP2PAddr(a)
	if err != nil {
		return a, len(a) > 0 // no peer ID at its end
	}
	if id != p {
		return a, false
	}
	a, _ = ma.SplitLast(a)
	return a, len(a) > 0
}

// known lists the addresses that w may dial, unresolved: its own, then the
// peerstore's. Names under /dnsaddr may turn out to be anything and stay in.
func (r *Reach) known(w Want) []ma.Multiaddr {
	all := w.Addrs[:len(w.Addrs):len(w.Addrs)]
	if !w.Only {
		all = append(all, r.sw.Peerstore().Addrs(w.Peer)...)
	}
	var fit []ma.Multiaddr
	for _, a := range all {
		b, ok := bare(a, w.Peer)
		if ok && (isDNSAddr(b) || w.admits(TransportOf(b))) && !ma.Contains(fit, b) {
			fit = append(fit, b)
		}
		if len(fit) == maxAddrs {
			break
		}
	}
	return fit
}

// dialable resolves what known lists into addresses that a transport can dial,
// and says which of these are wary. What cannot be dialled comes back as failed
// attempts.
func (r *Reach) dialable(ctx context.Context, w Want) (good []ma.Multiaddr, wary map[string]bool, bad []Attempt) {
	wary = make(map[string]bool)
	for _, a := range r.known(w) {
		resolved, err := r.resolve(ctx, w.Peer, a)
		if err != nil {
			bad = append(bad, failed(a, wire.Errorf(wire.Unreachable, "the name does not resolve: %w", err)))
		}
		for _, b := range resolved {
			b, ok := bare(b, w.Peer)
			if !ok || !w.admits(TransportOf(b)) || manet.IsIPUnspecified(b) || manet.IsIP6LinkLocal(b) || ma.Contains(good, b) {
				continue
			}
			if len(good) == maxDials {
				return good, wary, bad
			}
			if err := r.refused(w, b); err != nil {
				bad = append(bad, failed(b, cause(err)))
				continue
			}
			if r.isWary(w, a, b) {
				wary[string(b.Bytes())] = true
			}
			good = append(good, b)
		}
	}
	return good, wary, bad
}

// isWary reports that nobody has seen w.Peer at b, to which the known address a
// resolves. What is not known of an address given in w is supposed of those in
// the peerstore, unless they are of an IP that was given and seen.
func (r *Reach) isWary(w Want, a, b ma.Multiaddr) bool {
	if g := r.gate(); g != nil {
		switch {
		case g.found(w.Peer, b):
			return false
		case g.guessed(w.Peer, b):
			return true
		}
	}
	if len(w.Unproven) == 0 || w.unproven(a) {
		return len(w.Unproven) > 0
	}
	at := targetOf(w.Peer, a)
	for _, given := range w.Addrs {
		if t := targetOf(w.Peer, given); t.mark() == at.mark() && !w.unproven(given) {
			return false
		}
	}
	return true
}

// unproven reports that a, with or without /p2p, is one of w.Unproven.
func (w Want) unproven(a ma.Multiaddr) bool {
	is := func(u ma.Multiaddr) bool {
		b, ok := bare(u, w.Peer)
		return ok && b.Equal(a)
	}
	if b, ok := bare(a, w.Peer); ok {
		a = b
	}
	return slices.ContainsFunc(w.Unproven, is)
}

// refused says why this node will not dial a, before anything is sent.
func (r *Reach) refused(w Want, a ma.Multiaddr) error {
	if r.sw.TransportForDialing(a) == nil {
		return swarm.ErrNoTransport
	}
	if own, err := r.sw.InterfaceListenAddresses(); err == nil && ma.Contains(own, a) {
		return swarm.ErrDialToSelf
	}
	if !w.Explicit && r.sw.Backoff().Backoff(w.Peer, a) {
		return swarm.ErrDialBackoff
	}
	if r.cfg.Gater != nil && !r.cfg.Gater.InterceptAddrDial(w.Peer, a) {
		return r.gated(w.Peer, a, swarm.ErrGaterDisallowedConnection)
	}
	return nil
}

// resolve turns names into addresses in the order of the swarm: /dnsaddr, what
// the transport itself wants resolved, /dns. A relay's name is resolved when
// the relay is dialled.
func (r *Reach) resolve(ctx context.Context, p peer.ID, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	addrs := []ma.Multiaddr{a}
	if isDNSAddr(a) {
		var err error
		if addrs, err = r.cfg.Resolver.ResolveDNSAddr(ctx, p, a, dnsaddrDepth, maxAddrs); err != nil {
			return nil, err
		}
	}
	var done []ma.Multiaddr
	for _, a := range addrs {
		more, err := r.resolveName(ctx, a)
		if err != nil {
			return done, err
		}
		done = append(done, more...)
	}
	return done[:min(len(done), maxAddrs)], nil
}

func (r *Reach) resolveName(ctx context.Context, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	if TransportOf(a) == Relay {
		return []ma.Multiaddr{a}, nil
	}
	addrs := []ma.Multiaddr{a}
	if own, ok := r.sw.TransportForDialing(a).(transport.Resolver); ok {
		var err error
		if addrs, err = own.Resolve(ctx, a); err != nil {
			return nil, err
		}
	}
	var done []ma.Multiaddr
	for _, a := range addrs {
		if !isName(a) {
			done = append(done, a)
			continue
		}
		more, err := r.cfg.Resolver.ResolveDNSComponent(ctx, a, maxAddrs)
		if err != nil {
			return nil, err
		}
		done = append(done, more...)
	}
	return done, nil
}

func isDNSAddr(a ma.Multiaddr) bool { return len(a) > 0 && a[0].Code() == ma.P_DNSADDR }

func isName(a ma.Multiaddr) bool {
	if len(a) == 0 {
		return false
	}
	switch a[0].Code() {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		return true
	}
	return false
}
