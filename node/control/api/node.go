package api

import "time"

// Status is how the node is doing.
type Status struct {
	// Profile is the name under which the node was started.
	Profile string `json:"profile"`
	// Version is that of the program.
	Version string `json:"version"`
	// Overlay is the prefix shared by all nodes of the network.
	Overlay string `json:"overlay"`
	// Peer is the node's peer ID.
	Peer string `json:"peer"`
	// Started is when the node was started.
	Started time.Time `json:"started"`
	// Ready says that resolving works.
	Ready bool `json:"ready"`
	// NotReady says why not, when Ready is false.
	NotReady *Problem `json:"not_ready,omitempty"`
	// Role is server or client of the overlay's routing.
	Role string `json:"role"`
	// Reachability is public, private, local (no public address anywhere: LAN
	// or loopback), or unknown.
	Reachability string `json:"reachability"`
	// Addresses are the multiaddrs that others can dial.
	Addresses []string `json:"addresses"`
	// Peers counts the connected nodes.
	Peers int `json:"peers"`
	// Servers counts the known nodes that route for the overlay.
	Servers int `json:"servers"`
	// JoinErrors are the addresses to join through that have not worked since
	// their last failure.
	JoinErrors []JoinError `json:"join_errors"`
	// MDNS says that the node looks for others on the LAN.
	MDNS bool `json:"mdns"`
	// Relay says that the node relays for others.
	Relay bool `json:"relay"`
	// Relays are the peer IDs of the relays through which the node can be
	// reached.
	Relays []string `json:"relays"`
	// Circuits counts the connections in use that go over relays.
	Circuits int `json:"circuits"`
	// NAT is what is known of the router, and how others see the node.
	NAT NAT `json:"nat"`
	// Event is the ID of the last event that this status includes.
	Event uint64 `json:"event"`
	// Pipes counts the pipes that the node serves now.
	Pipes int `json:"pipes"`
	// Gateway is how the rules of the gateway stand.
	Gateway []GatewayStatus `json:"gateway"`
	// Connections are those that pass through the local API now, with the paths
	// that carry them. Events leave them out.
	Connections []Connection `json:"connections,omitempty"`
}

// JoinError is the last failure of one address to join through.
type JoinError struct {
	// Address is what was given with --join.
	Address string `json:"address"`
	// Error says what failed.
	Error string `json:"error"`
}

// Identity is who the node is.
type Identity struct {
	// Peer is the node's peer ID.
	Peer string `json:"peer"`
	// Principal is the node as a principal: peer:<peer ID>.
	Principal string `json:"principal"`
	// Addresses are full multiaddrs, each ending in /p2p/<peer ID>.
	Addresses []string `json:"addresses"`
}

// Ticket is what others need to join through this node.
type Ticket struct {
	// Ticket is the text for --join.
	Ticket string `json:"ticket"`
	// Overlay is the overlay that it leads to.
	Overlay string `json:"overlay"`
	// Addresses are the multiaddrs inside.
	Addresses []string `json:"addresses"`
}

// Peer is one connected node.
type Peer struct {
	// ID is its peer ID.
	ID string `json:"id"`
	// Addrs are the remote addresses of the connections to it.
	Addrs []string `json:"addrs"`
	// Transports are those of the connections, in the same order.
	Transports []string `json:"transports"`
	// Direct says that one connection at least has no relay in between.
	Direct bool `json:"direct"`
	// Server says that it routes for the overlay.
	Server bool `json:"server"`
	// Agent is what the program calls itself.
	Agent string `json:"agent,omitempty"`
	// LatencyMS is the smoothed round-trip time, 0 when not measured.
	LatencyMS float64 `json:"latency_ms"`
}

// PeerList is the connected nodes.
type PeerList struct {
	// Peers are sorted by peer ID.
	Peers []Peer `json:"peers"`
}

// Listening is where the node listens.
type Listening struct {
	// Addresses are multiaddrs. In a request port 0 takes a free one.
	Addresses []string `json:"addresses"`
}

// Limit is one cap of the node.
type Limit struct {
	// Name says what is capped.
	Name string `json:"name"`
	// Value is the cap.
	Value int64 `json:"value"`
	// Unit is what the value counts.
	Unit string `json:"unit"`
	// Used is how much of it is in use, where that is counted.
	Used *int64 `json:"used,omitempty"`
	// Setting is the configuration key that moves it, empty where none does.
	Setting string `json:"setting,omitempty"`
}

// LimitList is the caps of the node.
type LimitList struct {
	// Limits are in the order in which they are best read.
	Limits []Limit `json:"limits"`
}

// Version is the version of the program.
type Version struct {
	// Version is the release, or "devel".
	Version string `json:"version"`
	// API is the version of the local API.
	API string `json:"api"`
	// Go is the toolchain's version.
	Go string `json:"go"`
	// Platform is operating system and architecture.
	Platform string `json:"platform"`
	// Revision is the source revision, where known.
	Revision string `json:"revision,omitempty"`
}

// Setting is one configuration key.
type Setting struct {
	// Key is its dotted name.
	Key string `json:"key"`
	// Value is its value: text, true or false, a number (of bytes, for a size), a
	// list of texts, or an object of levels by subsystem. Durations are text.
	Value any `json:"value"`
	// Text is the value as it would be written in an environment variable.
	Text string `json:"text"`
	// Origin is where the value comes from: default, file and its path, env and
	// the variable, or flag.
	Origin string `json:"origin"`
}

// SettingList is the configuration that the node runs with.
type SettingList struct {
	// Settings are sorted by key.
	Settings []Setting `json:"settings"`
}
