package node

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Config says what a node is made of. The zero Config works: an ephemeral node
// in overlay "panpipe" that listens on free ports of all its transports, looks
// for others on the LAN, and keeps key and store in memory.
type Config struct {
	// StateDir is the folder of the identity key and the store, made if it is
	// not there. Empty: both live in memory and end with the node.
	StateDir string

	// Overlay is the prefix of all protocol IDs: 1 to 32 of a-z, 0-9 and, inside,
	// '-'. Empty means "panpipe".
	Overlay string

	// Join holds multiaddrs that end in /p2p/<peer ID>, and tickets of this
	// overlay. Any number.
	Join []string

	// Listen holds multiaddrs to listen on. Nil means DefaultListen, of which
	// only IPv6 may be missing; of addresses given here each is had, or Start
	// fails. Addresses of one IP that leave the port open (0) share one port.
	Listen []string

	// NoListen makes a node that only dials, whatever Listen says.
	NoListen bool

	// Transports names the transports to make: "tcp", "quic-v1", "ws",
	// "webtransport", "webrtc-direct", "relay". Nil means all. A transport that
	// is not listened on can still dial.
	Transports []string

	// DisableMDNS stops looking for nodes on the LAN.
	DisableMDNS bool

	// DisablePortMapping stops asking the router (UPnP, NAT-PMP) for ports.
	DisablePortMapping bool

	// DisableNetworkWatch stops watching this machine for sleep and for changes
	// of its addresses: for embedders whose network is not the machine's.
	DisableNetworkWatch bool

	// Role is "server", "client", or "" for the role that reachability gives.
	Role string

	// Relay says whether this node relays for others.
	Relay Relay

	// MaxConnections is how many connections the node keeps; above that the
	// least useful are closed at once, as package connections says. 0 means 100;
	// at least 8.
	MaxConnections int

	// LinkGrace is how long a connection that has lost its path waits for another
	// one, unless who dials says otherwise. 0 means a minute.
	LinkGrace time.Duration

	// Limits are the caps of the node. See Node.Limits for all of them.
	Limits Limits

	// Log takes what the node and libp2p have to say, each record with the
	// attribute "subsystem". Nil discards the node's records and leaves
	// libp2p's where they are (its own default is errors on stderr).
	Log *slog.Logger

	// LogLevels gives levels by subsystem ("discovery", "pipe", "swarm2", …;
	// "libp2p" stands for everything of libp2p). What is not named is logged
	// from info on, libp2p from error on.
	LogLevels map[string]slog.Level

	// Providers keeps kad-dht's provider records on, which Panpipe itself has
	// no use for: a benchmark compares with them.
	Providers bool

	// Libp2p options are applied last, for embedders who bring a transport or
	// a network of their own.
	Libp2p []libp2p.Option
}

// Relay configures the circuit relay service. A node always uses relays of
// others when it needs one.
type Relay struct {
	Serve        bool          // relay for others when this node is reachable
	MaxData      int64         // bytes each way of one circuit; 0 means 16 GiB
	MaxDuration  time.Duration // life of one circuit; 0 means 24 h
	MaxCircuits  int           // open circuits per peer; 0 means 16
	Reservations int           // peers that may hold a reservation; 0 means 128
}

// Limits are caps on what peers can make this node hold. Zero means the
// default in the comment.
type Limits struct {
	StreamsPerPeer     int   // streams with one peer, each way: those that carry links, and raw pipe connections; 2048
	Streams            int   // streams of all peers and protocols, each way; 8192
	Connections        int   // libp2p connections; 4 × MaxConnections, at least 512
	ConnectionsPerIP   int   // libp2p connections with one IP address (a proxy is one address); 64
	ConnectionsPerPeer int   // libp2p connections with one peer, each way; 16
	Memory             int64 // bytes that libp2p may reserve for buffers; 1 GiB
	PipeConnections    int   // pipe connections of all peers, both ways, an eighth of them for own dials; 32768
	Backlog            int   // pipe connections that wait for Accept, each listener; 128
	Links              int   // links, which carry pipe connections; 32768
	LinksPerPeer       int   // links with one peer; 16384
	LinkMemory         int64 // bytes that all links may buffer, 32 KiB of each at least; 1 GiB
	LinkWindow         int64 // bytes that one link buffers in each direction at most; 16 MiB
	GatewayChannels    int   // channels of the gateway, of all rules; 32768
	GatewayPerClient   int   // of them those of one client: a peer, or an IP address; 32768, which where it is not below GatewayChannels means as many as are free
	Conversation       int64 // bytes that the history of one conversation may take; 1 GiB
	Requests           int   // requests, records and dials by the unlisted that one peer may ask for in a second, four times as many at once; 500
}

