package api

import "time"

// Explanation is an account of how a pipe, or a peer, is found and dialled.
type Explanation struct {
	// Kind is pipe or peer.
	Kind string `json:"kind"`
	// Pipe is the pipe's ID, empty with kind peer.
	Pipe string `json:"pipe"`
	// Account is whose contact pipe it is, where an account was asked for.
	Account string `json:"account,omitempty"`
	// Peer is what is known of the peer, with kind peer.
	Peer *PeerExplanation `json:"peer,omitempty"`
	// Name is the public name.
	Name string `json:"name,omitempty"`
	// Type is unicast, secure or propagate; empty when nothing was found.
	Type string `json:"type,omitempty"`
	// Found says that a record was found, or an address of the peer.
	Found bool `json:"found"`
	// Connected says that a connection of the pipe is open at this node, or one
	// to the peer: State is connected then, and only then.
	Connected bool `json:"connected"`
	// Accepted says that a binder accepted the probe, with which nothing was
	// opened, or the same as Connected of a peer.
	Accepted bool `json:"accepted"`
	// State is unbound (no live record was found), announced (one was),
	// reachable (a binder answered the probe) or connected (a connection of the
	// pipe is open at this node). Of a peer: unbound (no address is known),
	// announced (one is), or connected.
	State string `json:"state"`
	// Path is direct or relay: that of the open connection, else the probe's,
	// or the peer's; empty when none came about.
	Path string `json:"path,omitempty"`
	// Asked counts the nodes that were asked.
	Asked int `json:"asked"`
	// TookMS is the time for all of it.
	TookMS float64 `json:"took_ms"`
	// Records are what was found.
	Records []Binding `json:"records"`
	// Dials are the tries to connect, in order.
	Dials []DialAttempt `json:"dials"`
	// ReconnectingSince is since when a connection of the pipe that is open at
	// this node waits for a path.
	ReconnectingSince *time.Time `json:"reconnecting_since,omitempty"`
	// Connections are those of the pipe that pass through the local API now.
	Connections []Connection `json:"connections,omitempty"`
	// Problem is why the pipe or the peer was not found or not reached.
	Problem *Problem `json:"problem,omitempty"`
}

// Values of Explanation.Kind.
const (
	KindPipe = "pipe"
	KindPeer = "peer"
)

// DialAttempt is one try to connect.
type DialAttempt struct {
	// Binder is whom it was to reach.
	Binder string `json:"binder"`
	// Endpoint is the address.
	Endpoint string `json:"endpoint,omitempty"`
	// Transport is that of the address.
	Transport string `json:"transport,omitempty"`
	// Reused says that a connection was there already.
	Reused bool `json:"reused,omitempty"`
	// Punch says that it was hole punching rather than a dial.
	Punch bool `json:"punch,omitempty"`
	// Beaten says that it was given up when another address had answered:
	// nothing is known to be wrong with this one.
	Beaten bool `json:"beaten,omitempty"`
	// TookMS is how long it took.
	TookMS float64 `json:"took_ms"`
	// Error is empty when it worked, or was beaten.
	Error string `json:"error,omitempty"`
}

// EventsQuery are the parameters of the event stream.
type EventsQuery struct {
	// Since resumes after this event ID, like the header Last-Event-ID, which
	// wins when both are given. Neither means from
	// now on, 0 from the oldest event that is kept.
	Since uint64 `json:"since,omitempty"`
	// Attend names buddies whose presence the reader looks at: as long as the
	// stream lives they are connected to when they are there, and their death is
	// seen within ten seconds. At most 64 at a time.
	Attend []string `json:"attend,omitempty"`
}

