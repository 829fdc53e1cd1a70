package node

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// byUse orders a node's addresses for its bindings, which have room for a
// few only: public ones, then private ones, then those on relays, one of each
// relay in turn so that the loss of one relay is not the loss of all, and those
// of a relay by the transport that suits a relayed path best. Loopback is told
// only where there is nothing else.
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
	return slices.Concat(public, private, loopback, inTurn(relayed))
}

// inTurn takes the best address of each relay, then the second best, and so on.
func inTurn(relayed []ma.Multiaddr) []ma.Multiaddr {
	relayed = slices.Clone(relayed)
	slices.SortStableFunc(relayed, func(a, b ma.Multiaddr) int { return relayRank(a) - relayRank(b) })
	nth := make(map[peer.ID]int) // how many of a relay's addresses come before
	turn := make(map[string]int, len(relayed))
	for _, a := range relayed {
		relay := reach.RelayOf(a)
		turn[string(a.Bytes())] = nth[relay]
		nth[relay]++
	}
	slices.SortStableFunc(relayed, func(a, b ma.Multiaddr) int {
		return turn[string(a.Bytes())] - turn[string(b.Bytes())]
	})
	return relayed
}

// relayRank prefers what most networks let through and costs least: QUIC, TCP,
// then what stands on them.
func relayRank(a ma.Multiaddr) int {
	hop, _ := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	order := []reach.Transport{reach.QUIC, reach.TCP, reach.WS}
	if i := slices.Index(order, reach.TransportOf(hop)); i >= 0 {
		return i
	}
	return len(order)
}