// DefaultListen is where a node listens that is told nothing: a free TCP and a
// free UDP port on every interface, shared by its transports.
func DefaultListen() []string {
	return []string{
		"/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/tcp/0/ws",
		"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/udp/0/quic-v1/webtransport", "/ip4/0.0.0.0/udp/0/webrtc-direct",
		"/ip6/::/tcp/0", "/ip6/::/tcp/0/ws",
		"/ip6/::/udp/0/quic-v1", "/ip6/::/udp/0/quic-v1/webtransport", "/ip6/::/udp/0/webrtc-direct",
	}
}

// DefaultTransports names every transport of a node.
func DefaultTransports() []string {
	return []string{
		string(reach.TCP), string(reach.QUIC), string(reach.WS),
		string(reach.WebTransport), string(reach.WebRTC), string(reach.Relay),
	}
}

// minConnections is the least useful MaxConnections.
const minConnections = 8

// normalize fills in what is left zero and refuses what cannot work, as
// wire.BadRequest.
func (c Config) normalize() (Config, error) {
	if c.Overlay == "" {
		c.Overlay = pipe.DefaultOverlay
	}
	if err := identity.CheckOverlay(c.Overlay); err != nil {
		return c, err
	}
	if c.Role != "" && c.Role != string(discovery.RoleServer) && c.Role != string(discovery.RoleClient) {
		return c, wire.Errorf(wire.BadRequest, "role %q is neither server nor client", c.Role).
			WithNext("leave it out, and the node finds out itself")
	}
	if c.Transports == nil {
		c.Transports = DefaultTransports()
	}
	for _, t := range c.Transports {
		if !slices.Contains(DefaultTransports(), t) {
			return c, wire.Errorf(wire.BadRequest, "%q is not a transport", t).
				WithNext("name some of %s", strings.Join(DefaultTransports(), ", "))
		}
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 100
	}
	if c.MaxConnections < minConnections {
		return c, wire.Errorf(wire.BadRequest, "max_connections %d is below %d", c.MaxConnections, minConnections).
			WithNext("allow %d at least", minConnections)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := fill("link grace", &c.LinkGrace, link.DefaultGrace); err != nil {
		return c, err
	}
	if err := c.Relay.normalize(); err != nil {
		return c, err
	}
	return c, c.Limits.normalize(c.MaxConnections)
}

func (r *Relay) normalize() error {
	return firstError(
		fill("relay max data", &r.MaxData, 16<<30),
		fill("relay max duration", &r.MaxDuration, 24*time.Hour),
		fill("relay max circuits", &r.MaxCircuits, 16),
		fill("relay reservations", &r.Reservations, 128),
	)
}

func (l *Limits) normalize(maxConnections int) error {
	return firstError(
		fill("limit streams per peer", &l.StreamsPerPeer, 2048),
		fill("limit streams", &l.Streams, max(8192, 2*l.StreamsPerPeer)),
		fill("limit connections", &l.Connections, max(512, 4*maxConnections)),
		fill("limit connections per IP", &l.ConnectionsPerIP, 64),
		fill("limit connections per peer", &l.ConnectionsPerPeer, 16),
		fill("limit memory", &l.Memory, 1<<30),
		fill("limit pipe connections", &l.PipeConnections, 32768),
		fill("limit backlog", &l.Backlog, 128),
		fill("limit links", &l.Links, link.DefaultLinks),
		fill("limit links per peer", &l.LinksPerPeer, link.DefaultLinksPerPeer),
		fill("limit link memory", &l.LinkMemory, link.DefaultMemory),
		fill("limit link window", &l.LinkWindow, link.DefaultWindow),
		fill("limit gateway channels", &l.GatewayChannels, 32768),
		fill("limit gateway channels per client", &l.GatewayPerClient, 32768),
		fill("limit conversation", &l.Conversation, 1<<30),
		fill("limit requests", &l.Requests, 500),
	)
}

// fill gives a zero field its default and refuses a negative one.
func fill[T int | int64 | time.Duration](what string, field *T, value T) error {
	if *field < 0 {
		return wire.Errorf(wire.BadRequest, "%s is negative", what)
	}
	if *field == 0 {
		*field = value
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
