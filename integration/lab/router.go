//go:build full

package lab

import (
	"net/netip"
)

// NAT is how a router translates addresses.
type NAT string

// The kinds of NAT that nft makes.
const (
	// Masquerade keeps the port where that is free, whoever is spoken to, and
	// lets in only who has been spoken to: what most homes have. Holes can be
	// punched through it.
	Masquerade NAT = "masquerade"
	// Symmetric takes another port for each far end, as large carriers' do.
	// Nobody can foretell it, so no hole can be punched between two of them.
	Symmetric NAT = "masquerade fully-random"
)

// Router stands between a network and one of its own.
type Router struct {
	*Machine
	LAN     *Network
	outside netip.Addr
}

// Router plugs in a router: address is its own on the network n, lan its own on
// the network behind it, such as 192.168.1.1/24. It lets nobody in from outside,
// and nobody inside sees a neighbour at the outside address (no hairpin).
func (n *Network) Router(who, address string, nat NAT, lan string) *Router {
	n.at.lab.t.Helper()
	prefix := netip.MustParsePrefix(lan)
	m := n.at.lab.machine(who)
	r := &Router{Machine: m, outside: netip.MustParseAddr(address)}
	n.plug(m, r.outside)
	r.LAN = m.network("lan", prefix)
	r.LAN.gateway, r.LAN.last = prefix.Addr(), prefix.Addr()
	m.Sh("ip addr add %s dev lan && echo 1 > /proc/sys/net/ipv4/ip_forward", prefix)
	m.Filter(`
table ip router {
	chain in {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		iifname "eth0" drop
		ip daddr ` + address + ` drop
	}
	chain through {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct status dnat accept
		iifname "lan" oifname "eth0" accept
	}
	chain out {
		type nat hook postrouting priority srcnat;
		oifname "eth0" ` + string(nat) + `
	}
}`)
	return r
}

// Host plugs in a machine behind the router.
func (r *Router) Host(who string) *Machine {
	r.lab.t.Helper()
	return r.LAN.Host(who)
}
