package account

import (
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Account is an account as one of its devices has it: device log, profile and
// the profile's key. It never changes: whatever acts on it returns another,
// which the caller stores before it tells anybody (Keeper does).
type Account struct {
	me      peer.ID
	box     Box
	log     *identity.DeviceLog
	key     ProfileKey
	wrapped []byte // key, for every device that is valid
	profile Profile
	lost    *identity.DeviceLog // the branch by which this device was in, when it is out; else nil
}

// maxEraStep is how far a profile may be ahead. Eras come with rotations, and
// those that a fork voids stay behind in the profile: a few.
const maxEraStep = 64

// Act is what it takes to sign for the account on this device.
type Act struct {
	Key    crypto.PrivKey // the node's own
	At     time.Time      // noted in the log; decides nothing
	Random io.Reader      // for keys and nonces
}

// New makes an account whose first device is this one. The root key signs once
// and is not kept: the caller puts it into a recovery file (Recovery).
func New(root crypto.PrivKey, act Act, box Box, changes ...Change) (Account, error) {
	me, err := deviceOf(act, box)
	if err != nil {
		return Account{}, err
	}
	log, err := identity.NewLog(root, me, act.At)
	if err != nil {
		return Account{}, err
	}
	return Account{me: me.ID, box: box, log: log}.rotate(act, changes...)
}

// ID names the account: nobody where there is none.
func (a Account) ID() identity.Principal {
	if a.IsZero() {
		return identity.Principal{}
	}
	return a.log.Account()
}

// Me is the device that has this Account.
func (a Account) Me() peer.ID { return a.me }

// Log returns the device log that won so far.
func (a Account) Log() *identity.DeviceLog { return a.log }

// Profile returns what the devices share.
func (a Account) Profile() Profile { return a.profile }

// IsZero reports that there is no account.
func (a Account) IsZero() bool { return a.log == nil }

// Revoked reports that the log no longer has this device.
func (a Account) Revoked() bool { return !a.IsZero() && !a.log.Valid(a.me) }

// Current reports whether this device has the profile key of the log's
// generation. Until TakeKey gave it, it can neither open nor seal a profile.
func (a Account) Current() bool {
	if a.IsZero() {
		return false
	}
	generation, commitment := a.log.Generation()
	return a.key.Generation == generation && a.key.Commitment(a.ID()) == commitment
}

// Edit changes the profile in the name of this device. The delta is what the
// account's other devices Merge.
func (a Account) Edit(changes ...Change) (next Account, delta Profile, err error) {
	if a.IsZero() {
		return a, Profile{}, ErrNone
	}
	if a.Revoked() {
		return a, Profile{}, a.outOfIt()
	}
	a.profile, delta, err = a.profile.Edit(a.me, changes...)
	return a, delta, err
}

// Merge takes in the profile, or a delta of it, of another own device. Who
// speaks for the account is the caller's to know. Errors are those of
// Profile.Merge, and Forbidden for one that is ahead by more eras than honest
// devices are: no more are left to take than rotations can use.
func (a Account) Merge(other Profile) (Account, error) {
	if a.IsZero() {
		return a, ErrNone
	}
	generation, _ := a.log.Generation()
	if known := max(generation, a.profile.era()); other.era() > known+maxEraStep {
		return a, wire.Errorf(wire.Forbidden, "profile was written in era %d, and this device knows %d", other.era(), known).
			WithNext("one of the devices writes what no honest one does: find and revoke it")
	}
	p, err := a.profile.Merge(other)
	if err != nil {
		return a, err
	}
	a.profile = p
	return a, nil
}

// AddDevice takes a device into the account and names it. The profile key of
// now is wrapped for it too.
func (a Account) AddDevice(act Act, d identity.Device, name string) (Account, error) {
	log, err := a.log.Append(act.Key, identity.Entry{Op: identity.OpAdd, Device: d, At: act.At})
	if err != nil {
		return a, err
	}
	p, _, err := a.profile.Edit(a.me, NameDevice(d.ID, name))
	if err != nil {
		return a, err
	}
	a.log, a.profile = log, p
	a.wrapped = a.key.Wrap(a.ID(), log.Devices())
	return a, nil
}

// Revoke throws a device out (or leaves, where it is this one): the profile has
// a new key, which it does not get, and the account a new presence, which it
// does not learn. A device that leaves cannot do that for the others: they
// rotate when they hear of it (NeedsRotation).
func (a Account) Revoke(act Act, id peer.ID) (Account, error) {
	log, err := a.log.Append(act.Key, identity.Entry{Op: identity.OpRevoke, Device: identity.Device{ID: id}, At: act.At})
	if err != nil {
		return a, err
	}
	next := a
	next.log = log
	if id == a.me {
		return next, nil
	}
	if next, err = next.rotate(act); err != nil {
		return a, err
	}
	return next, nil
}

// NeedsRotation reports that a device was revoked after the profile key was
// last replaced: it left by itself, or the root left it out. The most senior
// device that is online rotates; where two do, their logs fork and one wins.
func (a Account) NeedsRotation() bool {
	if a.IsZero() {
		return false
	}
	due := false
	for _, e := range a.log.Entries() {
		switch e.Op {
		case identity.OpRevoke, identity.OpBegin: // a begin may leave devices out
			due = true
		case identity.OpRotate:
			due = false
		}
	}
	return due
}

// Rotate replaces the profile's key and the account's presence.
func (a Account) Rotate(act Act) (Account, error) { return a.rotate(act) }

func (a Account) rotate(act Act, changes ...Change) (Account, error) {
	generation, _ := a.log.Generation()
	key, err := NewProfileKey(generation+1, act.Random)
	if err != nil {
		return a, err
	}
	presence, err := NewPresence(act.Random)
	if err != nil {
		return a, err
	}
	log, err := a.log.Append(act.Key, identity.Entry{
		Op: identity.OpRotate, Generation: key.Generation, Commitment: key.Commitment(a.ID()), At: act.At,
	})
	if err != nil {
		return a, err
	}
	p, _, err := a.profile.Edit(a.me, append([]Change{beginEra(presence)}, changes...)...)
	if wire.CodeOf(err) == wire.Limit && len(changes) == 0 {
		// Whoever is thrown out may have filled the profile. That must not keep
		// him in: the presence is replaced when there is room for it again.
		p, err = a.profile, nil
	}
	if err != nil {
		return a, err
	}
	a.log, a.key, a.profile = log, key, p
	a.wrapped = key.Wrap(a.ID(), log.Devices())
	return a, nil
}

func (a Account) outOfIt() error {
	return wire.Errorf(wire.Forbidden, "this device was revoked from %s", a.ID()).
		WithNext("link it again from another device of the account, or import the recovery file")
}

// ErrNone tells that a node has no account: NotReady.
var ErrNone error = wire.Errorf(wire.NotReady, "this node has no account").
	WithNext("make one: panpipe account new; or link this node to yours: panpipe account link CODE")

// deviceOf is this device as a log names it.
func deviceOf(act Act, box Box) (identity.Device, error) {
	me, err := peer.IDFromPrivateKey(act.Key)
	if err != nil {
		return identity.Device{}, wire.Errorf(wire.BadRequest, "account: key of this device: %w", err)
	}
	return identity.Device{ID: me, Box: box.Public()}, nil
}
