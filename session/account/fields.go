package account

import (
	"crypto/ed25519"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// put writes a register into its place in a profile.
type put func(*Profile, register)

// set writes value over cur, unless it is there already.
func (e *edit) set(what, value string, cur register, to put) error {
	if value == cur.value {
		return nil
	}
	era := max(e.next.presence.stamp.era(), cur.stamp.era())
	counter := max(cur.stamp.Counter+1, era<<eraBits)
	if counter>>eraBits != era || counter > maxCounter {
		return wire.Errorf(wire.Limit, "profile: %s was written %d times", what, 1<<eraBits).
			WithNext("one of the devices writes without end: find and revoke it, then it can be written again")
	}
	e.write(counter, value, to)
	return nil
}

func (e *edit) write(counter uint64, value string, to put) {
	r := register{stamp: Stamp{Counter: counter, Device: e.device}, value: value}
	to(&e.next, r)
	to(&e.delta, r)
}

// beginEra replaces the presence by one that beats all that was written so far.
func beginEra(fresh Presence) Change {
	return func(e *edit) error {
		counter := (e.next.era() + 1) << eraBits
		if counter > maxCounter {
			return wire.Errorf(wire.Limit, "profile: no era after %d", e.next.era())
		}
		e.write(counter, fresh.value(), setPresence)
		return nil
	}
}

func setPresence(p *Profile, r register) { p.presence = r }

func (e *edit) setText(what, text string, cur register, to put) error {
	if err := checkText(what, text); err != nil {
		return err
	}
	return e.set(what, text, cur, to)
}

func (e *edit) all(changes ...Change) error {
	for _, change := range changes {
		if err := change(e); err != nil {
			return err
		}
	}
	return nil
}

func inBuddy(id identity.Principal, f func(*buddy, register)) put {
	return func(p *Profile, r register) {
		b := p.buddies[id]
		f(&b, r)
		p.buddies[id] = b
	}
}

func setState(id identity.Principal, state State) Change {
	return func(e *edit) error {
		if err := checkAccount(id); err != nil {
			return err
		}
		return e.set("state of a buddy", string([]byte{byte(state)}), e.next.buddies[id].state,
			inBuddy(id, func(b *buddy, r register) { b.state = r }))
	}
}

func setBlock(id identity.Principal, on bool) Change {
	return func(e *edit) error {
		if err := checkAccount(id); err != nil {
			return err
		}
		return e.set("block", flag(on), e.next.buddies[id].block, inBuddy(id, func(b *buddy, r register) { b.block = r }))
	}
}

// flag is the value of a field that is on or off.
func flag(on bool) string {
	if on {
		return "\x01"
	}
	return ""
}

func checkPeer(id peer.ID) error {
	if _, err := identity.PrincipalFromBytes(identity.PeerPrincipal(id).Bytes()); err != nil {
		return wire.Errorf(wire.BadRequest, "profile: no device: %w", err)
	}
	return nil
}

func checkAccount(id identity.Principal) error {
	if id.Kind() != identity.KindAccount {
		return wire.Errorf(wire.BadRequest, "profile: %q is not an account", id)
	}
	return nil
}

// checkText refuses what no name may hold: it is shown in terminals and lists,
// also by programs that do not escape.
func checkText(what, text string) error {
	if len(text) > MaxName {
		return wire.Errorf(wire.TooLarge, "%s of %d bytes, at most %d", what, len(text), MaxName)
	}
	if !utf8.ValidString(text) {
		return wire.Errorf(wire.BadRequest, "%s is not UTF-8", what)
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return wire.Errorf(wire.BadRequest, "%s has the control character %U", what, r)
		}
	}
	return nil
}

// Sizes of a presence in bytes.
const (
	PresenceSalt = 16
	presenceSize = ed25519.SeedSize + PresenceSalt
)

// Presence is what an account's presence pipe is made of.
type Presence struct {
	Seed    [ed25519.SeedSize]byte // of the Ed25519 key that owns the pipe
	Salt    [PresenceSalt]byte     // of its advertisement
	Version uint64                 // rises when it is replaced; told by the profile, not set
}

// NewPresence draws a fresh presence from random.
func NewPresence(random io.Reader) (Presence, error) {
	var b [presenceSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Presence{}, wire.Errorf(wire.Internal, "presence: no random bytes: %w", err)
	}
	return presenceOf(string(b[:])), nil
}

// Key returns the key that owns the presence pipe and signs the devices'
// capabilities to bind it.
func (p Presence) Key() (crypto.PrivKey, error) {
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(p.Seed[:]))
}

// Presence returns the account's presence, and false before one was made.
func (p Profile) Presence() (Presence, bool) {
	if p.presence.value == "" {
		return Presence{}, false
	}
	out := presenceOf(p.presence.value)
	out.Version = p.presence.stamp.Counter
	return out, true
}

func presenceOf(value string) (p Presence) {
	copy(p.Seed[:], value)
	copy(p.Salt[:], value[ed25519.SeedSize:])
	return p
}

func (p Presence) value() string { return string(p.Seed[:]) + string(p.Salt[:]) }

func (p Presence) isZero() bool { return p.Seed == [ed25519.SeedSize]byte{} }
