package account

import (
	"bytes"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Field numbers of a profile.
const (
	profileWriters  = 1
	profileName     = 2
	profileContact  = 3
	profilePresence = 4
	profileDevices  = 5
	profileBuddies  = 6
)

// Field numbers of a field's last write, of a device and of a buddy.
const (
	writeCounter = 1
	writeWriter  = 2
	writeValue   = 3

	deviceID   = 1
	deviceName = 2

	buddyAccount = 1
	buddyState   = 2
	buddyBlock   = 3
	buddyPetname = 4
	buddySecret  = 5
)

// Caps of a reader, beyond what fits into MaxProfile.
const (
	maxWriters = 1024
	maxEntries = 1 << 14
	maxWrite   = MaxSecret + 32
	maxEntry   = 2*MaxName + MaxSecret + 256
)

// writers numbers the devices that wrote a profile's fields, from 1, in the
// order of their IDs: a stamp has a number instead of 38 bytes.
type writers []peer.ID

func writersOf(p Profile) writers {
	seen := make(map[peer.ID]bool)
	p.each(func(r register) { seen[r.stamp.Device] = true })
	w := make(writers, 0, len(seen))
	for id := range seen {
		w = append(w, id)
	}
	slices.Sort(w)
	return w
}

// Bytes returns the canonical form of p, nil for one that nobody wrote.
func (p Profile) Bytes() []byte {
	w := writersOf(p)
	ids := make([][]byte, len(w))
	for i, id := range w {
		ids[i] = identity.PeerPrincipal(id).Bytes()
	}
	var b wire.Builder
	return b.List(profileWriters, ids).
		Bytes(profileName, w.write(p.name)).
		Bytes(profileContact, w.write(p.contact)).
		Bytes(profilePresence, w.write(p.presence)).
		List(profileDevices, w.devices(p)).
		List(profileBuddies, w.buddies(p)).
		Build()
}

func (w writers) write(r register) []byte {
	if !r.written() {
		return nil
	}
	i, _ := slices.BinarySearch(w, r.stamp.Device)
	var b wire.Builder
	return b.Uint(writeCounter, r.stamp.Counter).Uint(writeWriter, uint64(i)+1).Bytes(writeValue, []byte(r.value)).Build()
}

func (w writers) devices(p Profile) [][]byte {
	ids := make([]peer.ID, 0, len(p.devices))
	for id, r := range p.devices {
		if r.written() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := make([][]byte, len(ids))
	for i, id := range ids {
		var b wire.Builder
		out[i] = b.Bytes(deviceID, identity.PeerPrincipal(id).Bytes()).Bytes(deviceName, w.write(p.devices[id])).Build()
	}
	return out
}

func (w writers) buddies(p Profile) [][]byte {
	ids := sortedBuddies(p.buddies)
	out := make([][]byte, len(ids))
	for i, id := range ids {
		one := p.buddies[id]
		var b wire.Builder
		out[i] = b.Bytes(buddyAccount, id.Bytes()).
			Bytes(buddyState, w.write(one.state)).
			Bytes(buddyBlock, w.write(one.block)).
			Bytes(buddyPetname, w.write(one.petname)).
			Bytes(buddySecret, w.write(one.secret)).
			Build()
	}
	return out
}

// ParseProfile reads what Bytes made; empty bytes are the zero Profile. Errors
// are BadRequest, TooLarge above a cap, and Unsupported for fields that this
// version does not know.
func ParseProfile(b []byte) (Profile, error) {
	if len(b) > MaxProfile {
		return Profile{}, wire.Errorf(wire.TooLarge, "profile: %d bytes, at most %d", len(b), MaxProfile)
	}
	p, err := parseProfile(b)
	if err != nil {
		return Profile{}, wire.Errorf(wire.CodeOf(err), "profile: %w", err)
	}
	return p, nil
}

func parseProfile(b []byte) (Profile, error) {
	f, err := wire.ParseFields(b)
	if err != nil {
		return Profile{}, err
	}
	r := reader{writers: readWriters(f)}
	var p Profile
	p.allocate()
	p.name = r.write(f, profileName, textValue)
	p.contact = r.write(f, profileContact, contactValue)
	p.presence = r.write(f, profilePresence, presenceValue)
	r.devices(f, &p)
	r.buddies(f, &p)
	if err := f.Done(); err != nil {
		return Profile{}, err
	}
	// One profile has one form: writers and entries in their order, each of some
	// use. What would be lost by merging and writing again is refused as well.
	if !bytes.Equal(p.Bytes(), b) {
		return Profile{}, wire.Errorf(wire.BadRequest, "not in canonical form, or of a newer version")
	}
	return p, nil
}
