package pipe

import (
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/panpipe-net/panpipe/protocols/identity"
)

// BindingProtocol is the protocol ID for queries and stores in an overlay.
func BindingProtocol(overlay string) protocol.ID {
	return protocol.ID("/" + overlay + "/pipe-binding/1")
}

// ConnProtocol is the protocol ID of a pipe connection in an overlay.
func ConnProtocol(overlay string) protocol.ID {
	return protocol.ID("/" + overlay + "/pipe-conn/1")
}

// Caps of messages, in bytes of protobuf.
const (
	MaxRequest   = 128 << 10
	MaxAnswer    = 256 << 10
	MaxOpen      = 40 << 10
	MaxOpenReply = 64 << 10
	MaxConfirm   = 4 << 10
)

// Caps of records, in bytes.
const (
	MaxAdvertisement = 1 << 10
	MaxName          = 128 // of a pipe's public name
	MaxBinding       = 4<<10 + 2*identity.MaxProof
	MaxRevocation    = 3<<10 + identity.MaxProof
	MaxEndpoint      = 256 // one endpoint's binary multiaddr
	MaxReason        = 256 // the words beside a code
	maxSecure        = 2 << 10
	maxTransportName = 32
)

// Caps of lists.
const (
	MaxTransports    = 16  // in an advertisement
	MaxEndpoints     = 8   // in a binding
	MaxCloser        = 20  // peers in an answer
	MaxPeerAddrs     = 8   // addresses of each such peer
	MaxOnlyPeers     = 32  // binders that a query pins
	MaxStoreRecords  = 128 // in a store
	MaxAnswerRecords = 64  // in an answer; also its revocations
)

// MaxHops is how many gateways a connection may have gone through.
const MaxHops = 8

// Sizes of fixed fields, in bytes.
const (
	NonceSize = 16
	ProofSize = 32
	SaltSize  = 16
)

// Times.
const (
	// Skew is how far clocks of honest nodes may differ.
	Skew = identity.ClockSkew
	// MinLife and MaxLife bound the life of a binding.
	MinLife = 10 * time.Second
	MaxLife = 24 * time.Hour
	// HighWater is how long a holder remembers a binder's seq and a pipe's term
	// after the record has expired.
	HighWater = 24 * time.Hour
	// MaxRevocationLife bounds how long a holder keeps a revocation.
	MaxRevocationLife = 30 * 24 * time.Hour
)

// MaxNumber is the highest seq and the highest term. One bit is left free, so
// that adding one never overflows.
const MaxNumber = 1<<63 - 1
