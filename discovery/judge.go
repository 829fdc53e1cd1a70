package discovery

import "github.com/libp2p/go-libp2p/core/network"

// evidence is all that a node knows about where it can be reached from.
type evidence struct {
	verified   int  // own public addresses that others have dialled on request (AutoNAT v2)
	refuted    int  // own public addresses that others could not dial on request
	inbound    int  // nodes outside that dialled this one of their own accord, lately
	outside    bool // a node with a public address has been connected lately
	interface4 bool // a public IPv4 address on an interface that is listened on
	interface6 bool // a public IPv6 address there
}

// verdict is what follows.
type verdict struct {
	reachability Reachability
	serve        bool                 // answer routing queries, hold records
	emit         network.Reachability // for kad-dht, AutoRelay and the relay service
}

// enoughInbound is how many nodes must have dialled in to outweigh failed
// AutoNAT v2 probes: one or two may have come through a hole punched for
// somebody else.
const enoughInbound = 3

// judge decides from evidence alone.
//
// A public IPv4 address on an interface is believed until refuted: such
// machines are servers. IPv6 is not, since most home routers hand out public
// IPv6 addresses and let nothing in. Where no address outside has been seen at
// all, this is a LAN or one machine, and everyone serves.
func judge(e evidence) verdict {
	public := verdict{ReachPublic, true, network.ReachabilityPublic}
	private := verdict{ReachPrivate, false, network.ReachabilityPrivate}
	switch {
	case e.verified > 0, e.inbound >= enoughInbound:
		return public
	case e.refuted > 0:
		return private
	case e.inbound > 0, e.interface4:
		return public
	case e.outside:
		return private
	case e.interface6:
		return verdict{ReachUnknown, true, network.ReachabilityPublic}
	}
	return verdict{ReachLocal, true, network.ReachabilityPublic}
}
