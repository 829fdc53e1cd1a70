package reach

import (
	"net/netip"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// PerNetwork is how many nodes of one public network count among the nearest to
// a key while there are others: whoever grinds node IDs has few networks to run
// them in. It is the rule of the walk, of the holders of a record, and of the
// copies that make a record safe.
const PerNetwork = 3

// Crowd counts nodes by public network, for that rule.
type Crowd map[string]int

// Full counts one node more, and reports that PerNetwork of its network were
// counted before. The empty network, of nodes on a LAN or loopback or nobody
// knows where, is never full.
func (c Crowd) Full(network string) bool {
	if network == "" {
		return false
	}
	c[network]++
	return c[network] > PerNetwork
}

// NetworkOf is the network that an address is in, the /24 of an IPv4 or the /48
// of an IPv6 address: somebody with many nodes rarely has many of these. It is
// empty for what does not begin with an IP address.
func NetworkOf(a ma.Multiaddr) string {
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

// PublicNetwork is the network of the first public address; empty for none.
func PublicNetwork(addrs []ma.Multiaddr) string {
	for _, a := range addrs {
		if manet.IsPublicAddr(a) {
			return NetworkOf(a)
		}
	}
	return ""
}

// Whereabouts is the public network that a node counts in: the one that it is
// seen in, and before that the one that it is told to be in. A liar must not hide a
// node in a network that is crowded: where the network is told in several ways,
// none counts until the node is seen. The zero value is a node of which nothing
// is known.
type Whereabouts struct {
	network    string
	told, seen bool
}

// Network is the network that the node counts in; empty if unknown or exempt.
func (w *Whereabouts) Network() string { return w.network }

// Tell notes at which addresses the node is said to be.
func (w *Whereabouts) Tell(addrs []ma.Multiaddr) {
	network := PublicNetwork(addrs)
	switch {
	case w.seen:
	case !w.told:
		w.network, w.told = network, true
	case network != "" && network != w.network:
		w.network = ""
	}
}

// See notes the network that the node is seen in, empty for none.
func (w *Whereabouts) See(network string) { w.network, w.seen = network, true }
