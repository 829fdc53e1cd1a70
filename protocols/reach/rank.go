package reach

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// relayDelay is the head start of direct addresses that are not public: on a
// LAN an answer takes no longer, and where there is nobody it is not much lost.
// Public ones get swarm.RelayDelay.
const relayDelay = 200 * time.Millisecond

// Rank orders addresses and spaces their dials as the swarm does by default:
// QUIC first, IPv6 and IPv4 in turn. Besides, an address on a relay waits for
// any direct one. libp2p lets it wait for public ones alone, so that two
// neighbours would talk by a relay whenever that was the faster to answer.
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
	if !direct || first >= relayDelay {
		return ranked
	}
	for i, r := range ranked {
		if TransportOf(r.Addr) == Relay {
			ranked[i].Delay += relayDelay - first
		}
	}
	return ranked
}
