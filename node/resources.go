package node

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/trunk"
)

// Streams of protocols that need few of them: one request each.
const (
	askStreamsPerPeer = 256
	askStreams        = 4096
)

// carriersPerPeer is what a peer may open on all its connections: a carrier
// takes thousands of legs.
const carriersPerPeer = 64

// newResourceManager makes libp2p's resource manager with the node's limits.
// libp2p's own defaults would reset the 76th stream of a protocol with a peer.
// What it refuses is counted.
func newResourceManager(overlay string, l Limits, r *refusals) (network.ResourceManager, error) {
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(resourceLimits(overlay, l)),
		rcmgr.WithLimitPerSubnet(perIP(l.ConnectionsPerIP)),
		rcmgr.WithConnRateLimiters(connRate(l.ConnectionsPerIP)),
		rcmgr.WithTraceReporter(r))
	if err != nil {
		return nil, err
	}
	return watched{rm, rm.(rcmgr.ResourceManagerState), r}, nil
}

// resourceLimits lays the node's limits over libp2p's defaults, which keep
// ruling the protocols that are not ours.
func resourceLimits(overlay string, l Limits) rcmgr.ConcreteLimitConfig {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)

	perPeer := streams(l.StreamsPerPeer, l.Memory)
	askPeer := streams(min(askStreamsPerPeer, l.StreamsPerPeer), l.Memory)
	ask := streams(min(askStreams, l.Streams), l.Memory)

	// The peer's scope holds the streams of all protocols: what the pipes may
	// use and as much as the others need.
	peer := streams(l.StreamsPerPeer+2*askStreamsPerPeer+carriersPerPeer, l.Memory)
	peer.Conns = rcmgr.LimitVal(2 * l.ConnectionsPerPeer)
	peer.ConnsInbound = rcmgr.LimitVal(l.ConnectionsPerPeer)
	peer.ConnsOutbound = rcmgr.LimitVal(l.ConnectionsPerPeer)
	peer.FD = rcmgr.LimitVal(2 * l.ConnectionsPerPeer)

	system := streams(l.Streams, l.Memory)
	system.Conns = rcmgr.LimitVal(l.Connections)
	system.ConnsInbound = rcmgr.LimitVal(l.Connections)
	system.ConnsOutbound = rcmgr.LimitVal(l.Connections)
	system.FD = rcmgr.LimitVal(l.Connections)

	// Streams whose protocol is not settled yet: all of a burst.
	transient := streams(min(l.StreamsPerPeer, l.Streams), l.Memory/2)
	transient.Conns = rcmgr.LimitVal(l.Connections / 2)
	transient.ConnsInbound = rcmgr.LimitVal(l.Connections / 2)
	transient.ConnsOutbound = rcmgr.LimitVal(l.Connections / 2)
	transient.FD = rcmgr.LimitVal(l.Connections / 2)

	return rcmgr.PartialLimitConfig{
		System:      system,
		Transient:   transient,
		PeerDefault: peer,
		Protocol: map[protocol.ID]rcmgr.ResourceLimits{
			trunk.Protocol(overlay):        streams(l.Streams, l.Memory),
			pipe.ConnProtocol(overlay):     streams(l.Streams, l.Memory),
			pipe.BindingProtocol(overlay):  ask,
			discovery.KadProtocol(overlay): ask,
			trunk.Protocol(overlay):        streams(l.Streams, l.Memory),
		},
		ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{
			trunk.Protocol(overlay):        perPeer,
			pipe.ConnProtocol(overlay):     perPeer,
			pipe.BindingProtocol(overlay):  askPeer,
			discovery.KadProtocol(overlay): askPeer,
			trunk.Protocol(overlay):        streams(carriersPerPeer, l.Memory),
		},
	}.Build(base.Scale(l.Memory, 2*l.Connections))
}

// streams is a limit of n streams each way and of memory.
func streams(n int, memory int64) rcmgr.ResourceLimits {
	return rcmgr.ResourceLimits{
		Streams:         rcmgr.LimitVal(2 * n),
		StreamsInbound:  rcmgr.LimitVal(n),
		StreamsOutbound: rcmgr.LimitVal(n),
		Memory:          rcmgr.LimitVal64(memory),
	}
}

// perIP limits connections by IPv4 address and by what an IPv6 site gets.
func perIP(n int) (v4, v6 []rcmgr.ConnLimitPerSubnet) {
	return []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: n}},
		[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: n}, {PrefixLength: 48, ConnCount: 8 * n}}
}

// connRate limits new connections by address: a burst of twice what an address
// may hold, then one in four seconds for each eight of them. Loopback is free.
func connRate(n int) *rate.Limiter {
	limit := func(n int) rate.Limit { return rate.Limit{RPS: float64(n) / 32, Burst: 2 * n} }
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
			{Prefix: netip.MustParsePrefix("::1/128")},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit(n)}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: limit(n)}, {PrefixLength: 48, Limit: limit(8 * n)}},
			GracePeriod:      time.Minute,
		},
	}
}
