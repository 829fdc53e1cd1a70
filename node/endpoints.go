package node

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Trust lets this node dial p at its addresses although they are private and
// nobody but the caller says so, as it does for the addresses in Config.Join.
// The nodes of strangers are dialled at public addresses alone, unless they
// prove to be neighbours.
func (n *Node) Trust(p peer.AddrInfo) { n.gate.Trust(reach.ByPerson, p.ID, p.Addrs...) }

// endpoints are what the node's bindings list.
func (n *Node) endpoints() []ma.Multiaddr {
	return byUse(withObserved(n.host.Addrs(), n.disc.Observed()))
}

// withObserved puts the address at which others see this node before addrs,
// unless a public one is among them. Nobody may be able to dial it; but a
// neighbour behind the same router knows by it that the private addresses are
// of its own network, and it is what hole punching aims at.
func withObserved(addrs []ma.Multiaddr, observed netip.AddrPort) []ma.Multiaddr {
	public := func(a ma.Multiaddr) bool { return reach.TransportOf(a) != reach.Relay && manet.IsPublicAddr(a) }
	if !observed.IsValid() || slices.ContainsFunc(addrs, public) {
		return addrs
	}
	for _, t := range []reach.Transport{reach.QUIC, reach.TCP} {
		for _, a := range addrs {
			ip, err := manet.ToIP(a)
			if err != nil || reach.TransportOf(a) != t || (ip.To4() != nil) != observed.Addr().Is4() {
				continue
			}
			if seen := moved(a, observed, t); seen != nil {
				return append([]ma.Multiaddr{seen}, addrs...)
			}
		}
	}
	return addrs
}

// moved is a listen address as it is seen from outside: at the observed
// address, and for QUIC at the observed port if there is one.
func moved(a ma.Multiaddr, observed netip.AddrPort, t reach.Transport) ma.Multiaddr {
	at, err := manet.FromIP(observed.Addr().AsSlice())
	if err != nil {
		return nil
	}
	rest := a[1:]
	if t == reach.QUIC && observed.Port() != 0 {
		rest = ma.StringCast(fmt.Sprintf("/udp/%d/quic-v1", observed.Port()))
	}
	return ma.Join(at, rest)
}
