package identity

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// add verifies an envelope and makes it l's next entry. After an error l is not
// to be used. The envelope becomes l's.
func (l *DeviceLog) add(envelope []byte) error {
	body, signer, err := Open(DomainDeviceLog, envelope, MaxDeviceLog)
	if err != nil {
		return err
	}
	e, account, prev, err := parseEntry(body)
	if err != nil {
		return err
	}
	if e.Hash, err = entryHash(body, signer); err != nil {
		return err
	}
	next := logEntry{Entry: e, prev: prev, envelope: envelope}
	if len(l.entries) == 0 {
		l.account = account
		err = l.open(&next, signer)
	} else {
		err = l.follow(&next, account, signer)
	}
	if err != nil {
		return err
	}
	l.entries = append(l.entries, next)
	l.size += len(envelope)
	return nil
}

// open takes the first entry, in which the root names the devices.
func (l *DeviceLog) open(e *logEntry, signer crypto.PubKey) error {
	switch {
	case e.Op != OpBegin:
		return wire.Errorf(wire.BadRequest, "a log opens with a begin, not with %s", e.Op)
	case signer.Type() != crypto.Ed25519:
		return wire.Errorf(wire.BadRequest, "the root key of an account is Ed25519, not %s", signer.Type())
	case !l.account.Matches(signer):
		return wire.Errorf(wire.BadRequest, "a begin that the root of %s did not sign", l.account)
	}
	e.Author = l.account
	e.weight = weigh(e.Op, 0)
	return l.apply(e.Entry)
}

// follow takes any other entry, which a device has signed.
func (l *DeviceLog) follow(e *logEntry, account Principal, signer crypto.PubKey) error {
	id, err := peer.IDFromPublicKey(signer)
	if err != nil {
		return wire.Errorf(wire.BadRequest, "key of the signer: %w", err)
	}
	author := l.find(id)
	switch {
	case account != l.account:
		return wire.Errorf(wire.BadRequest, "of %s, in a log of %s", account, l.account)
	case e.Op == OpBegin:
		return wire.Errorf(wire.BadRequest, "a begin is the first entry of a log")
	case e.prev != l.Head():
		return wire.Errorf(wire.BadRequest, "it does not follow the entry before it")
	case author < 0:
		return wire.Errorf(wire.BadRequest, "%s signed it, which is no valid device there", id)
	case e.Op != OpRevoke && l.size+len(e.envelope) > MaxDeviceLog-keptForRevokes:
		return wire.Errorf(wire.TooLarge, "%s in the last %d bytes, which are for revocations", e.Op, keptForRevokes)
	}
	e.Author = PeerPrincipal(id)
	e.weight = weigh(e.Op, l.members[author].rank)
	return l.apply(e.Entry)
}

// weigh orders entries for the fork rule: a begin before any revocation, that
// before anything else, and then the entry of the more senior author.
func weigh(op Op, rank int) int {
	const class = 1 << 16 // above every rank
	switch op {
	case OpBegin:
		return 3 * class
	case OpRevoke:
		return 2*class - rank
	}
	return class - rank
}

// apply changes who is valid and which profile key is in use. It refuses what
// does not fit the state.
func (l *DeviceLog) apply(e Entry) error {
	at := l.find(e.Device.ID)
	switch {
	case e.Op == OpAdd && at >= 0:
		return wire.Errorf(wire.BadRequest, "add: %s is a device already", e.Device.ID)
	case e.Op == OpAdd && len(l.members) == MaxDevices:
		return wire.Errorf(wire.TooLarge, "add: there are %d devices, the most there can be", MaxDevices)
	case e.Op == OpRevoke && at < 0:
		return wire.Errorf(wire.BadRequest, "revoke: %s is no device", e.Device.ID)
	case e.Op == OpRotate && e.Generation != l.generation+1:
		return wire.Errorf(wire.BadRequest, "rotate: generation %d after %d", e.Generation, l.generation)
	}
	switch e.Op {
	case OpBegin:
		for i, d := range e.Devices {
			l.members = append(l.members, member{Device: d, rank: i})
		}
		l.generation, l.commitment = e.Generation, e.Commitment
	case OpAdd:
		l.members = append(l.members, member{Device: e.Device, rank: MaxDevices + len(l.entries)})
	case OpRevoke:
		l.members = slices.Delete(l.members, at, at+1)
	case OpRotate:
		l.generation, l.commitment = e.Generation, e.Commitment
	}
	return nil
}