// Event is the data of one server-sent event. Its SSE event name is Kind, its
// SSE id is ID.
type Event struct {
	// ID rises from event to event, also over restarts of the node.
	ID uint64 `json:"id"`
	// Time is when it happened.
	Time time.Time `json:"time"`
	// Kind is status, pipe-created, pipe-removed, listen-bound,
	// listen-replaced, listen-closed, connection-offered, connection-opened,
	// connection-waiting, connection-moved, connection-ended, granted, revoked,
	// gateway-rule-up, gateway-rule-down, gateway-rule-changed,
	// gateway-rule-removed, gateway-channel-opened, gateway-channel-closed,
	// gateway-refused, gateway-accept-blocked, account, buddy, presence, request,
	// message, mark, chat-state, stopped, devices, lost, or gap.
	Kind string `json:"kind"`
	// Status is the new status, with kind status.
	Status *Status `json:"status,omitempty"`
	// Pipe is the ID of the pipe concerned.
	Pipe string `json:"pipe,omitempty"`
	// Connection is the connection concerned.
	Connection *Connection `json:"connection,omitempty"`
	// Gateway is the rule and the channel concerned, with kinds gateway-….
	Gateway *GatewayEvent `json:"gateway,omitempty"`
	// Account is whom it is about, with the kinds from buddy to devices.
	Account string `json:"account,omitempty"`
	// Buddy is how the account stands now, with kinds buddy and presence.
	Buddy *Buddy `json:"buddy,omitempty"`
	// Message is what was written, with kind message.
	Message *Message `json:"message,omitempty"`
	// OwnAccount is how the node's account stands now, with kind account; absent
	// when it has none any more.
	OwnAccount *Account `json:"own_account,omitempty"`
	// Problem is why something ended or failed.
	Problem *Problem `json:"problem,omitempty"`
	// Gap is what was missed, with kind gap.
	Gap *Gap `json:"gap,omitempty"`
}

// Kinds of an Event.
const (
	EventStatus            = "status"
	EventPipeCreated       = "pipe-created"
	EventPipeRemoved       = "pipe-removed"
	EventListenBound       = "listen-bound"
	EventListenReplaced    = "listen-replaced"
	EventListenClosed      = "listen-closed"
	EventConnectionOffered = "connection-offered"
	EventConnectionOpened  = "connection-opened"
	EventConnectionWaiting = "connection-waiting" // has lost its path
	EventConnectionMoved   = "connection-moved"   // goes on over another path
	EventConnectionEnded   = "connection-ended"
	EventGranted           = "granted"
	EventRevoked           = "revoked"
	EventGatewayRuleUp     = "gateway-rule-up"        // the rule takes clients
	EventGatewayRuleDown   = "gateway-rule-down"      // it takes none
	EventGatewayChanged    = "gateway-rule-changed"   // it says something else
	EventGatewayRemoved    = "gateway-rule-removed"   // it is gone
	EventGatewayOpened     = "gateway-channel-opened" // of many in a second a few are told, as with the two below
	EventGatewayClosed     = "gateway-channel-closed" // with a problem unless both sides were through
	EventGatewayRefused    = "gateway-refused"        // a client or dialer got no channel
	EventGatewayBlocked    = "gateway-accept-blocked" // clients wait: no file descriptor is left
	EventBuddy             = "buddy"                  // a buddy came, went, or is called otherwise
	EventPresence          = "presence"               // a device of a buddy came or went, or its status is another
	EventRequest           = "request"                // a request came or went
	EventMessage           = "message"                // new here: also what this account wrote, and what was written long ago
	EventMark              = "mark"                   // messages of the conversation with an account were delivered or read
	EventChatState         = "chat-state"             // the application's state with an account is another
	EventStopped           = "stopped"                // messages with an account go no further, the problem says why
	EventDevices           = "devices"                // a device of this account came or went
	EventLost              = "lost"                   // of buddies and chats something was not told: read them anew
	EventAccount           = "account"                // the node's account, its profile or its devices have changed
	EventGap               = "gap"
)

// Gap says that events between two IDs are no longer kept: whoever follows the
// stream should read the present state anew.
type Gap struct {
	// After is the last ID that the reader has.
	After uint64 `json:"after"`
	// Before is the first ID that comes next.
	Before uint64 `json:"before"`
}
