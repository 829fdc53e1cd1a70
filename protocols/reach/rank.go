package reach

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// relayDelay is the head start of direct addresses before those on a relay. On a
// LAN an answer takes no longer. Over the internet it mostly does not either,
// and where it does, a direct path is made beside the relayed one. libp2p's own
// half a second would be lost with each node behind a NAT, which tells at which
// public address it is seen though nobody can dial it there.
const relayDelay = 200 * time.Millisecond

// Rank orders addresses and spaces their dials as the swarm does by default:
// QUIC first, IPv6 and IPv4 in turn. Besides, an address on a relay waits for
// any direct one, and not for long. libp2p lets it wait for public ones alone,
// so that two neighbours would talk by a relay whenever that was the faster to
// answer.
func Rank(addrs []ma.Multiaddr) []network.AddrDelay {
	ranked := swarm.DefaultDialRanker(append([]ma.Multiaddr(nil), addrs...))
	direct, first := false, time.Duration(-1) // of the relayed
	for _, r := range ranked {
		switch {
		case TransportOf(r.Addr) != Relay:
			direct = true
		case first < 0 || r.Delay < first:
			first = r.Delay
		}
	}
	if !direct {
		return ranked
	}
	for i, r := range ranked {
		if TransportOf(r.Addr) == Relay {
			ranked[i].Delay += relayDelay - first
		}
	}
	// The swarm takes them as they come.
	slices.SortStableFunc(ranked, func(a, b network.AddrDelay) int { return cmp.Compare(a.Delay, b.Delay) })
	return ranked
}
