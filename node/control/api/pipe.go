package api

import "time"

// Pipe is a pipe that the node keeps.
type Pipe struct {
	// ID is the pipe's ID.
	ID string `json:"id"`
	// URI is the ID with "pipe:" in front.
	URI string `json:"uri"`
	// Name is the local name, never sent to anybody.
	Name string `json:"name,omitempty"`
	// PublicName is told to everyone who resolves the pipe.
	PublicName string `json:"public_name,omitempty"`
	// Type is unicast, secure or propagate.
	Type string `json:"type"`
	// Owner is the principal that decides who may bind and dial.
	Owner string `json:"owner"`
	// Binders is exclusive or many.
	Binders string `json:"binders"`
	// DialPolicy is open, listed or capability.
	DialPolicy string `json:"dial_policy"`
	// Transports are those allowed; empty means all.
	Transports []string `json:"transports"`
	// Reliable says that bytes arrive in order and without loss.
	Reliable bool `json:"reliable"`
	// Created is when the node made the pipe; absent for one that it only knows of.
	Created *time.Time `json:"created,omitempty"`
	// Listening says that a program serves the pipe through this node now.
	Listening bool `json:"listening"`
}

// PipeList is the pipes that the node keeps.
type PipeList struct {
	// Pipes are sorted by name.
	Pipes []Pipe `json:"pipes"`
}

// CreateRequest asks for a new pipe owned by the node.
type CreateRequest struct {
	// Name is the local name, unique on this node.
	Name string `json:"name"`
	// PublicName is told to everyone who resolves the pipe.
	PublicName string `json:"public_name,omitempty"`
	// Type is unicast (the default) or secure.
	Type string `json:"type,omitempty"`
	// Binders is exclusive (the default) or many.
	Binders string `json:"binders,omitempty"`
	// DialPolicy is open (the default), listed or capability.
	DialPolicy string `json:"dial_policy,omitempty"`
	// Transports are those allowed; empty means all.
	Transports []string `json:"transports,omitempty"`
	// Unreliable describes the pipe as not reliable.
	Unreliable bool `json:"unreliable,omitempty"`
}

// ResolveQuery are the parameters of a resolve.
type ResolveQuery struct {
	// Transport takes only endpoints of this transport.
	Transport string `json:"transport,omitempty"`
	// NoCache takes only what the binders themselves say now.
	NoCache bool `json:"no_cache,omitempty"`
	// Fresh passes the node's own cache by and asks the overlay.
	Fresh bool `json:"fresh,omitempty"`
	// Ask puts the query to these peers (peer IDs) and nobody else.
	Ask []string `json:"ask,omitempty"`
	// Wait is how long to wait for a binder if there is none.
	Wait Duration `json:"wait,omitempty"`
}

// Resolution is who serves a pipe, and where.
type Resolution struct {
	// Pipe is what the advertisement says.
	Pipe Pipe `json:"pipe"`
	// Bindings are the live ones, best first.
	Bindings []Binding `json:"bindings"`
	// Asked counts the nodes that were asked; 0 when the answer was at hand.
	Asked int `json:"asked"`
	// TookMS is the time to the first proven binding.
	TookMS float64 `json:"took_ms"`
}

// Binding is one proven record: this binder serves the pipe at these endpoints.
type Binding struct {
	// Binder is the principal that serves.
	Binder string `json:"binder"`
	// Endpoints are multiaddrs.
	Endpoints []string `json:"endpoints"`
	// Unproven are indexes of endpoints that the holder could not tie to the binder.
	Unproven []int `json:"unproven,omitempty"`
	// Seq orders the records of one binder.
	Seq uint64 `json:"seq"`
	// Term orders the binders of an exclusive pipe.
	Term uint64 `json:"term,omitempty"`
	// Issued is when the binder signed the record.
	Issued time.Time `json:"issued"`
	// Expires is when it ends.
	Expires time.Time `json:"expires"`
	// From is the peer that gave it.
	From string `json:"from"`
	// Origin is authoritative (the binder itself), held or cached.
	Origin string `json:"origin"`
	// AgeMS is the time since that peer received it.
	AgeMS int64 `json:"age_ms"`
	// Record is the signed envelope; absent in an explanation.
	Record []byte `json:"record,omitempty"`
}

