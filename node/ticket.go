package node

import (
	"crypto/sha256"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// relayProtocol is what a node speaks that relays for others.
const relayProtocol = protocol.ID(circuit.ProtoIDv2Hop)

// A ticket names this node with a few addresses, and a few others, so that it
// stays short and works when this node is away.
const (
	ticketAddrs  = 4 // of this node
	ticketOthers = 2 // other servers, with one address each
)

// Ticket is a short text with which others can join the overlay, through this
// node or, where it is away, one of a few others.
func (n *Node) Ticket() identity.Ticket {
	t := identity.Ticket{Overlay: n.cfg.Overlay}
	if own := pickAddrs(n.host.Addrs(), ticketAddrs); len(own) > 0 {
		t.Peers = append(t.Peers, peer.AddrInfo{ID: n.host.ID(), Addrs: own})
	}
	for _, p := range n.disc.Closer(keyOf(n.host.ID()), ticketOthers, n.host.ID()) {
		if addrs := pickAddrs(p.Addrs, 1); len(addrs) > 0 {
			t.Peers = append(t.Peers, peer.AddrInfo{ID: p.ID, Addrs: addrs})
		}
	}
	return t
}

// pickAddrs takes the addresses that others are most likely to reach: public
// before private before loopback, and loopback only where there is nothing
// else; short ones without certificate hashes.
func pickAddrs(addrs []ma.Multiaddr, count int) []ma.Multiaddr {
	best := slices.Clone(addrs)
	slices.SortStableFunc(best, func(a, b ma.Multiaddr) int { return rankAddr(a) - rankAddr(b) })
	var picked []ma.Multiaddr
	for _, a := range best {
		if len(picked) > 0 && (len(picked) == count || manet.IsIPLoopback(a) != manet.IsIPLoopback(picked[0])) {
			break
		}
		picked = append(picked, a)
	}
	return picked
}

// rankAddr is lower for a better address.
func rankAddr(a ma.Multiaddr) int {
	rank := 0
	switch {
	case manet.IsIPLoopback(a):
		rank = 400
	case manet.IsIP6LinkLocal(a):
		rank = 300
	case !manet.IsPublicAddr(a):
		rank = 200
	}
	if isIPv6(a) {
		rank += 10
	}
	switch reach.TransportOf(a) {
	case reach.QUIC:
	case reach.TCP:
		rank++
	case reach.Relay:
		rank += 100
	case reach.WS, reach.WSS:
		rank += 20
	default:
		rank += 50
	}
	return rank
}

// keyOf is the place of a node in the key space.
func keyOf(p peer.ID) wire.Key { return sha256.Sum256([]byte(p)) }
