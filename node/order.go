package node

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// byUse orders a node's addresses for its bindings, which have room for a
// few only: public ones, then private ones, then those on relays. Of each kind
// the best come first, and every transport over every family of addresses before
// a second address of one; those on relays take turns by relay, so that the loss
// of one relay is not the loss of all. Loopback is told only where there is
// nothing else.
func byUse(addrs []ma.Multiaddr) []ma.Multiaddr {
	var public, private, loopback, relayed []ma.Multiaddr
	for _, a := range addrs {
		switch {
		case reach.TransportOf(a) == reach.Relay:
			relayed = append(relayed, a)
		case manet.IsIPLoopback(a):
			loopback = append(loopback, a)
		case manet.IsPublicAddr(a):
			public = append(public, a)
		default:
			private = append(private, a)
		}
	}
	if len(public)+len(private)+len(relayed) > 0 {
		loopback = nil
	}
	relay := func(a ma.Multiaddr) way { return way{relay: reach.RelayOf(a)} }
	return slices.Concat(inTurn(public, directWay), inTurn(private, directWay), inTurn(loopback, directWay), inTurn(relayed, relay))
}

// way is what addresses have in common that are of little use beside each
// other.
type way struct {
	transport reach.Transport
	ip6       bool
	relay     peer.ID
}

func directWay(a ma.Multiaddr) way {
	return way{transport: reach.TransportOf(a), ip6: isIP6(a)}
}

func isIP6(a ma.Multiaddr) bool {
	ip, err := manet.ToIP(a)
	return err == nil && ip.To4() == nil
}

// inTurn takes the best address of each way, then the second best, and so on.
func inTurn(addrs []ma.Multiaddr, wayOf func(ma.Multiaddr) way) []ma.Multiaddr {
	addrs = slices.Clone(addrs)
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int { return rank(a) - rank(b) })
	nth := make(map[way]int) // how many of a way come before
	turn := make(map[string]int, len(addrs))
	for _, a := range addrs {
		w := wayOf(a)
		turn[string(a.Bytes())] = nth[w]
		nth[w]++
	}
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int {
		return turn[string(a.Bytes())] - turn[string(b.Bytes())]
	})
	return addrs
}

// rank prefers what most networks let through and costs least: QUIC, TCP, then
// what stands on them. Of an address on a relay it is the way to the relay that
// counts.
func rank(a ma.Multiaddr) int {
	hop, _ := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	order := []reach.Transport{reach.QUIC, reach.TCP, reach.WS}
	if i := slices.Index(order, reach.TransportOf(hop)); i >= 0 {
		return i
	}
	return len(order)
}
