package account

import (
	"maps"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Merge returns what p and q say together: of each field the later write. It
// is commutative, associative and idempotent, and knows no clock. It fails,
// as Limit, only when the result is above MaxProfile: then both sides go on
// with what they have, and nothing is lost.
func (p Profile) Merge(q Profile) (Profile, error) {
	m := p.union(q)
	if n := len(m.Bytes()); n > MaxProfile {
		return Profile{}, wire.Errorf(wire.Limit, "profile: with what another device wrote it has %d bytes, at most %d", n, MaxProfile).
			WithNext("remove buddies or shorten petnames on one of the devices")
	}
	return m, nil
}

func (p Profile) union(q Profile) Profile {
	m := p.clone()
	m.name = p.name.later(q.name)
	m.contact = p.contact.later(q.contact)
	m.presence = p.presence.later(q.presence)
	for id, r := range q.devices {
		m.devices[id] = m.devices[id].later(r)
	}
	for id, b := range q.buddies {
		m.buddies[id] = m.buddies[id].union(b)
	}
	return m
}

// union keeps state and block apart, so that no state, however late, lifts a
// block: only a later write of the block itself does.
func (b buddy) union(o buddy) buddy {
	return buddy{
		state:   b.state.later(o.state),
		block:   b.block.later(o.block),
		petname: b.petname.later(o.petname),
		secret:  b.secret.later(o.secret),
	}
}

// clone returns a copy whose maps are its own, and never nil.
func (p Profile) clone() Profile {
	p.devices = maps.Clone(p.devices)
	p.buddies = maps.Clone(p.buddies)
	p.allocate()
	return p
}

func (p *Profile) allocate() {
	if p.devices == nil {
		p.devices = make(map[peer.ID]register)
	}
	if p.buddies == nil {
		p.buddies = make(map[identity.Principal]buddy)
	}
}
