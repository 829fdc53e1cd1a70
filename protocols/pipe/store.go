package pipe

import (
	"context"
	"time"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// Pipe is a pipe that this node has created or keeps under a local name.
type Pipe struct {
	ID            ID
	Name          string // local alias, unique on this node, never sent
	Advertisement Advertisement
	Created       time.Time
}

// BindState is what a binder must not forget about a pipe between runs.
type BindState struct {
	Seq       uint64 // highest sequence number used by this node
	Term      uint64 // highest term used by this node or seen from others
	Successor []byte // envelope of the binding that replaced this node's; nil while none did
}

// GrantRecord is a capability that this node has issued.
type GrantRecord struct {
	Pipe       ID
	Nonce      identity.Nonce
	Subject    identity.Principal
	Right      identity.Right
	Term       uint64
	Expiry     time.Time
	Capability []byte // the signed envelope

	// Told by Service.Grants alone, never stored.
	Revoked, Expired bool
	Overtaken        bool // a binder is known to have used a higher term
}

// RevocationRecord is a revocation that this node has signed.
type RevocationRecord struct {
	Pipe     ID
	Nonce    identity.Nonce // of the revoked capability
	Expiry   time.Time      // of the revoked capability; the record is of no use after it
	Envelope []byte
}

// Store keeps what a Service must find again after a restart. Every Save is
// durable when it returns. What is not there is wire.Unknown, except where a
// method says otherwise.
type Store interface {
	// SavePipe adds p, or replaces the one of the same ID. A name that another
	// pipe has is wire.Taken.
	SavePipe(ctx context.Context, p Pipe) error
	Pipes(ctx context.Context) ([]Pipe, error)
	PipeByID(ctx context.Context, id ID) (Pipe, error)
	PipeByName(ctx context.Context, name string) (Pipe, error)
	// RemovePipe forgets the pipe and its grants. Its BindState and
	// revocations stay, since they guard records that live elsewhere.
	RemovePipe(ctx context.Context, id ID) error

	// State returns the zero BindState for a pipe that has none.
	State(ctx context.Context, id ID) (BindState, error)
	SaveState(ctx context.Context, id ID, st BindState) error

	SaveGrant(ctx context.Context, g GrantRecord) error
	// Grants returns the grants of one pipe, oldest first.
	Grants(ctx context.Context, id ID) ([]GrantRecord, error)

	SaveRevocation(ctx context.Context, r RevocationRecord) error
	// Revocations returns those whose Expiry is after now.
	Revocations(ctx context.Context, now time.Time) ([]RevocationRecord, error)
}
