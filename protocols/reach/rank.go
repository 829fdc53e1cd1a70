package reach

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// How fast the public addresses of one peer are gone through while none
// answers. A node has an IPv4 and an IPv6 address and a few ports; who has more
// may be somebody who aims others' dials.
const (
	sitesAtOnce = 2               // IPv4 addresses, IPv6 networks
	portsAtOnce = 4               // of one of them
	nextAfter   = 5 * time.Second // what a silent QUIC dial takes
)

// Rank orders addresses as go-libp2p does: QUIC first, IPv6 and IPv4 in turn,
// each a little after the one before. Of many public addresses, or many ports,
// only a few are dialled at first, and a few more each time nextAfter has
// passed, or when all in flight have failed. Relays wait for direct addresses.
// A node's swarm has it as its dial ranker, by RankBy.
func Rank(addrs []ma.Multiaddr) []network.AddrDelay {
	ranked := afterDirect(swarm.DefaultDialRanker(slices.Clone(addrs)))
	slices.SortStableFunc(ranked, func(a, b network.AddrDelay) int { return int(a.Delay - b.Delay) })
	var direct, relayed ladder
	for i, r := range ranked {
		t := targetOf("", r.Addr)
		switch {
		case t.kind != classPublic:
		case TransportOf(r.Addr) == Relay:
			ranked[i].Delay += relayed.rung(t)
		default:
			ranked[i].Delay += direct.rung(t)
		}
	}
	return ranked
}

// ladder has the sites met so far in their order, with the ports there.
type ladder struct {
	sites []netip.Addr
	ports map[netip.Addr][]target
}

// rung is how much later t is dialled for all that came before it.
func (l *ladder) rung(t target) time.Duration {
	if l.ports == nil {
		l.ports = make(map[netip.Addr][]target)
	}
	site, port := siteOf(t.ip), target{ip: t.ip, port: t.port}
	if !slices.Contains(l.sites, site) {
		l.sites = append(l.sites, site)
	}
	if !slices.Contains(l.ports[site], port) {
		l.ports[site] = append(l.ports[site], port)
	}
	steps := slices.Index(l.sites, site)/sitesAtOnce + slices.Index(l.ports[site], port)/portsAtOnce
	return time.Duration(steps) * nextAfter
}

// rankWary ranks those that are wary apart from the others: a race holds them
// back by their number in flight.
func rankWary(addrs []ma.Multiaddr, wary map[string]bool) []network.AddrDelay {
	isWary := func(a ma.Multiaddr) bool { return wary[string(a.Bytes())] }
	some := slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool { return !isWary(a) })
	rest := slices.DeleteFunc(slices.Clone(addrs), isWary)
	return slices.Concat(Rank(rest), swarm.DefaultDialRanker(some))
}
