package control

import (
	"context"
	"net"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/panpipe-net/panpipe/discovery"
	"github.com/panpipe-net/panpipe/node/doctor"
	"github.com/panpipe-net/panpipe/protocols/gateway"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/pipe"
	"github.com/panpipe-net/panpipe/protocols/reach"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/replica"
	"github.com/panpipe-net/panpipe/session/roster"
)

// Node is what the API tells of a node and has it do. *node.Node is one.
type Node interface {
	ID() peer.ID
	Principal() identity.Principal
	Overlay() string
	// Addrs are the addresses that others can dial, without /p2p.
	Addrs() []ma.Multiaddr
	Ticket() identity.Ticket
	// Ready returns nil when resolving works, else wire.NotReady when ctx ends.
	Ready(ctx context.Context) error

	// Relisten has the node listen on other addresses, and returns those it has.
	Relisten(addrs []string) ([]ma.Multiaddr, error)

	// ListenPipe gives a listener whose connections are PipeConns.
	ListenPipe(ctx context.Context, ref string, o pipe.ListenOptions) (net.Listener, error)
	// DialPipe gives a PipeConn.
	DialPipe(ctx context.Context, ref string, o pipe.DialOptions) (net.Conn, error)
}

// Pipes is the part of the pipe service that neither dials nor listens.
// *pipe.Service is one.
type Pipes interface {
	Create(ctx context.Context, name string, o pipe.CreateOptions) (pipe.Pipe, error)
	Pipes(ctx context.Context) ([]pipe.Pipe, error)
	Lookup(ctx context.Context, ref string) (pipe.ID, *pipe.Advertisement, error)
	Remove(ctx context.Context, ref string) error
	Resolve(ctx context.Context, id pipe.ID, o pipe.ResolveOptions) (*pipe.Resolution, error)
	Grant(ctx context.Context, id pipe.ID, o pipe.GrantOptions) (text string, c identity.Capability, err error)
	Grants(ctx context.Context, id pipe.ID) ([]pipe.GrantRecord, error)
	Revoke(ctx context.Context, capability string) error
	Explain(ctx context.Context, id pipe.ID, o pipe.DialOptions) pipe.Explanation
	// Listeners returns the pipes that the node serves now.
	Listeners() []*pipe.Listener
}

// Discovery tells how the node stands in its overlay. *discovery.Discovery is
// one.
type Discovery interface {
	State() discovery.State
	Subscribe() (<-chan discovery.State, func())
}

// Doctor examines the node and explains peers. *node.Node is one.
type Doctor interface {
	// Examine judges the node, worst first.
	Examine(ctx context.Context) []doctor.Finding
	// ExplainPeer tries to reach a peer and tells how that went.
	ExplainPeer(ctx context.Context, id peer.ID, transport reach.Transport, directOnly bool) (doctor.PeerFacts, doctor.PeerVerdict)
	// Standing tells where the node stands in the network; it costs little.
	Standing() doctor.Standing
}

// Gateway carries plain TCP clients over pipes. *gateway.Gateway is one.
type Gateway interface {
	Add(ctx context.Context, r gateway.Rule) (gateway.Status, error)
	Apply(ctx context.Context, rules []gateway.Rule) (gateway.Changes, error)
	Remove(ctx context.Context, ref string, drain bool) error
	// Await waits until it is known whether a rule leads to anybody.
	Await(ctx context.Context, ref string) (gateway.Status, error)
	// Check tells whether what a rule leads to answers.
	Check(ctx context.Context, ref string) error
	Rules() []gateway.Status
	Channels(ref string) ([]gateway.Channel, error)
}

// Paths tells who is connected, and how. *reach.Reach is one.
type Paths interface {
	Connected() []peer.ID
	Paths(p peer.ID) []reach.Path
}

// Roster knows the buddies of the node's account and what is said to them.
// *roster.Roster is one.
type Roster interface {
	Account() identity.Principal
	Buddies() []roster.Buddy
	Buddy(id identity.Principal) (roster.Buddy, bool)
	Requests() []roster.Request
	Ask(ctx context.Context, id identity.Principal, note string) (account.State, error)
	Accept(ctx context.Context, id identity.Principal) error
	Decline(ctx context.Context, id identity.Principal) error
	Remove(ctx context.Context, id identity.Principal) error
	Block(ctx context.Context, id identity.Principal) error
	Unblock(ctx context.Context, id identity.Principal) error
	SetPetname(ctx context.Context, id identity.Principal, name string) error
	SetStatus(text string) error
	// Attend says that somebody looks at a buddy, until done is called.
	Attend(id identity.Principal) (done func())

	Send(ctx context.Context, with identity.Principal, text string) (roster.Message, error)
	Page(ctx context.Context, with identity.Principal, before replica.ID, n int) ([]roster.Message, error)
	MarkRead(ctx context.Context, with identity.Principal, upTo replica.ID) error
	Unread(ctx context.Context, with identity.Principal, n int) (int, error)
	State(ctx context.Context, with identity.Principal) ([]byte, error)
	SetState(ctx context.Context, with identity.Principal, state []byte) error
	Sessions() []roster.Session
}
