package config

import (
	"log/slog"
	"time"

	"github.com/panpipe-net/panpipe/node"
)

// Values are all settings, typed. Each field has its key in the table of
// keys.go, which also says what it means.
type Values struct {
	Overlay        string
	Join           []string
	Listen         []string // empty: dial only
	Transports     []string
	MDNS           bool
	PortMapping    bool
	Role           string
	MaxConnections int
	StateDir       string
	Relay          Relay
	Limits         Limits
	Links          Links
	Log            Log
	API            API
}

// Relay are the settings of the relay service.
type Relay struct {
	Serve        bool
	MaxData      Size
	MaxDuration  time.Duration
	MaxCircuits  int
	Reservations int
}

// Limits are the caps of the node. Zero: the node's own default.
type Limits struct {
	StreamsPerPeer     int
	Streams            int
	Connections        int
	ConnectionsPerIP   int
	ConnectionsPerPeer int
	Memory             Size
	PipeConnections    int
	Backlog            int
	Links              int
	LinksPerPeer       int
	LinkMemory         Size
	LinkWindow         Size
	GatewayChannels    int
	GatewayPerClient   int
	Conversation       Size
	Requests           int
}

// Links are the settings of what carries connections.
type Links struct {
	Grace time.Duration
}

// Log are the settings of the daemon's log.
type Log struct {
	Level  slog.Level
	Format string
	Levels map[string]slog.Level
}

// API are the settings of the local API.
type API struct {
	Socket string
	TCP    string
}

// defaults are the values of a profile that sets nothing.
func defaults(stateDir string) Values {
	return Values{
		Overlay:        "panpipe",
		Listen:         node.DefaultListen(),
		Transports:     node.DefaultTransports(),
		MDNS:           true,
		PortMapping:    true,
		MaxConnections: 100,
		StateDir:       stateDir,
		Relay:          Relay{MaxData: 16 << 30, MaxDuration: 24 * time.Hour, MaxCircuits: 16, Reservations: 128},
		Limits: Limits{
			StreamsPerPeer: 2048, ConnectionsPerIP: 64, ConnectionsPerPeer: 16,
			Memory: 1 << 30, PipeConnections: 32768, Backlog: 128, Requests: 500,
			Links: 32768, LinksPerPeer: 16384, LinkMemory: 1 << 30, LinkWindow: 16 << 20,
			GatewayChannels: 32768, GatewayPerClient: 32768, Conversation: 1 << 30,
		},
		Links: Links{Grace: time.Minute},
		Log:   Log{Level: slog.LevelInfo, Format: "text"},
	}
}

// Node is the configuration of the node. Records go to log.
func (c *Config) Node(log *slog.Logger) node.Config {
	v := c.Values
	listen := v.Listen
	if c.origins["listen"] == originDefault {
		listen = nil // so that a machine without IPv6 is none the worse
	}
	return node.Config{
		StateDir:           v.StateDir,
		Overlay:            v.Overlay,
		Join:               v.Join,
		Listen:             listen,
		NoListen:           len(v.Listen) == 0,
		Transports:         v.Transports,
		DisableMDNS:        !v.MDNS,
		DisablePortMapping: !v.PortMapping,
		Role:               v.Role,
		MaxConnections:     v.MaxConnections,
		Relay: node.Relay{
			Serve: v.Relay.Serve, MaxData: int64(v.Relay.MaxData), MaxDuration: v.Relay.MaxDuration,
			MaxCircuits: v.Relay.MaxCircuits, Reservations: v.Relay.Reservations,
		},
		Limits: node.Limits{
			StreamsPerPeer: v.Limits.StreamsPerPeer, Streams: v.Limits.Streams,
			Connections: v.Limits.Connections, ConnectionsPerIP: v.Limits.ConnectionsPerIP,
			ConnectionsPerPeer: v.Limits.ConnectionsPerPeer, Memory: int64(v.Limits.Memory),
			PipeConnections: v.Limits.PipeConnections, Backlog: v.Limits.Backlog, Requests: v.Limits.Requests,
			Links: v.Limits.Links, LinksPerPeer: v.Limits.LinksPerPeer,
			LinkMemory: int64(v.Limits.LinkMemory), LinkWindow: int64(v.Limits.LinkWindow),
			GatewayChannels: v.Limits.GatewayChannels, GatewayPerClient: v.Limits.GatewayPerClient,
			Conversation: int64(v.Limits.Conversation),
		},
		LinkGrace: v.Links.Grace,
		Log:       log,
		LogLevels: v.Log.Levels,
	}
}
