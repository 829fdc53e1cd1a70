package identity

import (
	"encoding/hex"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Hash is a SHA-256: of an entry, or of a profile key.
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
	words := [...]string{"none", "begin", "add", "revoke", "rotate"}
	if int(o) >= len(words) {
		return words[0]
	}
	return words[o]
}

// Entry is one entry of a device log.
type Entry struct {
	Op         Op
	Device     Device    // of OpAdd; of OpRevoke its ID alone
	Devices    []Device  // of OpBegin: by seniority, at most MaxDevices
	Epoch      uint64    // of OpBegin: the log of the higher one wins; Append sets it
	Generation uint64    // of OpRotate; of OpBegin where there was one, Append keeps it
	Commitment Hash      // SHA-256 that the generation's profile key is known by
	At         time.Time // informative, in milliseconds; zero: not told

	// Set in what Entries returns, ignored by Append.
	Author Principal // the account where its root signed, else the device
	Hash   Hash      // names the entry and, through it, all before it
}

// check refuses an entry that cannot stand in any log of account: what its
// operation needs is missing, or there is more than that.
func (e Entry) check(account Principal) error {
	bad := func(why string) error { return wire.Errorf(wire.BadRequest, "%s: %s", e.Op, why) }
	hasDevice, hasBox, hasRotation := e.Device.ID != "", e.Device.Box != BoxKey{}, e.Generation != 0
	switch {
	case e.Op < OpBegin || e.Op > OpRotate:
		return wire.Errorf(wire.BadRequest, "no operation")
	case hasDevice != (e.Op == OpAdd || e.Op == OpRevoke):
		return bad("a device belongs to an add or revoke, and to nothing else")
	case hasBox != (e.Op == OpAdd):
		return bad("a box key belongs to an add, and to nothing else")
	case (len(e.Devices) > 0 || e.Epoch != 0) && e.Op != OpBegin:
		return bad("devices and epoch belong to a begin")
	case e.Op == OpBegin && e.Epoch == 0:
		return bad("no epoch")
	case len(e.Devices) > MaxDevices:
		return wire.Errorf(wire.TooLarge, "%s: %d devices, at most %d", e.Op, len(e.Devices), MaxDevices)
	case hasRotation != (e.Commitment != Hash{}):
		return bad("a generation and its commitment go together")
	case hasRotation != (e.Op == OpRotate) && e.Op != OpBegin:
		return bad("a generation belongs to a rotate or begin")
	case !validTime(e.At):
		return bad("its time lies outside 1970 to 9999")
	}
	if hasDevice {
		return e.Device.check(account)
	}
	for i, d := range e.Devices {
		if err := d.checkWithBox(account); err != nil {
			return err
		}
		for _, other := range e.Devices[:i] {
			if other.ID == d.ID {
				return bad("a device is listed twice")
			}
		}
	}
	return nil
}

// check refuses what cannot be a device of account. Its root key is none: it
// would lie on a device and sign with it every day.
func (d Device) check(account Principal) error {
	if err := checkID(d.ID); err != nil {
		return wire.Errorf(wire.BadRequest, "device: %w", err)
	}
	if d.ID == account.id {
		return wire.Errorf(wire.BadRequest, "device: it has the account's root key")
	}
	return nil
}

func (d Device) checkWithBox(account Principal) error {
	if d.Box == (BoxKey{}) {
		return wire.Errorf(wire.BadRequest, "device: no box key")
	}
	return d.check(account)
}
