package identity

import (
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a device log.
const (
	MaxDeviceLog = MaxProof // bytes
	MaxDevices   = 32       // at one time
)

// DeviceLog says which devices speak for an account. It is verified and never
// changes: Append and Restart return another. It is safe for concurrent use.
type DeviceLog struct{ account Principal }

var errSkeleton = wire.Errorf(wire.Unsupported, "device log: not in this version")

// NewLog returns the log of a new account, or of one of which nothing but its
// root key is left: its epoch is the Unix milliseconds of at, which are above
// those of logs signed before. The root is an Ed25519 key. Errors are
// BadRequest.
func NewLog(root crypto.PrivKey, first Device, at time.Time) (*DeviceLog, error) {
	return nil, errSkeleton
}

// ParseLog reads what Bytes made and verifies all of it. Errors are BadRequest
// for what is malformed or forged, TooLarge above a cap, Unsupported for what a
// later version may have written.
func ParseLog(b []byte) (*DeviceLog, error) { return nil, errSkeleton }

// Append returns the log with one more entry, signed by a device that is valid
// in it. Signed by the root the log begins anew with the devices that are left
// by e. Errors are Forbidden for a signer without a right, BadRequest for an
// entry that does not fit, Limit for a log that is full.
func (l *DeviceLog) Append(signer crypto.PrivKey, e Entry) (*DeviceLog, error) {
	return nil, errSkeleton
}

// Restart returns a log that begins anew with these devices, the most senior
// first: it wins against l and all that grows from it. Errors are those of Append.
func (l *DeviceLog) Restart(root crypto.PrivKey, devices []Device, at time.Time) (*DeviceLog, error) {
	return nil, errSkeleton
}

// Account returns whose devices these are.
func (l *DeviceLog) Account() Principal { return l.account }

// Bytes returns the log's canonical form, for ParseLog.
func (l *DeviceLog) Bytes() []byte { return nil }

// Head returns the hash of the last entry, which names the whole log.
func (l *DeviceLog) Head() Hash { return Hash{} }

// Len returns the number of entries.
func (l *DeviceLog) Len() int { return 0 }

// Entries returns all entries, the oldest first.
func (l *DeviceLog) Entries() []Entry { return nil }

// Devices returns the valid devices, the most senior first.
func (l *DeviceLog) Devices() []Device { return nil }

// Device returns a valid device.
func (l *DeviceLog) Device(id peer.ID) (Device, bool) { return Device{}, false }

// Valid reports whether a node speaks for the account.
func (l *DeviceLog) Valid(id peer.ID) bool { return false }

// Generation returns the number of the profile key in use and the hash that
// commits to it; 0 before the first rotation.
func (l *DeviceLog) Generation() (uint64, Hash) { return 0, Hash{} }

// OpenProof verifies the log that a record of an account carries: it is that
// of account, and signer is a device valid in it. A caller who knows a log of
// that account judges between both (Judge), and asks the winner. Errors are
// those of ParseLog, and BadRequest for another's log or signer.
func OpenProof(proof []byte, account Principal, signer crypto.PubKey) (*DeviceLog, peer.ID, error) {
	return nil, "", errSkeleton
}
