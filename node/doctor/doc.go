// Package doctor judges what a node knows of itself and of the machine that it
// runs on, and says in words what is wrong, why, and what to do. It is pure: it
// reads no clock, opens nothing and sends nothing. Package node gathers the
// facts; `panpipe doctor` and GET /v1/doctor show the findings.
//
// A finding has a code that does not change, so that a program or a search
// engine can be asked about it. The same code may come at several severities,
// as far as it matters in the case at hand:
//
//	code                 severity         what it says
//	node-not-running     problem          no node runs for the profile; only the machine was examined
//	config-wrong         problem          panpipe up would refuse the configuration
//	reachability         ok|note|warning  public, private, local or unknown, and on what evidence
//	port-mapping         ok|note|warning  the router forwards ports; does not; is not asked
//	double-nat           note|warning     there is another NAT behind the router that forwards; a note where others reach the node
//	relay                ok|note|warning  the relays through which a private node is reached
//	relay-limit          note|warning     a connection in use is relayed, and what is left of its limits
//	clock                ok|note|warning|problem  how far this clock is from those of others
//	udp-buffers          ok|note|warning  the socket buffers that QUIC gets
//	proxy                ok|note|warning  proxies in the environment, which libp2p does not use
//	limit-hit            warning|note     something was refused by a limit: its name, and the setting
//	limits               ok               no limit was hit since the start
//	open-files           ok|note|warning|problem  the limit of file descriptors against the connections allowed
//	peers                ok|note|warning|problem  how many nodes and servers are connected
//	join                 warning|problem  an address to join through does not work, with its cause
//	role                 ok|note|warning  whether this node serves the overlay, and why
//	routing-table        ok|note|warning  its size against the servers known, and when it was last refreshed
//	overlay-answers      ok|warning|problem  whether the nodes nearest to this one answer
//	binding              ok|warning|problem  how many nodes hold the record of a pipe that is served here
//	gateway-rule         ok|warning|problem  a rule of the gateway takes no clients: its listen address is in use, its pipe is lost
//	gateway-target       problem          the service behind an expose rule does not answer
//	gateway-pipe         warning          nobody serves the pipe of a forward rule
//	listen               ok|note|warning|problem  the addresses on which this node can be dialled
//	state-dir            ok|note|warning|problem  the state directory: there, writable, with room
//	other-overlay        note|warning     connected nodes that speak another overlay's protocols
//	other-version        warning          connected nodes that speak another version of this overlay's
//
// Thresholds: a clock more than a minute off is a warning, more than ten minutes
// (the skew at which records are refused) a problem; of other nodes' clocks the
// median counts, each node once, and fewer than three say nothing. QUIC wants
// 7 MiB of buffer each way as the kernel accounts them. A record should be held
// by five nodes, or by all where there are fewer. Less than 100 MiB of free disk
// is a warning, less than 10 MiB a problem. A relayed connection with less than
// a tenth of a limit left is a warning.
package doctor

// Code names a kind of finding. Codes are never renamed or reused.
type Code string

// The codes; see the package comment.
const (
	NodeNotRunning Code = "node-not-running"
	ConfigWrong    Code = "config-wrong"
	Reachability   Code = "reachability"
	PortMapping    Code = "port-mapping"
	DoubleNAT      Code = "double-nat"
	RelayUse       Code = "relay"
	RelayLimit     Code = "relay-limit"
	Clock          Code = "clock"
	UDPBuffers     Code = "udp-buffers"
	Proxy          Code = "proxy"
	LimitHit       Code = "limit-hit"
	LimitsFree     Code = "limits"
	OpenFiles      Code = "open-files"
	Peers          Code = "peers"
	Join           Code = "join"
	Role           Code = "role"
	RoutingTable   Code = "routing-table"
	OverlayAnswers Code = "overlay-answers"
	Binding        Code = "binding"
	GatewayRule    Code = "gateway-rule"
	GatewayTarget  Code = "gateway-target"
	GatewayPipe    Code = "gateway-pipe"
	Listen         Code = "listen"
	StateDir       Code = "state-dir"
	OtherOverlay   Code = "other-overlay"
	OtherVersion   Code = "other-version"
)

// Codes lists all of them in the order of the package comment.
func Codes() []Code {
	return []Code{
		NodeNotRunning, ConfigWrong, Reachability, PortMapping, DoubleNAT, RelayUse, RelayLimit, Clock, UDPBuffers, Proxy,
		LimitHit, LimitsFree, OpenFiles, Peers, Join, Role, RoutingTable, OverlayAnswers, Binding, GatewayRule, GatewayTarget,
		GatewayPipe, Listen, StateDir, OtherOverlay, OtherVersion,
	}
}
