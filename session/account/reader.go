package account

import (
	"crypto/ed25519"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// reader reads fields' writes, whose stamps refer to the list of writers.
type reader struct {
	writers writers
}

func readWriters(f *wire.Fields) writers {
	var w writers
	for _, b := range f.List(profileWriters, maxWriters, identity.MaxPrincipal) {
		id, err := peerOf(b)
		if err != nil {
			f.Fail(err)
			return nil
		}
		w = append(w, id)
	}
	return w
}

func peerOf(b []byte) (peer.ID, error) {
	p, err := identity.PrincipalFromBytes(b)
	if err != nil {
		return "", err
	}
	id, ok := p.Peer()
	if !ok {
		return "", wire.Errorf(wire.BadRequest, "%s is not a device", p)
	}
	return id, nil
}

// write reads field num, the zero register if it is absent.
func (r reader) write(f *wire.Fields, num uint64, check func(string) error) register {
	b := f.Bytes(num, maxWrite)
	if b == nil {
		return register{}
	}
	w, err := wire.ParseFields(b)
	if err != nil {
		f.Fail(err)
		return register{}
	}
	out := register{stamp: Stamp{Counter: w.Uint(writeCounter, maxCounter)}, value: string(w.Bytes(writeValue, maxWrite))}
	writer := w.Uint(writeWriter, uint64(len(r.writers)))
	if err := w.Done(); err != nil {
		f.Fail(err)
		return register{}
	}
	if out.stamp.Counter == 0 || writer == 0 {
		f.Fail(wire.Errorf(wire.BadRequest, "field %d: written by nobody", num))
		return register{}
	}
	out.stamp.Device = r.writers[writer-1]
	if err := check(out.value); err != nil {
		f.Fail(err)
	}
	return out
}

func (r reader) devices(f *wire.Fields, p *Profile) {
	for _, b := range f.List(profileDevices, maxEntries, maxEntry) {
		g, err := wire.ParseFields(b)
		if err != nil {
			f.Fail(err)
			return
		}
		id, err := peerOf(g.Bytes(deviceID, identity.MaxPrincipal))
		if err != nil {
			f.Fail(err)
			return
		}
		name := r.write(g, deviceName, textValue)
		if err := g.Done(); err != nil {
			f.Fail(err)
			return
		}
		p.devices[id] = name
	}
}

func (r reader) buddies(f *wire.Fields, p *Profile) {
	for _, b := range f.List(profileBuddies, maxEntries, maxEntry) {
		g, err := wire.ParseFields(b)
		if err != nil {
			f.Fail(err)
			return
		}
		id, err := identity.PrincipalFromBytes(g.Bytes(buddyAccount, identity.MaxPrincipal))
		if err != nil {
			f.Fail(err)
			return
		}
		one := buddy{
			state:   r.write(g, buddyState, stateValue),
			block:   r.write(g, buddyBlock, flagValue),
			petname: r.write(g, buddyPetname, textValue),
			secret:  r.write(g, buddySecret, secretValue),
		}
		if err := g.Done(); err != nil {
			f.Fail(err)
			return
		}
		if id.Kind() != identity.KindAccount || one == (buddy{}) {
			f.Fail(wire.Errorf(wire.BadRequest, "buddy %s: not an account, or nothing known of it", id))
			return
		}
		p.buddies[id] = one
	}
}

// What the value of each kind of field may be. An empty one was written to
// take away what stood there.

func textValue(v string) error { return checkText("name", v) }

func flagValue(v string) error {
	if v != "" && v != "\x01" {
		return wire.Errorf(wire.BadRequest, "neither on nor off")
	}
	return nil
}

func contactValue(v string) error {
	switch {
	case v == "":
		return nil
	case len(v) != 1 || v[0] == 0:
		return wire.Errorf(wire.BadRequest, "no way of contact")
	case Contact(v[0]) > ContactDirect:
		return wire.Errorf(wire.Unsupported, "way of contact %d is unknown to this version", v[0])
	}
	return nil
}

func presenceValue(v string) error {
	if len(v) != presenceSize || v[:ed25519.SeedSize] == string(make([]byte, ed25519.SeedSize)) {
		return wire.Errorf(wire.BadRequest, "presence of %d bytes, expected %d and not zero", len(v), presenceSize)
	}
	return nil
}

func stateValue(v string) error {
	if len(v) != 1 || v[0] == 0 {
		return wire.Errorf(wire.BadRequest, "no state of a buddy")
	}
	if State(v[0]) > Removed {
		return wire.Errorf(wire.Unsupported, "state %d of a buddy is unknown to this version", v[0])
	}
	return nil
}

func secretValue(v string) error {
	if len(v) > MaxSecret {
		return wire.Errorf(wire.TooLarge, "presence secret of %d bytes, at most %d", len(v), MaxSecret)
	}
	return nil
}
