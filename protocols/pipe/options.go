package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/reach"
)

// CreateOptions describe a new pipe. The zero value makes a reliable unicast
// pipe with one binder, on any transport, open to every dialer.
type CreateOptions struct {
	Type       Type              // zero means TypeUnicast
	Binders    Binders           // zero means Exclusive
	Transports []reach.Transport // allowed transports; empty means all
	DialPolicy DialPolicy        // zero means DialOpen
	PublicName string            // told to everyone who resolves the pipe; may be empty
	Unreliable bool              // the pipe is described as not reliable
	// As is the device log of the account that is to own the pipe, of which this
	// node is a device; nil makes the node the owner.
	As *identity.DeviceLog
}

// ResolveOptions say how to resolve. The zero value takes any proven binding,
// from the cache too.
type ResolveOptions struct {
	// Transport is the pipe's specified transport: only bindings with an
	// endpoint on it count. Empty means any.
	Transport reach.Transport
	// NoCache puts the query to the binders themselves; only their own word counts.
	NoCache bool
	// Only asks these peers and nobody else.
	Only []peer.ID
	// Binders counts only bindings of these nodes; empty means all.
	Binders []peer.ID
	// Wait is how long to wait for a binder if there is none; zero answers at once.
	Wait time.Duration
	// Fresh passes the cache by and asks the overlay.
	Fresh bool
}

// ListenOptions say how to bind a pipe. The zero value is enough for the owner.
type ListenOptions struct {
	// Advertisement describes the pipe; nil means the stored one, else it is
	// looked up in the overlay.
	Advertisement *Advertisement
	// Capability is the owner's signed permission to bind; not needed by the owner.
	Capability []byte
	// As is the account that this end speaks for, by the device log that it
	// returns: it binds a pipe that the account owns as the owner does, and proves
	// the account on a secure pipe. It is asked for each record, so that renewals
	// show the newest log, and must not block; nil speaks for the node alone.
	As func() *identity.DeviceLog
	// RelayedOnly lists no endpoints but those through a relay, be there none at
	// all: dialers ask the overlay where this node is.
	RelayedOnly bool
	// Term orders the owner's own binding of an exclusive pipe; zero means as
	// high as needed. It is the capability's for everyone else.
	Term uint64
	// Life of each binding record, renewed at half of it; zero means DefaultLife.
	Life time.Duration
	// Backlog caps the connections that wait for Accept; zero means the service's.
	// With a Handler nothing waits, and it means nothing.
	Backlog int
	// Allow lists who may dial a pipe whose dial policy is not open.
	Allow []identity.Principal
	// AllowAnyone is a list that has everybody: unlike an open dial policy it can
	// be taken back (SetAllow) without a new pipe.
	AllowAnyone bool
	// Handler takes each dialer that was admitted, instead of Accept, before it
	// is answered: it decides by what it does with the Incoming. It runs on a
	// goroutine of its own for each; those that run count as pipe connections.
	Handler func(*Incoming)
	// Raw serves connections as raw streams, which end with their path. Dialers
	// find out by themselves.
	Raw bool
	// Grace is how long this end of a connection waits for a path when it has
	// lost its own; zero is what the dialer asks for.
	Grace time.Duration
}

// PathPolicy says which paths a connection may take.
type PathPolicy string

// Path policies. The empty one is RelayOK.
const (
	// RelayOK takes whatever path comes first. Behind a relayed one a direct
	// one is sought, and the connection moves to it.
	RelayOK PathPolicy = "relay-ok"
	// PreferDirect takes a relayed path only after a direct one, by dialling or
	// hole punching, was sought for reach.PreferTime.
	PreferDirect PathPolicy = "prefer-direct"
	// DirectOnly never sends data over a relay. A relayed connection may carry
	// the signals of hole punching.
	DirectOnly PathPolicy = "direct-only"
)

// DialOptions say how to dial. The zero value dials any binder on any transport.
type DialOptions struct {
	// Transport must carry the connection, whatever connections exist. Empty means any.
	Transport reach.Transport
	// Binders pins the peers to dial; empty means all binders.
	Binders []peer.ID
	// Wait is how long to wait for a binder if there is none; zero fails at once.
	Wait time.Duration
	// Capability is the owner's signed permission to dial, where one is needed.
	Capability []byte
	// As is the device log of the account that this end speaks for, of which this
	// node is a device; nil speaks for the node alone.
	As *identity.DeviceLog
	// Spread picks among several binders at random; otherwise the last that
	// worked is preferred.
	Spread bool
	// NoCache takes only what the binders themselves say now.
	NoCache bool
	// PathPolicy says which paths are allowed.
	PathPolicy PathPolicy
	// Raw makes the connection a raw stream, which ends with its path.
	Raw bool
	// Grace is how long the connection waits for another path when it has lost
	// its own; zero is the node's.
	Grace time.Duration
	// Hops is how many gateways the data has gone through before this node. One
	// above MaxHops is refused, as a loop.
	Hops int

	accepted bool // return only when the binder has accepted
	probe    bool // open nothing, only ask whether the binder would accept
	watch    bool // with probe: keep the carrier, to hear when it would not any more
}

// GrantOptions say what to permit.
type GrantOptions struct {
	Right identity.Right     // RightBind or RightDial
	To    identity.Principal // who may
	For   time.Duration      // how long; zero means DefaultGrant
	// Term of a bind right on an exclusive pipe; zero means one above the
	// highest known, so that the grant moves the pipe.
	Term uint64
	// As is the device log of the account that owns the pipe, of which this node
	// is a device; nil for a pipe of the node itself.
	As *identity.DeviceLog
}

// DefaultLife is the life of a binding record, DefaultGrant that of a
// capability, when nothing else is asked.
const (
	DefaultLife  = 30 * time.Minute
	DefaultGrant = 30 * 24 * time.Hour
)
