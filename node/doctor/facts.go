package doctor

import (
	"net/netip"
	"time"
)

// Facts is all that Examine judges. The zero value of a part means that it is
// not known, and nothing is said of it.
type Facts struct {
	Machine Machine // what holds with and without a node
	Node    *Node   // nil: no node runs

	ConfigError string // why panpipe up would not start; asked only where no node runs
	Profile     string // whose node does not run
}

// Machine is what a process finds around it.
type Machine struct {
	OS      string // as runtime.GOOS
	UDP     UDP
	Proxies []string // names of the proxy variables that are set
	Files   Files
	State   State
}

// UDP are the socket buffers that QUIC gets, in bytes as the kernel accounts
// them (on Linux twice what a program asks for).
type UDP struct {
	Receive, Send       int // what a socket gets that asks for all QUIC wants; 0: not known
	ReceiveMax, SendMax int // net.core.rmem_max and wmem_max; 0: not known
}

// Files are the file descriptors of the process.
type Files struct {
	Limit uint64 // most that may be open; 0: not known
	Open  int    // open now; -1: not known
}

// State is the state directory.
type State struct {
	Dir      string // empty: key and store live in memory
	Examined bool
	Missing  bool   // it is not there yet; the rest is that of the folder where it would be made
	Fault    string // why nothing can be written there; empty: it can
	Free     int64  // bytes free for this user; -1: not known
}

// NAT is what a node knows of the address translation in front of it.
type NAT struct {
	Router bool             // a router that forwards ports on request has answered
	Mapped []netip.AddrPort // what it says that it forwards
	Public []netip.Addr     // this node's addresses as others see them
	Double bool             // the router's own address is translated once more
}

// Node is what a running node knows of itself.
type Node struct {
	Now     time.Time
	Started time.Time
	Overlay string

	Role         string // server or client
	RoleForced   bool   // by the configuration
	Reachability string // public, private, local or unknown
	NAT          NAT
	MapPorts     bool // the router is asked for ports
	MDNS         bool

	Addrs    []string // that others can dial, without /p2p
	NoListen bool     // the configuration asks for none

	UsesRelays bool // the relay transport is there
	Relays     []string
	Circuits   []Circuit

	Clock    ClockSample
	Refusals []Refusal

	Connections    int // open
	MaxConnections int // the hard limit
	Peers          int
	Servers        int
	LastServer     time.Time // when a node of the overlay last answered; zero: none did
	Alone          bool      // nobody was named to join through and nobody is remembered
	Joins          []JoinFailure

	Table    Table
	Survey   Survey
	Bindings []Bound
	Gateway  []Rule
	Foreign  []Foreign
}

// Circuit is a connection over a relay.
type Circuit struct {
	Peer, Relay string
	MaxTime     time.Duration // 0: no limit
	LeftTime    time.Duration
	MaxData     int64 // bytes each way; 0: no limit
	LeftData    int64 // -1: not counted
}

// ClockSample is how this node's clock stands to those of others.
type ClockSample struct {
	Ahead time.Duration // median; negative: behind
	Nodes int           // that have told theirs
}

// Refusal is what one limit has refused since the start.
type Refusal struct {
	Limit   string // its name
	Setting string // the configuration key that moves it; empty: fixed
	Count   uint64
	Last    time.Time
}

// JoinFailure is why an address to join through does not work.
type JoinFailure struct {
	Addr, Error string
	Next        string // what to do about it; empty: what helps with most
}

// Table is the routing table.
type Table struct {
	Size      int
	Refreshed time.Time     // zero: never
	Period    time.Duration // of its refresh
}

// Survey is how the nodes nearest to this one answered when they were asked.
type Survey struct {
	Asked, Answered int
	Cause           string // of the last failure
}

// Bound is a pipe that this node serves.
type Bound struct {
	Pipe    string
	Holders int           // nodes that hold its record, this one counted
	Age     time.Duration // since the record was signed
}

// Rule is one of the gateway's, and whether what it leads to answers.
type Rule struct {
	ID      string
	Does    string // what it does, such as "expose 127.0.0.1:80 on web"
	Expose  bool   // it serves a local service
	Down    string // why it takes no clients; empty: it does
	Waits   bool   // it is down, and tried again
	Mute    string // why what it leads to does not answer; empty: it does
	Next    string // what to do, with Down or Mute
	Clients int    // channels that are open
}

// Foreign is a protocol of ours that connected nodes speak under another
// overlay's prefix or in another version.
type Foreign struct {
	Protocol string
	Overlay  string // its prefix
	Peers    int
}

// Standing is where a node stands in the network, in short.
type Standing struct {
	NAT      NAT
	MapPorts bool     // a router is asked for ports
	Relays   []string // through which it can be reached
	Circuits int      // open connections that go over relays
}
