package account

import (
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Recovery is what outlives the loss of all devices: the root key, and what the
// account was when it was written down.
type Recovery struct {
	Root    crypto.PrivKey
	Log     *identity.DeviceLog
	Profile Profile
	At      time.Time // when it was exported
}

// Field numbers of the recovery file's plaintext.
const (
	recoveryRoot    = 1
	recoveryLog     = 2
	recoveryProfile = 3
	recoveryAt      = 4
)

const (
	maxRootKey       = 128 // bytes of a private key in libp2p's protobuf
	maxRecoveryPlain = identity.MaxDeviceLog + MaxProfile + maxRootKey + 64
	maxMillis        = 253402300799999 // the last of the year 9999
)

// Recovery returns what goes into the recovery file, given the root key: of a
// new account, or from an earlier file. Forbidden for another account's key.
func (a Account) Recovery(root crypto.PrivKey, at time.Time) (Recovery, error) {
	if a.IsZero() {
		return Recovery{}, ErrNone
	}
	if root == nil || !a.ID().Matches(root.GetPublic()) {
		return Recovery{}, wire.Errorf(wire.Forbidden, "this is not the root key of %s", a.ID())
	}
	return Recovery{Root: root, Log: a.log, Profile: a.profile, At: at}, nil
}

// ImportRequest is what a person says who imports an account on a device.
type ImportRequest struct {
	File       []byte // the recovery file
	Passphrase string
	Name       string // of this device; may be empty
	Alone      bool   // leave out all other devices: they may be a thief's
}

// Restored says how a recovery file makes an account on this device.
type Restored struct {
	Act
	Box    Box
	Latest *identity.DeviceLog // the newest log that was found elsewhere, nil if none
	Alone  bool                // leave out the devices of Latest: they may be a thief's
	Name   string              // of this device
}

// Restore has the root take this device into the account, with a new profile
// key and presence. What the root signs wins against whatever devices have
// signed meanwhile. Other devices stay if Latest has them; without it none do,
// for the file may be older than the loss of one. Forbidden where Latest is
// another account's.
func (r Recovery) Restore(how Restored) (Account, error) {
	log, outcome := identity.Judge(r.Log, how.Latest)
	if outcome == identity.LogForeign {
		return Account{}, wire.Errorf(wire.Forbidden, "device log is that of %s, not of %s", how.Latest.Account(), log.Account())
	}
	me, err := deviceOf(how.Act, how.Box)
	if err != nil {
		return Account{}, err
	}
	devices := []identity.Device{me}
	if !how.Alone && how.Latest != nil {
		for _, d := range log.Devices() {
			if d.ID != me.ID {
				devices = append(devices, d)
			}
		}
	}
	log, err = log.Append(r.Root, identity.Entry{Op: identity.OpBegin, Devices: devices, At: how.At})
	if err != nil {
		return Account{}, err
	}
	a := Account{me: me.ID, box: how.Box, log: log, profile: r.Profile}
	return a.rotate(how.Act, NameDevice(me.ID, how.Name))
}

func (r Recovery) bytes() ([]byte, error) {
	root, err := crypto.MarshalPrivateKey(r.Root)
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "recovery: root key: %w", err)
	}
	var b wire.Builder
	return b.Bytes(recoveryRoot, root).
		Bytes(recoveryLog, r.Log.Bytes()).
		Bytes(recoveryProfile, r.Profile.Bytes()).
		Uint(recoveryAt, uint64(max(0, r.At.UnixMilli()))).
		Build(), nil
}

func parseRecovery(raw []byte) (Recovery, error) {
	f, err := wire.ParseFields(raw)
	if err != nil {
		return Recovery{}, err
	}
	root, errRoot := crypto.UnmarshalPrivateKey(f.Bytes(recoveryRoot, maxRootKey))
	log, errLog := identity.ParseLog(f.Bytes(recoveryLog, identity.MaxDeviceLog))
	profile, errProfile := ParseProfile(f.Bytes(recoveryProfile, MaxProfile))
	at := f.Uint(recoveryAt, maxMillis)
	if err := f.Done(); err != nil {
		return Recovery{}, err
	}
	for _, err := range []error{errRoot, errLog, errProfile} {
		if err != nil {
			return Recovery{}, wire.Errorf(wire.BadRequest, "%w", err)
		}
	}
	if !log.Account().Matches(root.GetPublic()) {
		return Recovery{}, wire.Errorf(wire.BadRequest, "root key and device log are of different accounts")
	}
	return Recovery{Root: root, Log: log, Profile: profile, At: time.UnixMilli(int64(at)).UTC()}, nil
}
