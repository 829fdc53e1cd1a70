package api

import "time"

// GatewayRule is one line of the gateway's configuration. What a kind has no use
// for is absent.
type GatewayRule struct {
	// ID names the rule on this node. In a request: the rule to change; absent,
	// the one with this listen address, or that exposes this pipe, else a new one.
	ID string `json:"id,omitempty"`
	// Kind is expose (serves a local service on a pipe), forward (listens locally
	// and carries each client to a pipe) or socks (each client names its pipe).
	Kind string `json:"kind"`
	// Target is the service that an expose rule serves: host:port or unix:/path.
	Target string `json:"target,omitempty"`
	// Listen is where forward and socks rules listen: host:port (port 0 takes a
	// free one) or unix:/path.
	Listen string `json:"listen,omitempty"`
	// Pipe is the ID or the local name of the pipe. An expose rule makes a pipe of
	// that name if there is none; absent, it is named after the target.
	Pipe string `json:"pipe,omitempty"`
	// Allow lists the principals that may dial what is exposed, or anyone.
	Allow []string `json:"allow,omitempty"`
	// ProxyProtocol is v2 if the service is told who comes.
	ProxyProtocol string `json:"proxy_protocol,omitempty"`
	// Exclusive makes a new pipe one that a single node serves; otherwise several
	// may expose the service.
	Exclusive bool `json:"exclusive,omitempty"`
	// Transport must carry what a forward or socks rule dials; absent: any.
	Transport string `json:"transport,omitempty"`
	// Capability is the text of the owner's permission to bind the pipe (expose)
	// or to dial it (forward), where one is needed.
	Capability string `json:"capability,omitempty"`
	// Spread divides the clients of a forward rule among the pipe's binders.
	Spread bool `json:"spread,omitempty"`
	// MaxChannels caps the rule's channels; absent: the node's limit.
	MaxChannels int `json:"max_channels,omitempty"`
	// MaxPerClient caps those of one client; absent: the node's limit.
	MaxPerClient int `json:"max_per_client,omitempty"`
}

// GatewayStatus is how a rule of the gateway stands.
type GatewayStatus struct {
	// Rule is what it says.
	Rule GatewayRule `json:"rule"`
	// State is up (it takes clients), waiting (it cannot, for now, and is tried
	// again), failed (it cannot until somebody changes something) or draining (it
	// was removed, and its last channels go on).
	State string `json:"state"`
	// Since is when that began.
	Since time.Time `json:"since"`
	// Problem is why it is not up.
	Problem *Problem `json:"problem,omitempty"`
	// Pipe is the ID of the pipe that it serves or leads to; absent for a socks
	// rule, and while it is not known.
	Pipe string `json:"pipe,omitempty"`
	// Addr is where it listens, with the real port; absent while it does not.
	Addr string `json:"addr,omitempty"`
	// Holders counts the nodes known to hold the binding of an expose rule.
	Holders int `json:"holders,omitempty"`
	// Binders are those who serve the pipe of a forward rule, as far as is known.
	Binders []GatewayBinder `json:"binders,omitempty"`
	// Unbound is why a forward rule's pipe leads to nobody, with the code not-ready
	// until that is known; absent if it does.
	Unbound *Problem `json:"unbound,omitempty"`
	// Channels counts those that are open.
	Channels int `json:"channels"`
	// Opened counts those that have begun since the rule was made or restored.
	Opened uint64 `json:"opened"`
	// Refused counts clients and dialers that got none, by the word of the cause.
	Refused []GatewayRefusals `json:"refused"`
	// Received counts bytes from far nodes, those of open channels included.
	Received uint64 `json:"received"`
	// Sent counts bytes to far nodes.
	Sent uint64 `json:"sent"`
}

// GatewayBinder is one node that serves the pipe of a forward rule.
type GatewayBinder struct {
	// Principal is who it is.
	Principal string `json:"principal"`
	// Transport is that of the path that is kept to it; absent without one.
	Transport string `json:"transport,omitempty"`
	// Path is direct or relay; absent without one.
	Path string `json:"path,omitempty"`
	// RTTMS is the round trip on it, 0 when not measured.
	RTTMS float64 `json:"rtt_ms"`
	// Channels counts those that are open to it.
	Channels int `json:"channels"`
}

// GatewayRefusals counts what was refused for one cause.
type GatewayRefusals struct {
	// Code is the word of the cause.
	Code string `json:"code"`
	// Count is how often.
	Count uint64 `json:"count"`
}

