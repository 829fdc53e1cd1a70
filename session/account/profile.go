package account

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"math"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Limits of a profile.
const (
	MaxProfile = 1 << 20 // bytes of its canonical form
	MaxBuddies = 2000    // buddies that are not removed; an edit that makes more is refused
	MaxName    = 128     // bytes of a display name, device name or petname
	MaxSecret  = 512     // bytes of a buddy's presence secret
	maxCounter = 1 << 56 // of a stamp

	eraBits = 28 // of a counter count the writes of an era; above them is the era
)

// Stamp says which write of a field this is: the counter rises with every
// write that knows the one before, the device breaks ties. The zero Stamp is
// that of a field that nobody wrote. All counters of an era lie above those of
// the one before, and a new presence for a new profile key begins an era: so
// whatever a device wrote until it was revoked, however high its counters, the
// next write of another replaces it.
type Stamp struct {
	Counter uint64
	Device  peer.ID
}

// register is one field: what was written last, as the field's bytes.
type register struct {
	stamp Stamp
	value string
}

// compare orders two writes of one field. The value decides last, so that the
// order is total whatever a faulty device wrote under one stamp.
func (r register) compare(o register) int {
	return cmp.Or(
		cmp.Compare(r.stamp.Counter, o.stamp.Counter),
		strings.Compare(string(r.stamp.Device), string(o.stamp.Device)),
		strings.Compare(r.value, o.value),
	)
}

// later returns the write that stays.
func (r register) later(o register) register {
	if r.compare(o) < 0 {
		return o
	}
	return r
}

func (r register) written() bool { return r.stamp.Counter > 0 }

// Profile is what the devices of an account share: immutable, merged field by
// field. A delta is a Profile too, one with the fields that changed. The zero
// Profile is empty.
type Profile struct {
	name     register
	contact  register
	presence register
	devices  map[peer.ID]register
	buddies  map[identity.Principal]buddy
}

type buddy struct {
	state, block, petname, secret register
}

// State is how far two accounts have come.
type State uint8

// The states of a buddy. A block is told beside them.
const (
	Stranger  State = 0 // neither asked nor accepted
	Requested State = 1 // this account asked and waits for the answer
	Accepted  State = 2 // both have agreed
	Removed   State = 3 // no longer; kept, so that an old copy does not bring it back
)

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

var stateNames = [...]string{"stranger", "requested", "accepted", "removed"}

// Contact is how strangers reach an account with a buddy request.
type Contact uint8

// Ways of contact.
const (
	ContactRelayed Contact = 0 // they learn its devices' peer IDs, and addresses at relays only
	ContactOff     Contact = 1 // not at all
	ContactDirect  Contact = 2 // they learn all addresses: for people whom no relay serves
)

func (c Contact) String() string {
	if int(c) < len(contactNames) {
		return contactNames[c]
	}
	return "unknown"
}

var contactNames = [...]string{"on", "off", "direct"}

// ParseContact reads on, off or direct.
func ParseContact(s string) (Contact, error) {
	if i := slices.Index(contactNames[:], s); i >= 0 {
		return Contact(i), nil
	}
	return 0, wire.Errorf(wire.BadRequest, "contact %q is not on, off or direct", s)
}

// value is the field's.
func (c Contact) value() string {
	if c == ContactRelayed {
		return ""
	}
	return string([]byte{byte(c)})
}

// Buddy is another account as the profile knows it.
type Buddy struct {
	Account identity.Principal
	State   State
	Blocked bool   // stronger than any State
	Petname string // this account's own name for it, never sent
	Secret  []byte // its presence secret, nil if not known
}

// live reports whether b counts as one of MaxBuddies.
func (b buddy) live() bool {
	s := b.stateOf()
	return s == Requested || s == Accepted || b.blocked()
}

func (b buddy) stateOf() State {
	if b.state.value == "" {
		return Stranger
	}
	return State(b.state.value[0])
}

func (b buddy) blocked() bool { return b.block.value != "" }

// Name returns the display name that buddies see, "" if none was given.
func (p Profile) Name() string { return p.name.value }

// Contact says how strangers reach the account with a buddy request.
func (p Profile) Contact() Contact {
	if p.contact.value == "" {
		return ContactRelayed
	}
	return Contact(p.contact.value[0])
}

// DeviceName returns the name given to a device, "" if none.
func (p Profile) DeviceName(id peer.ID) string { return p.devices[id].value }

// Buddy returns what is known of an account, and false if nothing is.
func (p Profile) Buddy(id identity.Principal) (Buddy, bool) {
	b, ok := p.buddies[id]
	if !ok {
		return Buddy{}, false
	}
	return b.show(id), true
}

func (b buddy) show(id identity.Principal) Buddy {
	out := Buddy{Account: id, State: b.stateOf(), Blocked: b.blocked(), Petname: b.petname.value}
	if b.secret.value != "" {
		out.Secret = []byte(b.secret.value)
	}
	return out
}

// Buddies returns all accounts that the profile knows, the removed and the
// blocked too, in the order of their IDs.
func (p Profile) Buddies() []Buddy {
	out := make([]Buddy, 0, len(p.buddies))
	for _, id := range sortedBuddies(p.buddies) {
		out = append(out, p.buddies[id].show(id))
	}
	return out
}

// era is the latest in which some field was written.
func (p Profile) era() uint64 {
	var top uint64
	p.each(func(r register) { top = max(top, r.stamp.era()) })
	return top
}

func (s Stamp) era() uint64 { return s.Counter >> eraBits }

// Revision is a number that rises with every edit and never falls when
// profiles are merged: the sum of all counters.
func (p Profile) Revision() uint64 {
	var sum uint64
	p.each(func(r register) { sum += min(r.stamp.Counter, math.MaxUint64-sum) })
	return sum
}

// Equal reports whether both have the same fields, stamps included.
func (p Profile) Equal(q Profile) bool { return bytes.Equal(p.Bytes(), q.Bytes()) }

// IsZero reports whether nothing was ever written.
func (p Profile) IsZero() bool { return p.Revision() == 0 }

// Digest is the SHA-256 of the canonical bytes: two devices that have the same
// need not send each other anything.
func (p Profile) Digest() [sha256.Size]byte { return sha256.Sum256(p.Bytes()) }

// each calls f with every field that was written.
func (p Profile) each(f func(register)) {
	all := []register{p.name, p.contact, p.presence}
	for _, r := range p.devices {
		all = append(all, r)
	}
	for _, b := range p.buddies {
		all = append(all, b.state, b.block, b.petname, b.secret)
	}
	for _, r := range all {
		if r.written() {
			f(r)
		}
	}
}

func (p Profile) liveBuddies() int {
	n := 0
	for _, b := range p.buddies {
		if b.live() {
			n++
		}
	}
	return n
}

// sortedBuddies returns the accounts in the order of their binary forms.
func sortedBuddies(m map[identity.Principal]buddy) []identity.Principal {
	keys := make([]string, 0, len(m))
	of := make(map[string]identity.Principal, len(m))
	for id := range m {
		key := string(id.Bytes())
		keys = append(keys, key)
		of[key] = id
	}
	slices.Sort(keys)
	ids := make([]identity.Principal, len(keys))
	for i, key := range keys {
		ids[i] = of[key]
	}
	return ids
}
