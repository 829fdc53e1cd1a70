package node

import (
	"errors"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limit is one cap of the node.
type Limit struct {
	Name    string // what is capped
	Value   int64  // the cap
	Unit    string // "connections", "streams", "bytes", "seconds", …
	Used    int64  // how much of it is used now; -1 where that is not counted
	Setting string // the configuration key that moves it; empty when it is fixed
}

// The settings that errors name, as they are called in the configuration.
const (
	settingStreams        = "limits.streams"
	settingStreamsPerPeer = "limits.streams_per_peer"
	settingMemory         = "limits.memory"
	settingConns          = "limits.connections"
	settingConnsPerIP     = "limits.connections_per_ip"
	settingConnsPerPeer   = "limits.connections_per_peer"
)

// Limits lists the caps of the node, in a fixed order.
func (n *Node) Limits() []Limit {
	used, pipes, links, channels := n.usage(), n.pipes.Usage(), n.links.Usage(), 0
	for _, r := range n.gateway.Rules() {
		channels += r.Channels
	}
	l, r := n.cfg.Limits, n.cfg.Relay
	all := []Limit{
		{"connections before trimming", int64(n.cfg.MaxConnections), "connections", used.conns, "max_connections"},
		{"connections", int64(l.Connections), "connections", used.conns, settingConns},
		{"connections per IP address", int64(l.ConnectionsPerIP), "connections", -1, settingConnsPerIP},
		{"connections per peer", int64(l.ConnectionsPerPeer), "connections", -1, settingConnsPerPeer},
		{"streams in", int64(l.Streams), "streams", used.streamsIn, settingStreams},
		{"streams out", int64(l.Streams), "streams", used.streamsOut, settingStreams},
		{"streams with one peer, each way", int64(l.StreamsPerPeer), "streams", -1, settingStreamsPerPeer},
		{"pipe connections", int64(l.PipeConnections), "connections", int64(pipes.Conns), "limits.pipe_connections"},
		{"pipe connections that wait for accept", int64(l.Backlog), "connections", -1, "limits.backlog"},
		{"links", int64(l.Links), "links", int64(links.Links), "limits.links"},
		{"links with one peer", int64(l.LinksPerPeer), "links", -1, "limits.links_per_peer"},
		{"memory of links", l.LinkMemory, "bytes", links.Memory, "limits.link_memory"},
		{"window of a link", l.LinkWindow, "bytes", -1, "limits.link_window"},
		{"gateway channels", int64(l.GatewayChannels), "channels", int64(channels), "limits.gateway_channels"},
		{"gateway channels of one client", int64(l.GatewayPerClient), "channels", -1, "limits.gateway_channels_per_client"},
		{"history of one conversation", l.Conversation, "bytes", -1, "limits.conversation"},
		{"requests of one peer", int64(l.Requests), "per second", -1, "limits.requests"},
		{"memory reserved for buffers", l.Memory, "bytes", used.memory, settingMemory},
		{"records held for others", pipe.DefaultHolderBytes, "bytes", int64(pipes.RecordBytes), ""},
		{"endpoints of a binding", pipe.MaxEndpoints, "addresses", -1, ""},
	}
	if r.Serve {
		all = append(all,
			Limit{"relay: data of a circuit, each way", r.MaxData, "bytes", -1, "relay.max_data"},
			Limit{"relay: life of a circuit", int64(r.MaxDuration.Seconds()), "seconds", -1, "relay.max_duration"},
			Limit{"relay: circuits per peer", int64(r.MaxCircuits), "circuits", -1, "relay.max_circuits"},
			Limit{"relay: reservations", int64(r.Reservations), "peers", -1, "relay.reservations"},
		)
	}
	return all
}

type usage struct{ conns, streamsIn, streamsOut, memory int64 }

func (n *Node) usage() usage {
	rm, ok := n.host.Network().ResourceManager().(rcmgr.ResourceManagerState)
	if !ok {
		return usage{-1, -1, -1, -1}
	}
	s := rm.Stat().System
	return usage{
		int64(s.NumConnsInbound + s.NumConnsOutbound), int64(s.NumStreamsInbound), int64(s.NumStreamsOutbound), s.Memory,
	}
}

// nameLimit adds to an error of this node's resource manager which cap was hit
// and the setting that moves it. Other errors pass.
func (n *Node) nameLimit(err error) error {
	if !errors.Is(err, network.ErrResourceLimitExceeded) {
		return err
	}
	l, used := n.cfg.Limits, n.usage()
	what, value, setting := "streams to one peer", int64(l.StreamsPerPeer), settingStreamsPerPeer
	var memory *rcmgr.ErrMemoryLimitExceeded
	switch {
	case errors.As(err, &memory):
		what, value, setting = "memory reserved for buffers", l.Memory, settingMemory
	case used.streamsOut >= int64(l.Streams):
		what, value, setting = "streams", int64(l.Streams), settingStreams
	}
	return wire.Errorf(wire.Limit, "limit %s (%d) reached: %w", what, value, err).
		WithNext("raise %s", setting)
}
