package account

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Adoption says what became of a log that was shown.
type Adoption struct {
	Outcome identity.Outcome
	// Lost is what this device had signed in a branch that lost, and could not
	// sign again: the winner has no room for it. Its user has to know.
	Lost []identity.Entry
}

// Adopt judges a log of the account that somebody showed, and goes on with the
// winner. What this device had signed in a branch that lost it signs again on
// top. A log of the account that is older, or loses, changes nothing; one of
// another account is Forbidden.
func (a Account) Adopt(act Act, shown *identity.DeviceLog) (Account, Adoption, error) {
	if a.IsZero() {
		return a, Adoption{}, ErrNone
	}
	winner, outcome := identity.Judge(a.log, shown)
	switch outcome {
	case identity.LogForeign:
		return a, Adoption{Outcome: outcome}, wire.Errorf(wire.Forbidden, "device log is that of %s, not of %s", shown.Account(), a.ID())
	case identity.LogExtends, identity.LogBeats:
	default:
		return a, Adoption{Outcome: outcome}, nil
	}
	if !winner.Valid(a.me) {
		if a.lost == nil {
			a.lost = a.log
		}
		a.log = winner
		return a, Adoption{Outcome: outcome}, nil
	}
	void := winner.Void(a.log, a.me)
	if a.lost != nil { // its own add was void, and has been signed again
		void = append(void, winner.Void(a.lost, a.me)...)
	}
	a.log, a.lost = winner, nil
	next, lost := a.again(act, void)
	return next, Adoption{Outcome: outcome, Lost: lost}, nil
}

// again signs own entries of a lost branch on top of the winner, which stands
// whatever becomes of them.
func (a Account) again(act Act, void []identity.Entry) (next Account, lost []identity.Entry) {
	revoked := false
	for _, e := range void {
		if a.log.Valid(e.Device.ID) == (e.Op == identity.OpAdd) {
			continue // done already
		}
		log, err := a.log.Append(act.Key, e)
		if err != nil {
			lost = append(lost, e)
			continue
		}
		a.log = log
		revoked = revoked || e.Op == identity.OpRevoke
	}
	if revoked {
		if rotated, err := a.rotate(act); err == nil {
			return rotated, lost
		} // else NeedsRotation says so
	}
	return a.wrapForAll(), lost
}

// wrapForAll wraps the key for devices that were added by others meanwhile:
// those had the key of another generation, or did not hear of each other.
func (a Account) wrapForAll() Account {
	if !a.Current() {
		return a
	}
	w, err := parseWrapped(a.wrapped)
	for _, d := range a.log.Devices() {
		if err != nil || w.parts[d.ID] == nil {
			a.wrapped = a.key.Wrap(a.ID(), a.log.Devices())
			return a
		}
	}
	return a
}

// TakeKey takes the profile key of the log's generation, as another device
// wrapped it. Errors are those of Box.Unwrap.
func (a Account) TakeKey(wrapped []byte) (Account, error) {
	key, err := a.box.Unwrap(a.log, a.me, wrapped)
	if err != nil {
		return a, err
	}
	a.key, a.wrapped = key, wrapped
	return a.wrapForAll(), nil
}

// Bundle is an account as it leaves a device, for another own device or for a
// keeper that may read nothing: only the log is in clear.
type Bundle struct {
	Log     []byte // canonical device log
	Wrapped []byte // the profile key for each device
	Sealed  []byte // the profile under it
}

// Field numbers of a bundle.
const (
	bundleLog     = 1
	bundleWrapped = 2
	bundleSealed  = 3
)

// MaxBundle caps a bundle in bytes.
const MaxBundle = identity.MaxDeviceLog + MaxWrapped + MaxSealed + 32

// Bundle returns the account for its other devices. NotReady without the key
// of the log's generation.
func (a Account) Bundle(act Act) (Bundle, error) {
	if !a.Current() {
		return Bundle{}, wire.Errorf(wire.NotReady, "this device has yet to get the new profile key from another one")
	}
	sealed, err := a.key.Seal(a.ID(), a.profile, act.Random)
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{Log: a.log.Bytes(), Wrapped: a.wrapped, Sealed: sealed}, nil
}

// Bytes returns the canonical form.
func (b Bundle) Bytes() []byte {
	var e wire.Builder
	return e.Bytes(bundleLog, b.Log).Bytes(bundleWrapped, b.Wrapped).Bytes(bundleSealed, b.Sealed).Build()
}

// ParseBundle reads what Bytes made. Its parts are checked by who opens them.
func ParseBundle(raw []byte) (Bundle, error) {
	f, err := wire.ParseFields(raw)
	if err != nil {
		return Bundle{}, wire.Errorf(wire.CodeOf(err), "account: %w", err)
	}
	b := Bundle{
		Log:     f.Bytes(bundleLog, identity.MaxDeviceLog),
		Wrapped: f.Bytes(bundleWrapped, MaxWrapped),
		Sealed:  f.Bytes(bundleSealed, MaxSealed),
	}
	if err := f.Done(); err != nil {
		return Bundle{}, wire.Errorf(wire.CodeOf(err), "account: %w", err)
	}
	return b, nil
}

// Take brings an account up to date with the bundle of another own device, as a
// whole or not at all: a log that says something on its own is adopted first.
// The floor is that of ProfileKey.Open; errors are its, Adopt's and Unwrap's.
func (a Account) Take(act Act, b Bundle, floor uint64) (Account, error) {
	shown, err := identity.ParseLog(b.Log)
	if err != nil {
		return a, err
	}
	next, _, err := a.Adopt(act, shown)
	if err != nil {
		return a, err
	}
	if next.Revoked() {
		return a, next.outOfIt()
	}
	if !next.Current() {
		if next, err = next.TakeKey(b.Wrapped); err != nil {
			return a, err
		}
	}
	p, err := next.key.Open(next.ID(), b.Sealed, floor)
	if err != nil {
		return a, err
	}
	if next, err = next.Merge(p); err != nil {
		return a, err
	}
	return next, nil
}

// Linked is the account on a device that has just been added to it: me, with
// this box key, is in the log of the bundle. Forbidden where it is not.
func Linked(me peer.ID, box Box, b Bundle) (Account, error) {
	log, err := identity.ParseLog(b.Log)
	if err != nil {
		return Account{}, err
	}
	if d, ok := log.Device(me); !ok || d.Box != box.Public() {
		return Account{}, wire.Errorf(wire.Forbidden, "the device log of %s does not have this device", log.Account())
	}
	a, err := Account{me: me, box: box, log: log}.TakeKey(b.Wrapped)
	if err != nil {
		return Account{}, err
	}
	a.profile, err = a.key.Open(a.ID(), b.Sealed, 0)
	if err != nil {
		return Account{}, err
	}
	return a, nil
}