// DialQuery are the parameters of a dial, and of explain.
type DialQuery struct {
	// Transport must carry the connection.
	Transport string `json:"transport,omitempty"`
	// Binder pins the peers (peer IDs) to dial.
	Binder []string `json:"binder,omitempty"`
	// Wait is how long to wait for a binder if there is none.
	Wait Duration `json:"wait,omitempty"`
	// Capability is the owner's permission to dial, where one is needed.
	Capability string `json:"capability,omitempty"`
	// NoCache takes only what the binders themselves say now.
	NoCache bool `json:"no_cache,omitempty"`
	// Spread picks among several binders at random.
	Spread bool `json:"spread,omitempty"`
	// Path is relay-ok (the default), prefer-direct or direct-only.
	Path string `json:"path,omitempty"`
	// Raw makes the connection a raw stream, which ends with its path.
	Raw bool `json:"raw,omitempty"`
	// Grace is how long a connection that has lost its path waits for another
	// one; 0 is the setting links.grace.
	Grace Duration `json:"grace,omitempty"`
}

// ListenRequest says how to bind a pipe.
type ListenRequest struct {
	// Capability is the owner's permission to bind; the owner needs none.
	Capability string `json:"capability,omitempty"`
	// Allow lists principals that may dial a pipe whose policy is not open.
	Allow []string `json:"allow,omitempty"`
	// Term orders the owner's own binding; 0 means as high as needed.
	Term uint64 `json:"term,omitempty"`
	// Life of each record, renewed at half of it.
	Life Duration `json:"life,omitempty"`
	// Backlog caps the connections that nobody has taken yet; at most 128.
	Backlog int `json:"backlog,omitempty"`
	// Raw serves connections as raw streams, which end with their path.
	Raw bool `json:"raw,omitempty"`
	// Grace is how long a connection that has lost its path waits for another
	// one; 0 is what its dialer asks for.
	Grace Duration `json:"grace,omitempty"`
}

// UnlistenQuery says which listen of a pipe to end.
type UnlistenQuery struct {
	// Listen is the ID that the listen's first event gave; empty means
	// whatever listens to the pipe now.
	Listen string `json:"listen,omitempty"`
}

// ListenEvent is one line of a listen stream.
type ListenEvent struct {
	// Kind is bound (once, first), connection, replaced (another binder has
	// the pipe now), or closed (last).
	Kind string `json:"kind"`
	// Pipe is the bound pipe's ID, with kind bound.
	Pipe string `json:"pipe,omitempty"`
	// Listen names this listen on this node, with kind bound: whoever ends it
	// gives this ID, and ends no later listen of the same pipe.
	Listen string `json:"listen,omitempty"`
	// Connection is what is offered, with kind connection. Whoever takes it
	// does so within ten seconds.
	Connection *Connection `json:"connection,omitempty"`
	// Problem is why it ended, with kinds replaced and closed.
	Problem *Problem `json:"problem,omitempty"`
}

// Kinds of a ListenEvent.
const (
	ListenBound      = "bound"
	ListenConnection = "connection"
	ListenReplaced   = "replaced"
	ListenClosed     = "closed"
)

