package reach

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// headStart is how long an address on a relay waits for direct ones. On a LAN an
// answer takes no longer. Over the internet it mostly does not either, and where
// it does, a direct path is made beside the relayed one. go-libp2p's own half a
// second would be lost with each node behind a NAT, which tells at which public
// address it is seen though nobody can dial it there.
const headStart = 200 * time.Millisecond

// afterDirect has relays wait for any direct address, and not for long.
// go-libp2p lets them wait for public ones alone, so that two neighbours would
// talk by a relay whenever that was the faster to answer.
func afterDirect(ranked []network.AddrDelay) []network.AddrDelay {
	direct, first := false, time.Duration(-1) // of the relayed
	for _, r := range ranked {
		switch {
		case TransportOf(r.Addr) != Relay:
			direct = true
		case first < 0 || r.Delay < first:
			first = r.Delay
		}
	}
	for i, r := range ranked {
		if direct && TransportOf(r.Addr) == Relay {
			ranked[i].Delay += headStart - first
		}
	}
	return ranked
}

// RankBy is Rank, but where there is a connection to one of the relays the
// others wait, as for one that does not answer. go-libp2p dials a peer through
// one relay at a time (its circuit client, activeDials), so that one that has
// died would hold up those that live.
func RankBy(connected func(relay peer.ID) bool) network.DialRanker {
	return func(addrs []ma.Multiaddr) []network.AddrDelay {
		ranked := Rank(addrs)
		ready := func(r network.AddrDelay) bool { return TransportOf(r.Addr) == Relay && connected(RelayOf(r.Addr)) }
		if !slices.ContainsFunc(ranked, ready) {
			return ranked
		}
		for i, r := range ranked {
			if TransportOf(r.Addr) == Relay && !ready(r) {
				ranked[i].Delay += nextAfter
			}
		}
		return ranked
	}
}