// GatewayRuleList is how all rules of the gateway stand.
type GatewayRuleList struct {
	// Rules are in the order of their kinds and addresses.
	Rules []GatewayStatus `json:"rules"`
}

// GatewayChange is what became of a rule.
type GatewayChange struct {
	// Change is added, changed (a rule that was there says something else now; its
	// channels go on) or kept (it said so already).
	Change string `json:"change"`
	// Status is how it stands.
	Status GatewayStatus `json:"status"`
	// Service is why the service of an expose rule does not answer now; absent if
	// it does, and where it was not asked for.
	Service *Problem `json:"service,omitempty"`
}

// Values of GatewayChange.Change.
const (
	GatewayAdded   = "added"
	GatewayChanged = "changed"
	GatewayKept    = "kept"
)

// GatewayRuleSet is the whole set of rules that the gateway is to have.
type GatewayRuleSet struct {
	// Rules are matched with those that are there by ID, else by listen address,
	// or by the pipe that they expose.
	Rules []GatewayRule `json:"rules"`
}

// GatewayChanges is what became of the rules when a set was applied, by ID.
type GatewayChanges struct {
	// Added are new.
	Added []string `json:"added"`
	// Changed say something else now; their channels go on.
	Changed []string `json:"changed"`
	// Kept said so already.
	Kept []string `json:"kept"`
	// Removed are gone; their channels may end by themselves.
	Removed []string `json:"removed"`
	// Failed are saved, and could not be taken up; those that may work later are
	// tried again.
	Failed []GatewayFailure `json:"failed"`
}

// GatewayFailure is a rule that could not be taken up.
type GatewayFailure struct {
	// Rule is its ID.
	Rule string `json:"rule"`
	// Problem is why.
	Problem Problem `json:"problem"`
}

// GatewayPutQuery are the parameters of adding or changing a rule.
type GatewayPutQuery struct {
	// Wait is how long to wait until it is known what the rule leads to: whether
	// the service of an expose rule takes connections, whether anybody serves the
	// pipe of a forward rule.
	Wait Duration `json:"wait,omitempty"`
}

// GatewayRemoveQuery are the parameters of the removal of a rule.
type GatewayRemoveQuery struct {
	// Drain lets the rule's channels end by themselves; otherwise they are reset.
	Drain bool `json:"drain,omitempty"`
}

// GatewayChannel is one client of the gateway.
type GatewayChannel struct {
	// ID is that of the link that carries it, the same at both nodes, in hex;
	// absent where it is a raw stream.
	ID string `json:"id,omitempty"`
	// Client is the far end of the local connection: the client's address, or that
	// of the service.
	Client string `json:"client"`
	// Principal is the far node.
	Principal string `json:"principal"`
	// Transport is that of the path that carries it; of the last one while none
	// does; absent where the far node is this one.
	Transport string `json:"transport,omitempty"`
	// ReconnectingSince is when it lost its path, while it waits for another one.
	ReconnectingSince *time.Time `json:"reconnecting_since,omitempty"`
	// Opened is when it began.
	Opened time.Time `json:"opened"`
	// Received counts bytes from the far node.
	Received uint64 `json:"received"`
	// Sent counts bytes to the far node.
	Sent uint64 `json:"sent"`
}

// GatewayChannelList is the open channels of a rule.
type GatewayChannelList struct {
	// Rule is the rule's ID.
	Rule string `json:"rule"`
	// Channels are in the order of their beginning.
	Channels []GatewayChannel `json:"channels"`
}

// GatewayEvent is what has happened in the gateway.
type GatewayEvent struct {
	// Rule is the rule's ID.
	Rule string `json:"rule"`
	// Kind is that of the rule: expose, forward or socks.
	Kind string `json:"kind"`
	// Channel is the channel's ID, with the events of channels.
	Channel string `json:"channel,omitempty"`
	// Received counts bytes of a channel that has ended, from the far node.
	Received uint64 `json:"received,omitempty"`
	// Sent counts those to the far node.
	Sent uint64 `json:"sent,omitempty"`
	// TookMS is how long a channel that has ended was there.
	TookMS float64 `json:"took_ms,omitempty"`
	// Untold counts events of channels, of all rules, that were left out before
	// this one: of many in a second a few are told.
	Untold uint64 `json:"untold,omitempty"`
}