// Connection is one connection of a pipe that passes through the local API.
type Connection struct {
	// ID names it on this node, for as long as the node runs.
	ID string `json:"id"`
	// Pipe is the pipe's ID.
	Pipe string `json:"pipe"`
	// Direction is in (accepted) or out (dialled).
	Direction string `json:"direction"`
	// State is offered, open, ended or failed.
	State string `json:"state"`
	// Principal is who is at the other end: proven by signature on a secure
	// pipe, by the path's handshake otherwise.
	Principal string `json:"principal"`
	// Transport is that of the path; of the last one while none is there.
	Transport string `json:"transport"`
	// Path is direct, or relay when a third node stands between.
	Path string `json:"path"`
	// Endpoint is the other side's address on it.
	Endpoint string `json:"endpoint"`
	// ReconnectingSince is when the connection lost its path, while it waits for
	// another one.
	ReconnectingSince *time.Time `json:"reconnecting_since,omitempty"`
	// Legs are the last paths that have carried the connection, the newest last;
	// none where it is a raw stream.
	Legs []Leg `json:"legs,omitempty"`
	// LegCount counts them all.
	LegCount int `json:"leg_count,omitempty"`
	// Opened is when it began.
	Opened time.Time `json:"opened"`
	// Sent counts bytes from the local program to the far side.
	Sent int64 `json:"sent"`
	// Received counts bytes from the far side to the local program.
	Received int64 `json:"received"`
	// Problem is why it failed.
	Problem *Problem `json:"problem,omitempty"`
}

// Leg is one path of a connection, for as long as that carried it.
type Leg struct {
	// Transport is that of the path.
	Transport string `json:"transport"`
	// Path is direct, or relay when a third node stands between.
	Path string `json:"path"`
	// Endpoint is the other side's address on it.
	Endpoint string `json:"endpoint"`
	// Own says that its carrier has no other connections.
	Own bool `json:"own,omitempty"`
	// Began is when it was taken.
	Began time.Time `json:"began"`
	// Why says why.
	Why string `json:"why"`
	// Ended is when it ended; absent while it is in use.
	Ended *time.Time `json:"ended,omitempty"`
	// Cause is the word of the error vocabulary for why it ended; replaced is
	// another leg that took over.
	Cause string `json:"cause,omitempty"`
	// Detail says it in words.
	Detail string `json:"detail,omitempty"`
	// Sent counts bytes of data, repeats included.
	Sent uint64 `json:"sent"`
	// Received counts bytes of data, repeats included.
	Received uint64 `json:"received"`
	// Replayed counts those of Sent that an earlier leg had sent already.
	Replayed uint64 `json:"replayed"`
	// PauseMS is how long the connection stood still before it.
	PauseMS float64 `json:"pause_ms"`
}

// States of a Connection.
const (
	ConnectionOffered = "offered"
	ConnectionOpen    = "open"
	ConnectionEnded   = "ended"
	ConnectionFailed  = "failed"
)

// ConnectionList is the connections that pass through the local API now, and
// the last ones that have ended.
type ConnectionList struct {
	// Connections are in the order of their beginning.
	Connections []Connection `json:"connections"`
}

// GrantRequest asks for a capability.
type GrantRequest struct {
	// Right is bind or dial.
	Right string `json:"right"`
	// To is the principal that gets it.
	To string `json:"to"`
	// For is how long it is good.
	For Duration `json:"for,omitempty"`
	// Term of a bind right on an exclusive pipe; 0 means above all known, so
	// that the grant moves the pipe.
	Term uint64 `json:"term,omitempty"`
}

// Grant is a capability that the node has given.
type Grant struct {
	// Capability is its text, for --cap.
	Capability string `json:"capability"`
	// Pipe is the pipe that it is for.
	Pipe string `json:"pipe"`
	// Right is bind or dial.
	Right string `json:"right"`
	// To is the principal that has it.
	To string `json:"to"`
	// Term is that of a bind right on an exclusive pipe.
	Term uint64 `json:"term,omitempty"`
	// Expires is when it ends.
	Expires time.Time `json:"expires"`
	// Nonce names it, in hex.
	Nonce string `json:"nonce"`
	// State is good, expired, revoked, or overtaken: a bind right whose term is
	// below one that a binder is known to have used.
	State string `json:"state"`
}

// States of a Grant.
const (
	GrantGood      = "good"
	GrantExpired   = "expired"
	GrantRevoked   = "revoked"
	GrantOvertaken = "overtaken"
)

// GrantList is the capabilities that the node has given for a pipe.
type GrantList struct {
	// Grants are in the order in which they were given.
	Grants []Grant `json:"grants"`
}

// RevokeRequest voids a capability.
type RevokeRequest struct {
	// Capability is its text, or its nonce in hex.
	Capability string `json:"capability"`
}
