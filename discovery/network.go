package discovery

import (
	"net/netip"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// networkOf is the network that an address is in, the /24 of an IPv4 or the /48
// of an IPv6 address: somebody with many nodes rarely has many of these. What
// does not begin with an IP address is in a network together.
func networkOf(a ma.Multiaddr) string {
	std, err := manet.ToIP(a)
	if err != nil {
		return ""
	}
	ip, _ := netip.AddrFromSlice(std)
	ip, bits := ip.Unmap(), 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// network is the public network that a node is seen to be in: by its
// connection, else by the first public address that it is known by. It is empty
// for none, and on a LAN or loopback, where all are in one.
func (d *Discovery) network(p peer.ID) string {
	if conns := d.cfg.Host.Network().ConnsToPeer(p); len(conns) > 0 {
		return publicNetwork([]ma.Multiaddr{conns[0].RemoteMultiaddr()})
	}
	return publicNetwork(d.cfg.Host.Peerstore().Addrs(p))
}

// publicNetwork is the network of the first public address; empty for none.
func publicNetwork(addrs []ma.Multiaddr) string {
	for _, a := range addrs {
		if manet.IsPublicAddr(a) {
			return networkOf(a)
		}
	}
	return ""
}

// heaviest is the network that most of the addresses are in; of several the
// first in their order.
func heaviest(first []ma.Multiaddr) string {
	of := make(map[string]int)
	most := ""
	for _, a := range first {
		of[networkOf(a)]++
	}
	for _, a := range first {
		if n := networkOf(a); most == "" || of[n] > of[most] {
			most = n
		}
	}
	return most
}
