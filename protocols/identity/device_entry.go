package identity

import (
	"encoding/hex"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Hash is a SHA-256: of an entry, or that a rotation commits to.
type Hash [32]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// BoxKey is a device's X25519 public key, to which secrets of its account are
// sealed (RFC 9180).
type BoxKey [32]byte

// Device is a node that speaks for an account.
type Device struct {
	ID  peer.ID
	Box BoxKey
}

// Op is what an entry of a device log does. Its number is its wire form.
type Op uint8

// The operations.
const (
	OpBegin  Op = 1 // the root says which devices there are: "begin"
	OpAdd    Op = 2 // a device joins: "add"
	OpRevoke Op = 3 // a device leaves or is thrown out: "revoke"
	OpRotate Op = 4 // the profile gets a new key: "rotate"
)

// String returns the operation's word, "none" for anything that is not one.
func (o Op) String() string {
	switch o {
	case OpBegin:
		return "begin"
	case OpAdd:
		return "add"
	case OpRevoke:
		return "revoke"
	case OpRotate:
		return "rotate"
	}
	return "none"
}

// Entry is one entry of a device log.
type Entry struct {
	Op         Op
	Device     Device    // of OpAdd; of OpRevoke its ID alone
	Devices    []Device  // of OpBegin: by seniority, at most MaxDevices
	Epoch      uint64    // of OpBegin: a later one replaces the whole log
	Generation uint64    // of OpRotate, and of OpBegin where there was one
	Commitment Hash      // the SHA-256 that goes with Generation
	At         time.Time // informative, in milliseconds; zero: not told

	// Set in what Entries returns, ignored by Append.
	Author Principal // the account for its root, else the device that signed
	Hash   Hash
}
