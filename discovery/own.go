package discovery

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Gate is told who is vouched for, and where this node is. reach.Gate is one.
type Gate interface {
	Trust(by reach.Voucher, p peer.ID, addrs ...ma.Multiaddr)
	SetOwn(own reach.Own, moved bool)
}

// noGate is for nodes that dial whatever they are told.
type noGate struct{}

func (noGate) Trust(reach.Voucher, peer.ID, ...ma.Multiaddr) {}
func (noGate) SetOwn(reach.Own, bool)                        {}

// OwnPublic returns the public addresses of this node that are known: on its
// interfaces, verified by AutoNAT v2, or agreed upon by those who see it.
func (d *Discovery) OwnPublic() []netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.own.Public)
}

// Observed returns a public address at which others see this node, with the
// port at which most see its QUIC, 0 for unknown. It is invalid while nobody
// says, or most disagree.
func (d *Discovery) Observed() netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.observed
}

// observe takes in where another node sees this one.
func (l *loop) observe(e event.EvtPeerIdentificationCompleted, now time.Time) {
	if e.Conn == nil || relayed(e.Conn) {
		return
	}
	if e.Conn.Stat().Direction != network.DirOutbound && !l.d.cfg.Reach.Adopted(e.Conn) {
		return // anybody can come to say something
	}
	named := l.book.entries[e.Peer]
	l.observers.note(e.Peer, e.Conn.RemoteMultiaddr(), e.ObservedAddr, named != nil && named.from == fromJoin, now)
}

// whereabouts tells the gate, and whoever else asked, where this node is.
func (l *loop) whereabouts(now time.Time) {
	l.observers.refresh(now, func(p peer.ID) bool {
		return l.d.cfg.Host.Network().Connectedness(p) == network.Connected
	})
	agreed := l.observers.agreed()
	public := slices.Concat(l.own, l.verifiedIPs, agreed)
	slices.SortFunc(public, netip.Addr.Compare)
	_, outside := l.sights.count(now)
	own := reach.Own{Public: slices.Compact(public), Links: l.links, Outside: outside}
	var observed netip.AddrPort
	if len(agreed) > 0 {
		observed = netip.AddrPortFrom(agreed[0], l.observers.quicPort(agreed[0]))
	}
	if l.d.setOwn(own, observed) || l.elsewhere {
		l.d.cfg.Gate.SetOwn(own, l.elsewhere)
		l.elsewhere = false
	}
}

// setOwn reports whether anything has changed. Whoever lists observed addresses
// is told if they have.
func (d *Discovery) setOwn(own reach.Own, observed netip.AddrPort) bool {
	d.mu.Lock()
	elsewhere := observed != d.observed
	changed := own.Outside != d.own.Outside ||
		!slices.Equal(own.Public, d.own.Public) || !slices.Equal(own.Links, d.own.Links)
	d.own, d.observed = own, observed
	d.mu.Unlock()
	if elsewhere && d.cfg.ObservedChanged != nil {
		d.cfg.ObservedChanged()
	}
	return changed
}

// networks are those of this machine's interfaces.
func networks() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // broadcasts are not known then, no more
	}
	var out []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLoopback() {
			out = append(out, p.Masked())
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// lost reports that an address of a machine is gone, other than of loopback.
func lost(before, after []ma.Multiaddr) bool {
	for _, a := range before {
		ip, ok := addrOf(a)
		if !ok || ip.IsLoopback() {
			continue
		}
		at := func(b ma.Multiaddr) bool { other, ok := addrOf(b); return ok && other == ip }
		if !slices.ContainsFunc(after, at) {
			return true
		}
	}
	return false
}
