package identity

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// NewLog returns the log of a new account, or of one of which nothing but the
// root key is left: its epoch is that of at, above those of all logs that were
// begun earlier. The root key is Ed25519. Errors are BadRequest.
func NewLog(root crypto.PrivKey, first Device, at time.Time) (*DeviceLog, error) {
	if root == nil {
		return nil, wire.Errorf(wire.BadRequest, "device log: no root key")
	}
	account, err := AccountPrincipal(root.GetPublic())
	if err != nil {
		return nil, err
	}
	return begin(root, account, Hash{}, Entry{Op: OpBegin, Devices: []Device{first}, Epoch: epoch(0, at), At: at})
}

// Append returns l with one entry more, signed by a device that is valid in it.
// What the root signs, OpBegin among it, begins the log anew with the devices
// that are then left: it wins against l, whatever is added to that, and has its
// whole room again. Errors are Forbidden for a signer without a right,
// BadRequest for an entry that does not fit, TooLarge for one that is above a
// cap by itself, Limit for a log that is full.
func (l *DeviceLog) Append(signer crypto.PrivKey, e Entry) (*DeviceLog, error) {
	if signer == nil {
		return nil, wire.Errorf(wire.BadRequest, "device log: no key to sign with")
	}
	if e.Op == OpAdd && len(l.members) >= MaxDevices {
		return nil, wire.Errorf(wire.Limit, "%s has %d devices, the most there can be", l.account, MaxDevices).
			WithNext("revoke one that is no longer used")
	}
	if l.account.Matches(signer.GetPublic()) {
		return l.restart(signer, e)
	}
	id, err := peer.IDFromPrivateKey(signer)
	if err != nil {
		return nil, wire.Errorf(wire.BadRequest, "device log: key to sign with: %w", err)
	}
	if err := l.mayAppend(id, e); err != nil {
		return nil, err
	}
	envelope, err := Sign(signer, DomainDeviceLog, e.body(l.account, l.Head()))
	if err != nil {
		return nil, err
	}
	if l.full(e.Op, len(envelope)) {
		return nil, wire.Errorf(wire.Limit, "the device log of %s is full: %s would make it longer than %d bytes", l.account, e.Op, MaxDeviceLog).
			WithNext("begin it anew with the account's recovery file")
	}
	next := l.clone()
	if err := next.add(envelope); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "device log: %w", err)
	}
	return next, nil
}

// mayAppend tells a person what add would only call malformed.
func (l *DeviceLog) mayAppend(author peer.ID, e Entry) error {
	switch {
	case !l.Valid(author):
		return wire.Errorf(wire.Forbidden, "%s is no device of %s, or has been revoked", author, l.account)
	case e.Op == OpBegin:
		return wire.Errorf(wire.Forbidden, "only the root of %s begins its device log anew", l.account).
			WithNext("use the account's recovery file")
	}
	if err := e.check(l.account); err != nil {
		return wire.Errorf(wire.CodeOf(err), "device log: %w", err)
	}
	return nil
}

// full reports whether an envelope of so many bytes is too long for l.
func (l *DeviceLog) full(op Op, more int) bool {
	const lengths = 4 // that the list may grow by besides
	if op != OpRevoke {
		return l.size+more > MaxDeviceLog-keptForRevokes
	}
	return len(l.Bytes())+lengths+more > MaxDeviceLog
}

// restart has the root sign what is after e.
func (l *DeviceLog) restart(root crypto.PrivKey, e Entry) (*DeviceLog, error) {
	after, devices := l.clone(), e.Devices
	if e.Op != OpBegin {
		err := e.check(l.account)
		if err == nil {
			err = after.apply(e)
		}
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "device log: %w", err)
		}
		devices = after.Devices()
	}
	return begin(root, l.account, l.Head(), Entry{
		Op: OpBegin, Devices: devices, Epoch: epoch(l.begin().Epoch, e.At),
		Generation: after.generation, Commitment: after.commitment, At: e.At,
	})
}

// begin makes a log of one entry.
func begin(root crypto.PrivKey, account Principal, prev Hash, e Entry) (*DeviceLog, error) {
	if err := e.check(account); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "device log: %w", err)
	}
	envelope, err := Sign(root, DomainDeviceLog, e.body(account, prev))
	if err != nil {
		return nil, err
	}
	l := &DeviceLog{}
	if err := l.add(envelope); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "device log: %w", err)
	}
	return l, nil
}

// epoch orders what the root signs: by its clock, so that a root of which
// nothing else is left goes on above what it has signed before, and always
// above the last one known.
func epoch(last uint64, at time.Time) uint64 { return max(last+1, millis(at)) }

// clone returns a log that can be added to while l stays as it is.
func (l *DeviceLog) clone() *DeviceLog {
	c := *l
	c.entries = slices.Clip(c.entries)
	c.members = slices.Clone(c.members)
	return &c
}
