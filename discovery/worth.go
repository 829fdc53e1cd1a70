package discovery

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// serverTag marks connections to servers for the connection manager.
const serverTag = "panpipe-server"

// worth is what a connection between two servers is worth to the connection
// managers of both. It is taken from the distance between their places, so
// that both sides agree which of too many connections go: were each to choose
// by its own routing table or at random, each would close what the other
// keeps, and both would end below their limits.
//
// The lowest bits of the distance part the connections evenly into four
// classes; the coarse grain leaves little to gain for who makes up peer IDs to
// be kept. The far half of the key space is worth one more, because a routing
// table knows few of the many nodes there: a walk should begin one round trip
// from any key.
func worth(a, b peer.ID) int {
	d := wire.Place([]byte(a)).XOR(wire.Place([]byte(b)))
	return 10 + int(d[len(d)-1]&3) + int(d[0]>>7)
}
