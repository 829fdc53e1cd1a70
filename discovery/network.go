package discovery

import (
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/protocols/reach"
)

// Network is the public network (a /24, a /48) that a node is seen to be in: by
// its connection, a direct one if there is one, else by the first public address
// that it is known by. It is empty for none, and on a LAN or loopback, where all
// are in one.
func (d *Discovery) Network(p peer.ID) string {
	conns := d.cfg.Host.Network().ConnsToPeer(p)
	if len(conns) == 0 {
		return reach.PublicNetwork(d.cfg.Host.Peerstore().Addrs(p))
	}
	at := conns[0].RemoteMultiaddr()
	for _, c := range conns {
		if a := c.RemoteMultiaddr(); reach.RelayOf(a) == "" {
			at = a
			break
		}
	}
	return reach.PublicNetwork([]ma.Multiaddr{at})
}

// heaviest is the network that most of the addresses are in; of several the
// first in their order.
func heaviest(first []ma.Multiaddr) string {
	of := make(map[string]int)
	most := ""
	for _, a := range first {
		of[reach.NetworkOf(a)]++
	}
	for _, a := range first {
		if n := reach.NetworkOf(a); most == "" || of[n] > of[most] {
			most = n
		}
	}
	return most
}
