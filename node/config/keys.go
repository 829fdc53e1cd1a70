package config

import (
	"slices"
	"strings"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Key describes one setting.
type Key struct {
	Name    string // dotted, as in the file: "relay.max_data"
	Type    string // "text", "list", "true or false", "number", "size", "duration", "level", "levels"
	Default string // as it would be written
	Value   any    // the default as JSON has it; see Setting
	Env     string // environment variable
	Doc     string // what it does, in a sentence
}

// spec ties a key to its field of Values.
type spec struct {
	key   string
	doc   string
	field func(*Values) any  // a pointer to the field
	oneOf []string           // the only values of a text, if it is not free
	check func(string) error // of a text, or of each text of a list; may be nil
}

func specs() []spec {
	return []spec{
		{key: "overlay", field: func(v *Values) any { return &v.Overlay }, check: identity.CheckOverlay,
			doc: "Prefix of all protocol IDs; nodes of one overlay share it."},
		{key: "join", field: func(v *Values) any { return &v.Join }, check: checkJoin,
			doc: "Multiaddrs with /p2p/<peer ID> and tickets to join the overlay through."},
		{key: "listen", field: func(v *Values) any { return &v.Listen }, check: checkListen,
			doc: "Multiaddrs to listen on; port 0 takes a free one; an empty list makes a node that only dials."},
		{key: "transports", field: func(v *Values) any { return &v.Transports }, check: checkTransport,
			doc: "Transports to make, to listen and to dial."},
		{key: "mdns", field: func(v *Values) any { return &v.MDNS },
			doc: "Look for nodes on the LAN and be found there."},
		{key: "port_mapping", field: func(v *Values) any { return &v.PortMapping },
			doc: "Ask the router for ports (UPnP, NAT-PMP)."},
		{key: "role", field: func(v *Values) any { return &v.Role }, oneOf: []string{"", "server", "client"},
			doc: "Serve the overlay or only use it; empty: as reachability allows."},
		{key: "max_connections", field: func(v *Values) any { return &v.MaxConnections },
			doc: "Above this many connections the least useful are closed at once; those of pipes and the newest count, and stay."},
		{key: "state_dir", field: func(v *Values) any { return &v.StateDir },
			doc: "Folder of the identity key and the store."},

		{key: "relay.serve", field: func(v *Values) any { return &v.Relay.Serve },
			doc: "Relay for others when this node is reachable."},
		{key: "relay.max_data", field: func(v *Values) any { return &v.Relay.MaxData },
			doc: "Bytes each way of one relayed connection."},
		{key: "relay.max_duration", field: func(v *Values) any { return &v.Relay.MaxDuration },
			doc: "Life of one relayed connection."},
		{key: "relay.max_circuits", field: func(v *Values) any { return &v.Relay.MaxCircuits },
			doc: "Relayed connections per node."},
		{key: "relay.reservations", field: func(v *Values) any { return &v.Relay.Reservations },
			doc: "Nodes that may be reached through this one."},

		{key: "limits.streams_per_peer", field: func(v *Values) any { return &v.Limits.StreamsPerPeer },
			doc: "Streams with one node, each way: the few that carry links, and raw pipe connections."},
		{key: "limits.streams", field: func(v *Values) any { return &v.Limits.Streams },
			doc: "Streams of all nodes and protocols, each way; 0: 8192, or twice limits.streams_per_peer if that is more."},
		{key: "limits.connections", field: func(v *Values) any { return &v.Limits.Connections },
			doc: "libp2p connections; 0: 512, or four times max_connections if that is more."},
		{key: "limits.connections_per_ip", field: func(v *Values) any { return &v.Limits.ConnectionsPerIP },
			doc: "libp2p connections with one IP address; a proxy is one address."},
		{key: "limits.connections_per_peer", field: func(v *Values) any { return &v.Limits.ConnectionsPerPeer },
			doc: "libp2p connections with one node, each way."},
		{key: "limits.memory", field: func(v *Values) any { return &v.Limits.Memory },
			doc: "Bytes that libp2p may reserve for buffers."},
		{key: "limits.pipe_connections", field: func(v *Values) any { return &v.Limits.PipeConnections },
			doc: "Pipe connections with all nodes, both ways; one node that dials may have as many as are still free, an eighth is kept for what this node dials."},
		{key: "limits.backlog", field: func(v *Values) any { return &v.Limits.Backlog },
			doc: "Pipe connections of one listener that wait to be accepted; one node may have as many of them as are still free."},
		{key: "limits.links", field: func(v *Values) any { return &v.Limits.Links },
			doc: "Links with all nodes; each pipe connection is one, unless it is a raw stream."},
		{key: "limits.links_per_peer", field: func(v *Values) any { return &v.Limits.LinksPerPeer },
			doc: "Links with one node."},
		{key: "limits.link_memory", field: func(v *Values) any { return &v.Limits.LinkMemory },
			doc: "Bytes that all links together may buffer: each has 32 KiB of them from the start, and half is for those that grow."},
		{key: "limits.link_window", field: func(v *Values) any { return &v.Limits.LinkWindow },
			doc: "Bytes that one link may buffer in each direction: what it can have under way, and sends again after a loss."},
		{key: "limits.gateway_channels", field: func(v *Values) any { return &v.Limits.GatewayChannels },
			doc: "Channels of the gateway at a time, of all its rules."},
		{key: "limits.gateway_channels_per_client", field: func(v *Values) any { return &v.Limits.GatewayPerClient },
			doc: "Of them those of one client: the node that dials what is exposed, the IP address that connects to a forward or socks rule; where this is not below limits.gateway_channels, as many as are still free."},
		{key: "limits.conversation", field: func(v *Values) any { return &v.Limits.Conversation },
			doc: "Bytes that the history of one conversation may take here; above it nothing of others is taken in, and who wrote it is told."},
		{key: "limits.requests", field: func(v *Values) any { return &v.Limits.Requests },
			doc: "Requests, records, and dials by whom a pipe's list does not have, that one node may ask for in a second; four times as many at once, and four times as many all nodes of one address group."},

		{key: "links.grace", field: func(v *Values) any { return &v.Links.Grace },
			doc: "How long a connection that has lost its path waits for another one, unless its dialer says otherwise."},

		{key: "log.level", field: func(v *Values) any { return &v.Log.Level },
			doc: "Least level that is logged: debug, info, warn or error."},
		{key: "log.format", field: func(v *Values) any { return &v.Log.Format }, oneOf: []string{"text", "json"},
			doc: "Format of the log: text or json."},
		{key: "log.levels", field: func(v *Values) any { return &v.Log.Levels },
			doc: "Levels by subsystem, such as discovery, pipe, or libp2p for everything of libp2p."},

		{key: "api.socket", field: func(v *Values) any { return &v.API.Socket },
			doc: "Path of the local API's Unix socket; empty: the profile's own."},
		{key: "api.tcp", field: func(v *Values) any { return &v.API.TCP }, check: checkLoopback,
			doc: "Loopback address and port of the local API over TCP; empty: none."},
	}
}

// Keys describes every setting, in the order of the reference. The default of
// state_dir depends on the profile; it is that of the profile "default".
func Keys() []Key {
	dir, err := StateDir(DefaultProfile)
	if err != nil {
		dir = ""
	}
	def := defaults(dir)
	var all []Key
	for _, s := range specs() {
		p := s.field(&def)
		all = append(all, Key{Name: s.key, Type: typeName(p), Default: format(p), Value: plain(p), Env: envName(s.key), Doc: s.doc})
	}
	return all
}

// envPrefix begins every variable that is a setting.
const envPrefix = "PANPIPE_"

// envName is the variable of a key: PANPIPE_RELAY_MAX_DATA.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// envOfCLI are variables of the command line that are no settings.
func envOfCLI() []string {
	return []string{"PANPIPE_PROFILE", "PANPIPE_SOCKET", "PANPIPE_CONFIG", "PANPIPE_TOKEN"}
}

// find returns the spec of a key. A key below a table of free keys is the
// table's, and rest is the free part.
func find(key string) (s spec, rest string, ok bool) {
	for _, s := range specs() {
		if s.key == key {
			return s, "", true
		}
		if _, free := s.field(new(Values)).(*levels); free && strings.HasPrefix(key, s.key+".") {
			return s, key[len(s.key)+1:], true
		}
	}
	return spec{}, "", false
}

// nearest is the name that a mistyped one probably meant; empty when none is
// near.
func nearest(name string, names []string) string {
	best, bestAt := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < bestAt {
			best, bestAt = n, d
		}
	}
	if best != "" {
		return best
	}
	// "port" for "limits.connections" helps nobody, but "serve" for
	// "relay.serve" does.
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, "."+name) })
	if i >= 0 {
		return names[i]
	}
	return ""
}

// distance is the number of letters to put in, take out, change or swap with
// the next (optimal string alignment).
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
