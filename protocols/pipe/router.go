package pipe

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Replication is how many of the nodes closest to a key hold its records.
const Replication = 20

// Ask puts the walk's question to one node and returns the nodes that it
// names as closer to the key.
type Ask = func(ctx context.Context, p peer.AddrInfo) (closer []peer.AddrInfo, err error)

// WalkResult is what a walk came to. Closest are the nodes that answered,
// nearest first, at most Replication.
type WalkResult = struct {
	Closest []peer.AddrInfo
	Asked   int
	Failed  int
	Hops    int
}

// Router knows the nodes of the overlay and walks towards a key.
// *discovery.Discovery is one.
type Router interface {
	// Walk asks nodes ever closer to key until the closest that live have
	// answered or ctx is done. It calls ask from several goroutines, and none
	// of them after it has returned. It does not ask this node itself.
	Walk(ctx context.Context, key wire.Key, ask Ask) (WalkResult, error)
	// Closer returns up to n known nodes, nearest to key first.
	Closer(key wire.Key, n int, except ...peer.ID) []peer.AddrInfo
	// CloserThanSelf counts the live nodes known to be nearer to key than this one.
	CloserThanSelf(key wire.Key) int
	// Network is the public network (a /24, a /48) that a node is seen in; empty
	// for none.
	Network(id peer.ID) string
}
