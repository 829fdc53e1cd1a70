package discovery

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// sight takes a connection as evidence of where this node is.
func (l *loop) sight(c network.Conn, now time.Time) {
	if relayed(c) {
		return
	}
	l.sights.note(c.RemotePeer(), isOutside(c.RemoteMultiaddr(), l.own), l.dialledUs(c), now)
}

// dialledUs reports that the far side opened c of its own accord. An inbound
// connection beside one that this node dialled, or beside a relayed one,
// proves nothing: it may have come through a hole that this node punched.
func (l *loop) dialledUs(c network.Conn) bool {
	for _, other := range l.d.cfg.Host.Network().ConnsToPeer(c.RemotePeer()) {
		if other.Stat().Direction != network.DirInbound || relayed(other) || l.d.cfg.Reach.Adopted(other) {
			return false
		}
	}
	return c.Stat().Direction == network.DirInbound && !l.d.cfg.Reach.Adopted(c)
}

func relayed(c network.Conn) bool {
	if c.Stat().Limited {
		return true
	}
	_, err := c.RemoteMultiaddr().ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// interfaces looks at the addresses of this machine. When the public ones have
// changed it is in another network, and what was seen before no longer counts.
func (l *loop) interfaces() {
	addrs, err := l.d.cfg.Host.Network().InterfaceListenAddresses()
	if err != nil {
		l.d.cfg.Log.Warn("interface addresses", "error", err)
		return
	}
	addrs = reach.HideAdopted(addrs)
	if sameAddrs(addrs, l.listening) {
		return
	}
	first := l.listening == nil
	if lost(l.listening, addrs) {
		l.observers.reset()
		l.elsewhere = true
	}
	l.links = networks()
	own, has4, has6 := publicIPs(addrs)
	elsewhere := !slices.Equal(own, l.own)
	l.listening, l.own, l.has4, l.has6 = addrs, own, has4, has6
	if first {
		return
	}
	if elsewhere {
		l.elsewhere = true
		l.sights.reset()
		for _, c := range l.d.cfg.Host.Network().Conns() {
			l.sight(c, time.Now())
		}
	}
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// judge draws the verdict and tells it to the rest of the host.
func (l *loop) judge(now time.Time) {
	inbound, outside := l.sights.count(now)
	l.verdict = judge(evidence{
		verified: l.verified, refuted: l.refuted,
		inbound: inbound, outside: outside,
		interface4: l.has4, interface6: l.has6,
	})
	if l.verdict.emit == l.emitted && !l.contradicted {
		return
	}
	// Another emitter that does not give way is answered once in a while only.
	if l.verdict.emit == l.emitted && now.Sub(l.emittedAt) < emitPause {
		return
	}
	l.drainReachability()
	l.emitted, l.emittedAt, l.contradicted = l.verdict.emit, now, false
	if err := l.d.emitter.Emit(event.EvtLocalReachabilityChanged{Reachability: l.emitted}); err != nil {
		l.d.cfg.Log.Warn("reachability is not told to the host", "error", err)
	}
	l.d.cfg.Log.Info("reachability", "reachability", l.verdict.reachability, "serves", l.role() == RoleServer)
}

// heardReachability notes when somebody else has emitted a reachability that
// is not the one judged here.
func (l *loop) heardReachability(e any) {
	if e, ok := e.(event.EvtLocalReachabilityChanged); ok {
		l.contradicted = e.Reachability != l.emitted
	}
}

// drainReachability makes room for the event that this loop is about to emit.
func (l *loop) drainReachability() {
	for {
		select {
		case e := <-l.reached.Out():
			l.heardReachability(e)
		default:
			return
		}
	}
}

// role is what this node does now.
func (l *loop) role() Role {
	switch {
	case l.d.cfg.Role != "":
		return l.d.cfg.Role
	case l.verdict.serve:
		return RoleServer
	}
	return RoleClient
}

// state puts together what others are shown.
func (l *loop) state() State {
	s := State{
		Role:         l.role(),
		Reachability: l.verdict.reachability,
		Peers:        len(l.d.cfg.Host.Network().Peers()),
		Servers:      l.d.servers.count(),
		Table:        l.d.kad.RoutingTable().Size(),
		Alone:        l.d.alone,
		JoinErrors:   l.joinErrors(),
		MDNS:         l.d.cfg.MDNS,
		Addrs:        l.d.cfg.Host.Addrs(),
	}
	s.Joined = s.Servers > 0
	return s
}

// joinErrors tells for each address that a person named why it does not work.
func (l *loop) joinErrors() map[string]error {
	out := make(map[string]error)
	for _, e := range l.book.joins() {
		err := l.joinError(e)
		if err == nil {
			continue
		}
		full, ferr := peer.AddrInfoToP2pAddrs(&e.AddrInfo)
		if ferr != nil {
			continue
		}
		for i, a := range full {
			out[a.String()] = advised(attemptError(err, e.Addrs[i]))
		}
	}
	return out
}
